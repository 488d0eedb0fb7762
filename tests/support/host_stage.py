"""A host with two agents on a journal that answers late, fails, or has given an agent to another host."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import trio
from attrs import define, field
from support.journal import COMMITTED, ScriptedCommit, ScriptedJournal
from trio.testing import wait_all_tasks_blocked
from wakeward import AgentSpec, CooldownPolicy, Host, HostConfig, Ran, Turn, open_host
from wakeward.protocols.journal.port import Batch, CommitOutcome, Journal
from wakeward.protocols.receipt import ACCEPTED, Receipt

OPS: Final = "agent:ops:main"
DEV: Final = "agent:dev:main"
NO_GUARDS: Final = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)
GRACE_S: Final = 10
CLOSE_S: Final = GRACE_S + 20
"""The grace of the host, then 5 s for its children, 5 s for the actors, and what goes on top."""
RESCUE_S: Final = 1_000
"""After this time the journal answers everything, so that a host that hangs fails its test and does not hang it."""


@define(eq=False)
class HostJournal(ScriptedJournal):
    """Commits at once, but for the owners in ``late``: those a test answers."""

    late: set[str] = field(factory=set[str])

    def append(self, batch: Batch, /) -> ScriptedCommit:
        commit = ScriptedJournal.append(self, batch)
        if batch.owner not in self.late:
            self.catch_up(batch.owner)
        return commit

    def catch_up(self, owner: str, outcome: CommitOutcome = COMMITTED) -> None:
        """Answer what waits, and commit at once from now on."""
        self.late.discard(owner)
        while self.waiting_count(owner):
            self.answer(owner, outcome)


@define(eq=False)
class Handler:
    """Remembers the events of its turns, which last ``takes`` seconds."""

    takes: float = 0
    texts: list[list[str]] = field(factory=list[list[str]])

    async def __call__(self, turn: Turn) -> Ran:
        self.texts.append([event.text for event in turn.events])
        await trio.sleep(self.takes)
        return Ran(f"turn {len(self.texts)}")


@define(eq=False)
class Asked:
    """A call in a task of its own."""

    answer: Any = None
    _done: trio.Event = field(factory=trio.Event)

    async def run(self, call: Callable[[], Awaitable[object]]) -> None:
        self.answer = await call()
        self._done.set()

    async def wait(self) -> Any:
        with trio.fail_after(RESCUE_S / 2):
            await self._done.wait()
        return self.answer


@define(eq=False)
class Stage:
    """A host with two agents."""

    host: Host
    journal: HostJournal
    nursery: trio.Nursery
    ops: Handler
    dev: Handler

    def notify(self, text: str, key: str = OPS, coalesce_ms: int = 0) -> Asked:
        return self._ask(
            lambda: self.host.notify(key, text, source="hook", intent="immediate", coalesce_ms=coalesce_ms)
        )

    def wake(self, key: str = OPS) -> Asked:
        return self._ask(lambda: self.host.wake_and_wait(key, source="manual", intent="manual", coalesce_ms=0))

    async def queue(self, text: str) -> Receipt:
        return await self.host.notify(OPS, text, source="hook", intent=None)

    def _ask(self, call: Callable[[], Awaitable[object]]) -> Asked:
        asked = Asked()
        self.nursery.start_soon(asked.run, call)
        return asked


@asynccontextmanager
async def staged(takes: float = 0, turns_max: int = 8) -> AsyncGenerator[Stage]:
    journal = HostJournal()
    ops, dev = Handler(takes), Handler()
    config = HostConfig(drain_grace=GRACE_S, turns_max=turns_max)
    async with trio.open_nursery() as outer:
        outer.start_soon(_rescue, journal)
        async with open_host(config, journal=cast("Journal", journal)) as host:
            host.add_agent(AgentSpec("ops", ops, cooldown=NO_GUARDS))
            host.add_agent(AgentSpec("dev", dev, cooldown=NO_GUARDS))
            yield Stage(host, journal, outer, ops, dev)
            begun = trio.current_time()
        assert trio.current_time() - begun <= CLOSE_S
        await wait_all_tasks_blocked()  # who waits for an answer gets one from the host that closes
        outer.cancel_scope.cancel()


async def _rescue(journal: HostJournal) -> None:
    await trio.sleep(RESCUE_S)
    journal.late.clear()
    journal.answer_all()


async def assert_dev_is_untouched(stage: Stage) -> None:
    before = len(stage.dev.texts)
    with trio.fail_after(2):
        assert await stage.notify("for dev", DEV).wait() == ACCEPTED
        assert isinstance(await stage.wake(DEV).wait(), Ran)
    assert "for dev" in [text for texts in stage.dev.texts[before:] for text in texts]
