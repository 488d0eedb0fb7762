"""A host on a journal that answers late, fails, or has given an agent to another host."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import pytest
import trio
from attrs import define, field
from support.journal import COMMITTED, FENCED, UNAVAILABLE, ScriptedCommit, ScriptedJournal
from trio.testing import MockClock, wait_all_tasks_blocked
from wakeward import AgentSpec, CooldownPolicy, Failed, Host, HostConfig, Outcome, Ran, Turn, open_host
from wakeward.protocols.journal.port import Batch, CommitOutcome, Journal
from wakeward.protocols.receipt import ACCEPTED, Receipt, Refusal

OPS: Final = "agent:ops:main"
DEV: Final = "agent:dev:main"
NO_GUARDS: Final = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)
GRACE_S: Final = 10
CLOSE_S: Final = GRACE_S + 20
"""The grace of the host, then 5 s for its children, 5 s for the actors, and what goes on top."""
RESCUE_S: Final = 1_000
"""After this time the journal answers everything, so that a host that hangs fails its test and does not hang it."""

FENCED_IS_FORGOTTEN: Final = pytest.mark.xfail(
    strict=True,
    reason="the host does not hear that an agent was fenced: its slot, its busy sessions and its callers stay",
)
NEVER_CLOSES: Final = pytest.mark.xfail(
    strict=True, reason="after its grace the drain waits without a limit for ends of turns that are never committed"
)


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


# Late


async def test_a_notice_is_answered_when_it_is_committed(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = stage.notify("one")
        await trio.sleep(60)
        assert asked.answer is None
        assert stage.ops.texts == []
        stage.journal.answer("ops")
        assert await asked.wait() == ACCEPTED
        stage.journal.catch_up("ops")
        await stage.host.wait_idle()
        assert stage.ops.texts == [["one"]]


async def test_an_outcome_is_answered_when_the_end_of_the_turn_is_committed(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        asked = stage.wake()
        await trio.sleep(1)
        assert stage.ops.texts == [[]]  # the turn runs
        stage.journal.late.add("ops")
        await trio.sleep(60)
        assert asked.answer is None
        stage.journal.catch_up("ops")
        assert await asked.wait() == Ran("turn 1")


async def test_a_turn_starts_when_its_start_is_committed(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = stage.wake()
        await trio.sleep(60)
        assert (stage.ops.texts, asked.answer) == ([], None)
        stage.journal.catch_up("ops")
        assert await asked.wait() == Ran("turn 1")
        assert stage.ops.texts == [[]]


async def test_other_agents_go_on_while_a_commit_is_late(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        stage.notify("one")
        await assert_dev_is_untouched(stage)
        stage.journal.catch_up("ops")


async def test_late_commits_change_no_order(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = [stage.notify("one")]
        await wait_all_tasks_blocked()
        asked += [stage.notify("two")]
        await trio.sleep(60)
        stage.journal.catch_up("ops")
        assert [await call.wait() for call in asked] == [ACCEPTED, ACCEPTED]
        await stage.host.wait_idle()
        assert [text for texts in stage.ops.texts for text in texts] == ["one", "two"]


# Unavailable


async def test_a_notice_whose_commit_fails_is_refused_and_nothing_before_it_is_lost(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        assert await stage.queue("one")
        stage.journal.late.add("ops")
        asked = stage.notify("two")
        await trio.sleep(1)
        stage.journal.catch_up("ops", UNAVAILABLE)
        receipt = await asked.wait()
        assert receipt.refusal is Refusal.UNAVAILABLE
        assert "agent:ops" in receipt.detail
        await assert_dev_is_untouched(stage)
        assert stage.host.events_retained() == {OPS: 1}
        assert await stage.notify("three").wait() == ACCEPTED
        await stage.host.wait_idle()
        assert stage.ops.texts == [["one", "three"]]


async def test_a_wake_whose_commit_fails_is_a_failure_that_may_pass(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = stage.wake()
        await trio.sleep(1)
        stage.journal.catch_up("ops", UNAVAILABLE)
        outcome = await asked.wait()
        assert isinstance(outcome, Failed)
        assert outcome.transient
        assert await stage.wake().wait() == Ran("turn 1")
        assert stage.ops.texts == [[]]


async def test_all_that_waited_behind_a_failed_commit_is_refused(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = [stage.notify(text) for text in ("one", "two", "three")]
        await trio.sleep(1)
        stage.journal.catch_up("ops", UNAVAILABLE)
        assert [(await call.wait()).refusal for call in asked] == [Refusal.UNAVAILABLE] * 3
        await stage.host.wait_idle()
        assert stage.ops.texts == []
        assert stage.host.events_retained() == {}


async def test_a_turn_whose_end_is_taken_back_is_not_run_again(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        assert await stage.queue("one")
        asked = stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        await trio.sleep(10)
        stage.journal.catch_up("ops", UNAVAILABLE)
        assert await asked.wait() == Ran("turn 1")
        await stage.host.wait_idle()
        assert stage.ops.texts == [["one"]]
        assert stage.host.events_retained() == {}


async def test_a_turn_that_runs_while_a_commit_fails_runs_once(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        asked = stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        refused = stage.notify("one")
        await trio.sleep(1)
        stage.journal.catch_up("ops", UNAVAILABLE)
        assert (await refused.wait()).refusal is Refusal.UNAVAILABLE
        assert await asked.wait() == Ran("turn 1")
        assert await stage.notify("two").wait() == ACCEPTED
        await stage.host.wait_idle()
        assert stage.ops.texts == [[], ["two"]]


async def test_a_wake_that_was_accepted_survives_a_start_that_was_taken_back(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = stage.notify("one", coalesce_ms=500)
        await wait_all_tasks_blocked()
        stage.journal.answer("ops")
        assert await asked.wait() == ACCEPTED
        await trio.sleep(1)
        assert stage.ops.texts == []
        stage.journal.catch_up("ops", UNAVAILABLE)
        await stage.host.wait_idle()
        assert stage.ops.texts == [["one"]]


async def test_a_journal_that_fails_again_and_again_is_asked_once_a_second(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        asked = stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        before = len(stage.journal.batches)
        for _ in range(100):
            await trio.sleep(1)
            while stage.journal.waiting_count("ops"):
                stage.journal.answer("ops", UNAVAILABLE)
        assert 30 <= len(stage.journal.batches) - before <= 100
        stage.journal.catch_up("ops")
        assert await asked.wait() == Ran("turn 1")


# Fenced


async def fence(stage: Stage) -> Asked:
    """Another host takes ``ops``; this one finds out with the next notice."""
    stage.journal.late.add("ops")
    asked = stage.notify("too late")
    await trio.sleep(0.1)
    stage.journal.catch_up("ops", FENCED)
    return asked


async def test_an_agent_that_is_fenced_is_refused_and_takes_no_more_turns(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        assert await stage.queue("one")
        assert (await (await fence(stage)).wait()).refusal is Refusal.UNAVAILABLE
        assert (await stage.notify("again").wait()).refusal in (Refusal.UNAVAILABLE, Refusal.STOPPED)
        assert isinstance(await stage.wake().wait(), Failed)
        await trio.sleep(600)
        assert stage.ops.texts == []
        await assert_dev_is_untouched(stage)


@FENCED_IS_FORGOTTEN
async def test_a_turn_of_a_fenced_agent_gives_its_slot_back(autojump_clock: MockClock) -> None:
    async with staged(takes=5, turns_max=1) as stage:
        stage.notify("one")
        await trio.sleep(1)
        assert stage.ops.texts == [["one"]]
        await fence(stage)
        await trio.sleep(60)
        await assert_dev_is_untouched(stage)


@FENCED_IS_FORGOTTEN
async def test_who_waits_for_a_turn_of_a_fenced_agent_is_told(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        asked = stage.wake()
        await trio.sleep(1)
        await fence(stage)
        assert isinstance(await asked.wait(), Outcome)


@FENCED_IS_FORGOTTEN
async def test_nobody_waits_for_the_work_of_a_fenced_agent(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        stage.notify("one")
        await trio.sleep(1)
        await fence(stage)
        with trio.fail_after(60):
            await stage.host.wait_idle()


# Closing


async def test_a_host_closes_while_a_notice_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        asked = stage.notify("one")
        await trio.sleep(1)
    assert asked.answer.refusal is Refusal.DRAINING
    assert stage.ops.texts == []


async def test_a_host_closes_while_the_start_of_a_turn_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.journal.late.add("ops")
        stage.notify("one", coalesce_ms=500)
        await wait_all_tasks_blocked()
        stage.journal.answer("ops")
        await trio.sleep(1)
    assert stage.ops.texts == []


@NEVER_CLOSES
async def test_a_host_closes_while_the_end_of_a_turn_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        await trio.sleep(60)


@NEVER_CLOSES
async def test_a_host_closes_while_the_end_of_an_interrupted_turn_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged(takes=500) as stage:
        stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")


@pytest.mark.parametrize("outcome", [pytest.param(UNAVAILABLE, marks=NEVER_CLOSES), FENCED])
async def test_a_host_closes_while_commits_fail(autojump_clock: MockClock, outcome: CommitOutcome) -> None:
    async with staged(takes=5) as stage:
        stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        asked = stage.notify("one")
        await trio.sleep(1)
        stage.nursery.start_soon(_fail, stage.journal, outcome)
    assert asked.answer.refusal in (Refusal.UNAVAILABLE, Refusal.DRAINING)


async def _fail(journal: HostJournal, outcome: CommitOutcome) -> None:
    while True:
        while journal.waiting_count("ops"):
            journal.answer("ops", outcome)
        await trio.sleep(0.5)
