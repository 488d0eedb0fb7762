"""A host on a journal that answers late or fails."""

from __future__ import annotations

import pytest
import trio
from support.host_stage import (
    OPS,
    HostJournal,
    assert_dev_is_untouched,
    staged,
)
from support.journal import FENCED, UNAVAILABLE
from trio.testing import MockClock, wait_all_tasks_blocked
from wakeward import Failed, Ran
from wakeward.protocols.journal.port import CommitOutcome
from wakeward.protocols.receipt import ACCEPTED, Refusal

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


async def test_a_host_closes_while_the_end_of_a_turn_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")
        await trio.sleep(60)


async def test_a_host_closes_while_the_end_of_an_interrupted_turn_is_never_committed(autojump_clock: MockClock) -> None:
    async with staged(takes=500) as stage:
        stage.wake()
        await trio.sleep(1)
        stage.journal.late.add("ops")


@pytest.mark.parametrize("outcome", [UNAVAILABLE, FENCED])
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
