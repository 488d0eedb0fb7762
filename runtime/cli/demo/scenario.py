"""What happens in the demo: three agents, their handlers, and the events that wake them.

Everything is real: the host, the children, the guards. Only the work of a turn is a short sleep. The handlers note what
they see in :class:`Observations`. So the result of the demo is measured from inside, and compared with the statistics
of the host.
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
# A run's own session, which is over when its children exit: their events belong to the main session.
CRON_RUN: Final = "agent:research:cron:nightly:run:7f3a"
TURN_SECONDS: Final = 0.25
"""How long the work of a turn takes."""

READING_SECONDS: Final = 0.9
"""How long a person may read the announcement of the next part."""

Child = tuple[float, str]
"""How long a child sleeps, in seconds, and what it does after that."""

_HEALTH: Final[Sequence[Child]] = (
    (0.4, "echo web-1 healthy"),
    (0.6, "echo web-2 healthy"),
    (0.8, "echo web-3 refuses connections >&2; exit 1"),
    (0.9, "echo backup written, 2.1 GB"),
    (1.1, "echo disk 81% full"),
)
_CHECKS: Final[Sequence[Child]] = (
    (0.3, "echo lint clean"),
    (0.5, "wakeward-demo-docs --build"),  # there is no such program: an exit with code 127
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
    """The host's configuration: :data:`COOLDOWN`. ``pace`` is a factor for all times."""
    # Shorter than the defaults, so that each guard is seen at work within 15 s.
    cooldown = CooldownPolicy(min_spacing=2 * pace, flood_window=5 * pace, flood_threshold=3)
    retry = RetryPolicy(backoff=Backoff(base=0.8 * pace))
    return HostConfig(defaults=AgentOptions(cooldown=cooldown, retry=retry))


@final
@define(eq=False)
class Observations:
    """What the handlers saw.

    Attributes:
        owners: The owner of each event, by context key, and of each wake, by reason.
        shown: How often each event was seen in a turn that ran, by context key.
        turns: How often each agent's handler was entered.
        events_of: How many events each turn was shown, by turn.
        cross_agent_turns: Turns of an agent that did not own the session, the wake, or one of the events.
    """

    owners: dict[str, str] = Factory(dict[str, str])
    shown: Counter[str] = Factory(Counter[str])
    turns: Counter[str] = Factory(Counter[str])
    events_of: dict[int, int] = Factory(dict[int, int])
    cross_agent_turns: int = 0

    def enter(self, name: str, turn: Turn) -> None:
        """Note that the handler of the agent ``name`` was entered."""
        self.turns[name] += 1
        self.events_of[turn.turn_id] = len(turn.events)
        # All that names an owner is collected: one of another agent in this set is a wake that went astray.
        owners = {turn.agent_id, owner_of(turn.session_key)}
        owners |= {self.owners.get(event.context_key or "", "nobody") for event in turn.events}
        owners |= {self.owners.get(reason, name) for reason in turn.reasons}  # most reasons have no owner
        # From inside the handler, so a fault of the router is seen here and not only in the router's own count.
        if owners != {name}:
            self.cross_agent_turns += 1

    def ran(self, turn: Turn) -> None:
        """Note the events of a turn that ran."""
        self.shown.update(event.context_key or "" for event in turn.events)


@final
@frozen
class Scenario:
    """The agents of the demo and its parts, on one host.

    Attributes:
        caption: Called with the announcement of each part.
        pace: A factor for all times.
    """

    host: Host
    observed: Observations
    caption: Callable[[str], None]
    pace: float = 1.0

    async def play(self) -> None:
        """Add the agents, play all parts, and return when no work is left."""
        for name, work in (("ops", _ops), ("dev", _dev), ("research", _research)):
            self.host.add_agent(AgentSpec(name, self._handler(name, work)))
        await self._children_of_agents()
        await self._children_of_a_cron_run()
        await self._a_manual_wake()
        await self._a_flood_of_alerts()
        await self._a_refusal_and_a_failure()
        await self.host.wait_idle()  # retries, deferred wakes and children included: then the sums must add up

    def _handler(self, name: str, work: Work) -> Callable[[Turn], Awaitable[Outcome]]:
        async def handler(turn: Turn) -> Outcome:
            self.observed.enter(name, turn)
            await self._pause(TURN_SECONDS)
            outcome = await work(self, turn)
            # A failed turn acknowledges nothing: its events are shown again, and must not be counted twice.
            if isinstance(outcome, Ran):
                self.observed.ran(turn)
            return outcome

        return handler

    async def start(self, turn: Turn, children: Sequence[Child]) -> None:
        """Start children in the background of a turn; each exit wakes the turn's session."""
        for child in children:
            job = await turn.exec_background(self._command(child))
            # In time: each child sleeps for a while, so its exit cannot be shown before its owner is noted.
            self.observed.owners[f"exec:{job.id}"] = turn.agent_id

    async def _children_of_agents(self) -> None:
        await self._announce(
            "A person wakes each agent. Each agent starts children in the background and goes back to sleep."
        )
        for name in AGENTS:
            self._wake(name, f"good morning, {name}")
            await self._pause(0.15)
        # Longer than a turn and the cooldown after it, so that the exits are shown before the next part begins.
        await self._pause(2.6)

    async def _children_of_a_cron_run(self) -> None:
        await self._announce(
            "The nightly cron run of research has children too. It is over when they exit, so research itself is woken."
        )
        # The host starts these children, not a turn: the exits come when nothing runs in the session of the cron run.
        for child in _NIGHTLY:
            job = await self.host.exec(CRON_RUN, self._command(child), background=True)
            self.observed.owners[f"exec:{job.id}"] = owner_of(CRON_RUN)
        await self._pause(0.6)

    async def _a_manual_wake(self) -> None:
        await self._announce("dev is cooling down. A person wakes it all the same: a manual wake always runs.")
        self._wake("dev", "a preview now, please")
        await self._pause(1.3)

    async def _a_flood_of_alerts(self) -> None:
        await self._announce(
            "Urgent alerts for ops. The first ones wake it at once, then the flood guard holds the others."
        )
        # More alerts than the flood guard lets through, and closer together than its window.
        for number, alert in enumerate(_ALERTS):
            await self._notify("ops", alert, f"alert:{number}")
            await self._pause(0.3)
        await self._pause(0.5)

    async def _a_refusal_and_a_failure(self) -> None:
        await self._announce(
            "An event for an unknown agent is refused. A turn that fails is tried again, and its event is kept."
        )
        self.observed.owners["mail:1"] = "ghost"  # if any agent is shown it, that is a cross-agent turn
        await self.host.notify("agent:ghost:main", "boo", source="hook", intent="immediate", context_key="mail:1")
        await self._notify("research", "the editor asks for a summary", "mail:2")

    def _command(self, child: Child) -> str:
        sleep, work = child
        return f"sleep {sleep * self.pace:.3f}; {work}"

    async def _pause(self, seconds: float) -> None:
        await trio.sleep(seconds * self.pace)

    async def _announce(self, text: str) -> None:
        self.caption(text)
        await self._pause(READING_SECONDS)

    def _wake(self, name: str, reason: str) -> None:
        self.observed.owners[reason] = name
        # coalesce_ms=0: a person's wake runs at once, and is seen as a turn of its own.
        self.host.wake(f"agent:{name}:main", source="manual", intent="manual", reason=reason, coalesce_ms=0)

    async def _notify(self, name: str, text: str, context_key: str) -> None:
        self.observed.owners[context_key] = name
        await self.host.notify(f"agent:{name}:main", text, source="hook", intent="immediate", context_key=context_key)


Work = Callable[[Scenario, Turn], Awaitable[Outcome]]


async def _ops(scenario: Scenario, turn: Turn) -> Outcome:
    if turn.source == "manual":
        await scenario.start(turn, _HEALTH)
    return Ran()


async def _dev(scenario: Scenario, turn: Turn) -> Outcome:
    if turn.reason == "a preview now, please":
        await scenario.start(turn, _PREVIEW)
    elif turn.source == "manual":
        await scenario.start(turn, _CHECKS)
    # Only the part after the last "::" is the output; the rest names the exit, which can say "failed" as well.
    elif any("failed" in event.text.split("::")[-1] for event in turn.events):
        await scenario.start(turn, _AGAIN)
    return Ran()


async def _research(scenario: Scenario, turn: Turn) -> Outcome:
    if turn.source == "manual":
        await scenario.start(turn, _PAPERS)
    if turn.source == "hook" and turn.attempt == 0:  # the first try fails, so that a retry is seen
        return Failed("the model is overloaded")
    return Ran()
