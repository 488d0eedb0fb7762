"""What happens in the demo: three agents, what they do when they are woken, and what befalls them.

Everything is real: the host, the children, the guards. Only the agents' thinking is a short sleep. What the handlers
see is written down by a :class:`Witness`, from inside, so that what the demo says at its end is measured, and not read
off the host's own books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, final

import trio
from attrs import Factory, define, frozen

from ....protocols.backoff import Backoff
from ....protocols.config import AgentOptions, HostConfig, RetryPolicy
from ....protocols.sessions.route import owner_of
from ....protocols.wakes.cooldown import CooldownPolicy
from ....protocols.wakes.turn import Failed, Outcome, Ran
from ...host.agent_spec import AgentSpec
from ...host.host import Host
from ...host.turn import Turn

AGENTS: Final = ("ops", "dev", "research")
COOLDOWN: Final = "a turn every 2 s at most (30 s by default), and 3 turns in 5 s trip the flood guard (5 in 60 s)"
CRON_RUN: Final = "agent:research:cron:nightly:run:7f3a"
THINKING: Final = 0.25
"""How long a turn thinks, in seconds."""

READING: Final = 0.9
"""How long a person is given to read what is going to happen, in seconds."""

Child = tuple[float, str]
"""How long a child sleeps, in seconds, and what it does then."""

_HEALTH: Final[Sequence[Child]] = (
    (0.4, "echo web-1 healthy"),
    (0.6, "echo web-2 healthy"),
    (0.8, "echo web-3 refuses connections >&2; exit 1"),
    (0.9, "echo backup written, 2.1 GB"),
    (1.1, "echo disk 81% full"),
)
_CHECKS: Final[Sequence[Child]] = (
    (0.3, "echo lint clean"),
    (0.5, "wakeward-demo-docs --build"),
    (0.7, "echo 2 of 148 tests failed; exit 1"),
    (0.9, "echo types clean"),
    (1.2, "echo the browser went away; kill -KILL $$"),
)
_AGAIN: Final[Sequence[Child]] = ((0.5, "echo 148 tests passed"), (0.7, "echo 9 browser tests passed"))
_PREVIEW: Final[Sequence[Child]] = ((0.6, "echo preview is up"),)
_PAPERS: Final[Sequence[Child]] = ((0.5, "echo 12 papers fetched"), (0.8, "echo rate limited >&2; exit 7"))
_NIGHTLY: Final[Sequence[Child]] = tuple((number / 10, f"echo chapter {number} summarised") for number in range(3, 7))
_ALERTS: Final = ("latency is up", "latency is up again", "queue grows", "queue grows still", "one pod restarted")


def demo_config(pace: float = 1.0) -> HostConfig:
    """The host's configuration: :data:`COOLDOWN`. All times are multiplied by ``pace``."""
    cooldown = CooldownPolicy(min_spacing=2 * pace, flood_window=5 * pace, flood_threshold=3)
    retry = RetryPolicy(backoff=Backoff(base=0.8 * pace))
    return HostConfig(defaults=AgentOptions(cooldown=cooldown, retry=retry))


@final
@define(eq=False)
class Witness:
    """What really happened, as seen in the handlers.

    Attributes:
        owners: Whose each event is, by context key, and each wake, by reason.
        shown: How often each event was seen in a turn that ran, by context key.
        turns: Turns entered, by the agent whose handler it was.
        events_of: How many events each turn was shown, by turn.
        cross_agent_turns: Turns of an agent that did not own the session, an event or the wake it was shown.
    """

    owners: dict[str, str] = Factory(dict[str, str])
    shown: Counter[str] = Factory(Counter[str])
    turns: Counter[str] = Factory(Counter[str])
    events_of: dict[int, int] = Factory(dict[int, int])
    cross_agent_turns: int = 0

    def enter(self, name: str, turn: Turn) -> None:
        """Note that the handler of ``name`` was entered."""
        self.turns[name] += 1
        self.events_of[turn.turn_id] = len(turn.events)
        owners = {turn.agent_id, owner_of(turn.session_key)}
        owners |= {self.owners.get(event.context_key or "", "nobody") for event in turn.events}
        owners |= {self.owners.get(reason, name) for reason in turn.reasons}  # most reasons are not somebody's
        if owners != {name}:
            self.cross_agent_turns += 1

    def ran(self, turn: Turn) -> None:
        """Note what a turn that runs to its end has seen."""
        self.shown.update(event.context_key or "" for event in turn.events)


@final
@frozen
class Story:
    """The demo's agents and acts on one host.

    Attributes:
        caption: Announces what is going to happen.
        pace: What all times are multiplied by.
    """

    host: Host
    witness: Witness
    caption: Callable[[str], None]
    pace: float = 1.0

    async def play(self) -> None:
        """Add the agents, let everything happen, and return when nothing is left to do."""
        for name, work in (("ops", _ops), ("dev", _dev), ("research", _research)):
            self.host.add_agent(AgentSpec(name, self._handler(name, work)))
        await self._a_morning()
        await self._a_cron_run()
        await self._a_person_in_a_hurry()
        await self._a_flood()
        await self._trouble()
        await self.host.wait_idle()

    def _handler(self, name: str, work: Work) -> Callable[[Turn], Awaitable[Outcome]]:
        async def handler(turn: Turn) -> Outcome:
            self.witness.enter(name, turn)
            await self._pause(THINKING)
            outcome = await work(self, turn)
            if isinstance(outcome, Ran):
                self.witness.ran(turn)
            return outcome

        return handler

    async def start(self, turn: Turn, children: Sequence[Child]) -> None:
        """Start children in the background of a turn; each exit wakes the turn's session."""
        for child in children:
            job = await turn.exec_background(self._command(child))
            self.witness.owners[f"exec:{job.id}"] = turn.agent_id

    async def _a_morning(self) -> None:
        await self._announce(
            "A person wakes each agent. Each starts children in the background and goes back to sleep."
        )
        for name in AGENTS:
            self._wake(name, f"good morning, {name}")
            await self._pause(0.15)
        await self._pause(2.6)

    async def _a_cron_run(self) -> None:
        await self._announce(
            "research's nightly cron run has children too. It is over when they end: research itself is told."
        )
        for child in _NIGHTLY:
            job = await self.host.exec(CRON_RUN, self._command(child), background=True)
            self.witness.owners[f"exec:{job.id}"] = owner_of(CRON_RUN)
        await self._pause(0.6)

    async def _a_person_in_a_hurry(self) -> None:
        await self._announce("dev is cooling down. A person wakes it all the same: by hand always works.")
        self._wake("dev", "a preview now, please")
        await self._pause(1.3)

    async def _a_flood(self) -> None:
        await self._announce(
            "Alerts for ops, urgent ones. Some wake it at once, then the flood guard holds the rest together."
        )
        for number, alert in enumerate(_ALERTS):
            await self._notify("ops", alert, f"alert:{number}")
            await self._pause(0.3)
        await self._pause(0.5)

    async def _trouble(self) -> None:
        await self._announce(
            "An agent nobody knows is refused. A turn that fails is tried again, and its event is kept."
        )
        self.witness.owners["mail:1"] = "ghost"
        await self.host.notify("agent:ghost:main", "boo", source="hook", intent="immediate", context_key="mail:1")
        await self._notify("research", "the editor asks for a summary", "mail:2")

    def _command(self, child: Child) -> str:
        sleep, work = child
        return f"sleep {sleep * self.pace:.3f}; {work}"

    async def _pause(self, seconds: float) -> None:
        await trio.sleep(seconds * self.pace)

    async def _announce(self, text: str) -> None:
        self.caption(text)
        await self._pause(READING)

    def _wake(self, name: str, reason: str) -> None:
        self.witness.owners[reason] = name
        self.host.wake(f"agent:{name}:main", source="manual", intent="manual", reason=reason, coalesce_ms=0)

    async def _notify(self, name: str, text: str, context_key: str) -> None:
        self.witness.owners[context_key] = name
        await self.host.notify(f"agent:{name}:main", text, source="hook", intent="immediate", context_key=context_key)


Work = Callable[[Story, Turn], Awaitable[Outcome]]


async def _ops(story: Story, turn: Turn) -> Outcome:
    if turn.source == "manual":
        await story.start(turn, _HEALTH)
    return Ran()


async def _dev(story: Story, turn: Turn) -> Outcome:
    if turn.reason == "a preview now, please":
        await story.start(turn, _PREVIEW)
    elif turn.source == "manual":
        await story.start(turn, _CHECKS)
    elif any("failed" in event.text.split("::")[-1] for event in turn.events):
        await story.start(turn, _AGAIN)
    return Ran()


async def _research(story: Story, turn: Turn) -> Outcome:
    if turn.source == "manual":
        await story.start(turn, _PAPERS)
    if turn.source == "hook" and turn.attempt == 0:
        return Failed("the model is overloaded")
    return Ran()
