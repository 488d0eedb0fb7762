"""Commits that fail and crashes with commits in flight: what is taken back, and how an actor begins again."""

from __future__ import annotations

from typing import Any

import trio
from support.commit_stage import OUT, Saver, crash, settle, staged
from support.journal import COMMITTED, FENCED, UNAVAILABLE, ScriptedJournal
from support.probe import dead
from trio.testing import MockClock
from wakeward.protocols.actor import Cause
from wakeward.runtime.kernel import DeadReason


async def test_a_failed_commit_takes_back_what_came_after_it(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1, 2, "x", 3)
        stage.tell("agent:dev", 9)
        await settle()
        stage.journal.answer("ops", COMMITTED)
        stage.journal.answer("ops", UNAVAILABLE)
        stage.journal.answer("dev")
        await settle()
        assert sorted(stage.shown) == [("agent:dev", 9), ("agent:ops", 1)]
        assert dead(stage.system) == [("agent:ops", what, DeadReason.UNAVAILABLE) for what in (2, "x", 3)]
        stage.journal.answer("ops", UNAVAILABLE)
        stage.tell("agent:ops", 4)
        await trio.sleep(0.9)
        assert len(stage.lives["agent:ops"]) == 1
        await trio.sleep(0.2)
        assert (len(stage.lives["agent:ops"]), stage.state("agent:ops")) == (2, [1, 4])
        assert stage.state("agent:dev") == [9]
        stage.journal.answer("ops")
        await settle()
        assert stage.journal.durable["ops"] == [1, 4]
        assert stage.shown_by("agent:ops") == [1, 4]


async def test_facts_are_handled_again_and_timers_are_forgotten(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", lambda me: me.context.set_timer("key", 5, 50))
        await settle()
        for fact in (1, 2):
            stage.system.signal("agent:ops", fact)
        await trio.sleep(0.05)
        stage.tell("agent:ops", "request")
        await settle()
        assert stage.state("agent:ops") == [1, 2, 50, "request"]
        for _ in range(3):
            stage.journal.answer("ops", UNAVAILABLE)
        await settle()
        stage.system.signal("agent:ops", 3)
        await trio.sleep(1.1)
        assert stage.state("agent:ops") == [1, 2, 3]
        stage.journal.answer_all()
        await settle()
        assert stage.shown_by("agent:ops") == [1, 2, 3]
        assert dead(stage.system) == [("agent:ops", "request", DeadReason.UNAVAILABLE)]


async def test_an_answer_of_unavailable_at_once_is_tried_again_after_a_second(autojump_clock: MockClock) -> None:
    async with staged(ScriptedJournal(at_once=UNAVAILABLE)) as stage:
        stage.system.signal("agent:ops", 1)
        stage.tell("agent:ops", 2)
        await trio.sleep(3.5)
        assert stage.shown == []
        assert len(stage.journal.batches) == 4  # at 0, 1, 2 and 3 s
        stage.journal.at_once = COMMITTED
        await stage.system.wait_idle()
        assert (stage.shown_by("agent:ops"), dead(stage.system)) == ([1, 2], [])
        assert stage.system.statistics().crashes == 0


async def test_a_message_that_asks_for_nothing_is_taken_back_too(autojump_clock: MockClock) -> None:
    def silent(me: Saver) -> None:
        me.state.append("changed in memory only")

    async with staged() as stage:
        stage.tell("agent:ops", 1)
        await settle()
        stage.tell("agent:ops", silent)
        await settle()
        stage.tell("agent:ops", silent, silent)
        await settle()
        stage.journal.answer("ops", UNAVAILABLE)
        await settle()
        assert [what for _, what, _ in dead(stage.system)] == [1, silent, silent, silent]


async def test_only_the_actors_concerned_begin_again(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("jobs:ops", "idle")
        stage.tell("agent:ops", 1)
        await settle()
        stage.journal.answer("ops", UNAVAILABLE)
        await settle()
        stage.tell("jobs:ops", 2)  # for the same owner, before it has begun again
        await trio.sleep(2)
        assert [len(stage.lives[address]) for address in ("agent:ops", "jobs:ops")] == [2, 2]
        assert dead(stage.system) == [
            (f"{kind}:ops", what, DeadReason.UNAVAILABLE) for kind, what in [("agent", 1), ("jobs", 2)]
        ]
        assert len(stage.journal.batches) == 1


async def test_the_new_life_waits_until_all_that_was_taken_back_is_answered(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1, 2)
        await settle()
        stage.journal.answer("ops", UNAVAILABLE)
        await trio.sleep(5)
        assert len(stage.lives["agent:ops"]) == 1
        stage.journal.answer("ops", COMMITTED)  # which the journal cannot do any more
        await trio.sleep(0.1)
        assert len(stage.lives["agent:ops"]) == 2


async def test_a_fenced_actor_is_stopped(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1)
        stage.system.signal("agent:ops", 2)
        await settle()
        stage.tell("agent:ops", "waits")
        stage.journal.answer("ops", FENCED)
        await settle()
        assert (await stage.system.wait_stopped("agent:ops")).cause is Cause.KILLED
        assert {(what, reason) for _, what, reason in dead(stage.system)} == {
            (2, DeadReason.FENCED),
            (1, DeadReason.FENCED),
            ("waits", DeadReason.FENCED),
        }
        stage.journal.answer_all()
        await stage.system.wait_idle()
        assert (stage.shown, stage.image("ops")) == ([], [])


async def test_a_crash_begins_from_the_last_commit(autojump_clock: MockClock) -> None:
    async with staged(ScriptedJournal(at_once=COMMITTED)) as stage:
        stage.tell("agent:ops", 1, crash, 2)
        await trio.sleep(0.1)
        assert (stage.state("agent:ops"), stage.image("ops"), stage.shown_by("agent:ops")) == ([1, 2], [1, 2], [1, 2])


async def test_a_crash_with_commits_in_flight_waits_for_them(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1, crash, 2)
        await trio.sleep(5)
        assert len(stage.lives["agent:ops"]) == 1
        stage.journal.answer("ops")
        await settle()
        assert stage.state("agent:ops") == [1, 2]
        stage.journal.answer("ops")
        await settle()
        assert stage.shown_by("agent:ops") == [1, 2]


async def test_a_crash_with_commits_that_fail_begins_again_once(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.system.signal("agent:ops", 1)
        await settle()
        stage.tell("agent:ops", crash)
        await trio.sleep(5)
        stage.journal.answer("ops", UNAVAILABLE)
        await trio.sleep(2)
        assert (len(stage.lives["agent:ops"]), stage.state("agent:ops")) == (2, [1])


async def test_a_stopping_actor_whose_commit_fails_handles_its_facts_again(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.system.signal("agent:ops", 1)
        stage.tell("agent:ops", lambda me: me.context.stop())
        await settle()
        stage.journal.answer("ops", UNAVAILABLE)
        await trio.sleep(1.1)
        stage.journal.answer("ops", COMMITTED)
        await settle()
        assert stage.shown_by("agent:ops") == [1]
        assert stage.lives["agent:ops"][-1].state == [1]


async def test_an_asynchronous_message_whose_commit_fails_is_cancelled(autojump_clock: MockClock) -> None:
    ended: list[float] = []

    async def linger(me: Saver) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    def message(me: Saver) -> Any:
        me.context.save("ops", 1)
        return linger(me)

    async with staged() as stage:
        stage.tell("agent:ops", message, 2)
        await trio.sleep(3)
        stage.journal.answer("ops", UNAVAILABLE)
        await trio.sleep(1.5)
        assert ended == [3.0]
        assert stage.state("agent:ops") == [2]


async def test_an_asynchronous_message_at_a_journal_without_room_does_not_begin(autojump_clock: MockClock) -> None:
    begun: list[int] = []

    async def never(me: Saver) -> None:
        begun.append(1)

    def message(me: Saver) -> Any:
        me.context.save("ops", 1)
        return never(me)

    async with staged(ScriptedJournal(at_once=UNAVAILABLE)) as stage:
        stage.tell("agent:ops", message)
        await trio.sleep(0.5)
        assert (begun, [reason for *_, reason in dead(stage.system)]) == ([], [DeadReason.UNAVAILABLE])


async def test_nothing_is_committed_beside_a_line_that_recovers(autojump_clock: MockClock) -> None:
    """The message that comes next may find the failure before the task that waits for it."""

    def fail_and_save(me: Saver) -> None:
        me.stage.journal.answer("ops", UNAVAILABLE)
        me.context.save(me.owner, 2)
        me.context.emit(OUT, 2)

    async with staged() as stage:
        stage.tell("agent:ops", 1)
        await settle()
        stage.tell("agent:ops", fail_and_save, 3)
        await settle()
        stage.tell("jobs:ops", 7)  # while the recovery of the owner waits
        await trio.sleep(1.5)
        stage.journal.at_once = COMMITTED
        stage.journal.answer_all()
        await trio.sleep(1.5)
        assert stage.shown == [("agent:ops", 3)]
        assert stage.journal.durable["ops"] == [3]
        assert dead(stage.system)[-1] == ("jobs:ops", 7, DeadReason.UNAVAILABLE)
