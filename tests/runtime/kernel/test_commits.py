"""Effects after the commit, over a journal that answers when the test says so."""

from __future__ import annotations

import pytest
import trio
from support.commit_stage import OUT, QUICK, Saver, Stage, crash, settle, staged
from support.journal import COMMITTED, UNAVAILABLE, ScriptedJournal, list_store
from trio.testing import MockClock
from wakeward.protocols.actor import Cause, Context
from wakeward.protocols.errors import InvalidInputError
from wakeward.runtime.journal.memory import MemoryJournal
from wakeward.runtime.journal.store import Store
from wakeward.runtime.kernel import open_system


async def test_with_an_answer_at_once_nothing_waits(autojump_clock: MockClock) -> None:
    async with staged(ScriptedJournal(at_once=COMMITTED)) as stage:
        stage.tell("agent:ops", 1, "x", 2)
        await stage.system.wait_idle()
        assert stage.shown_by("agent:ops") == [1, "x", 2]
        assert stage.journal.durable == {"ops": [1, 2]}
        assert stage.image("ops") == [1, 2]


async def test_over_a_journal_in_memory(autojump_clock: MockClock) -> None:
    store = Store(MemoryJournal("m-1"), list[object], list[object].append)
    async with open_system(journal=store, seed=1) as system:
        stage = Stage(system, ScriptedJournal(), store.image)
        images: list[object] = []

        def show(address: str, what: object, _b: object, _c: object) -> None:
            stage.shown.append((address, what))
            images.append(list(store.image("ops")))

        system.perform_with({OUT: show})
        system.define("agent", stage.make, restart=QUICK)
        stage.tell("agent:ops", 1, "x", crash, 2)
        await trio.sleep(1)
        assert stage.shown_by("agent:ops") == [1, "x", 2]
        assert (stage.state("agent:ops"), store.image("ops")) == ([1, 2], [1, 2])
        assert images == [[1], [1], [1, 2]]


async def test_effects_wait_for_the_commit_and_the_actor_does_not(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1, 2)
        await settle()
        assert stage.state("agent:ops") == [1, 2]
        assert (stage.shown, stage.system.statistics().commits_in_flight) == ([], 1)
        stage.journal.answer("ops")
        await settle()
        assert (stage.shown_by("agent:ops"), stage.image("ops")) == ([1], [1])
        stage.journal.answer("ops")
        await settle()
        assert (stage.shown_by("agent:ops"), stage.image("ops")) == ([1, 2], [1, 2])
        assert stage.system.statistics().commits_in_flight == 0


async def test_a_later_message_without_records_waits_too(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", "before", 1, "after")
        await settle()
        assert stage.shown_by("agent:ops") == ["before"]
        stage.journal.answer("ops")
        await settle()
        assert stage.shown_by("agent:ops") == ["before", 1, "after"]


async def test_other_owners_and_other_actors_do_not_wait(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1)
        stage.tell("agent:dev", 2)
        stage.tell("jobs:ops", "of another actor, saves nothing")
        await settle()
        stage.journal.answer("dev")
        await settle()
        assert stage.shown == [("jobs:ops", "of another actor, saves nothing"), ("agent:dev", 2)]


async def test_commits_of_one_owner_are_answered_in_order_whoever_saves(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1)
        await settle()
        stage.journal.at_once = None
        stage.tell("jobs:ops", 2)
        await settle()
        stage.tell("agent:ops", 3)
        await settle()
        stage.journal.answer_all()
        await settle()
        assert stage.shown == [("agent:ops", 1), ("jobs:ops", 2), ("agent:ops", 3)]
        assert stage.image("ops") == [1, 2, 3]


async def test_what_is_told_to_others_is_mail_of_the_batch(autojump_clock: MockClock) -> None:
    def message(me: Saver) -> None:
        me.context.save("ops", 1)
        me.context.tell("agent:dev", "for dev")
        me.context.tell("agent:ops", "for itself")
        me.context.signal("jobs:ops", "for jobs")

    async with staged() as stage:
        stage.tell("agent:ops", message)
        await settle()
        (batch,) = stage.journal.batches
        assert [(mail.to, mail.message) for mail in batch.mail] == [("agent:dev", "for dev"), ("jobs:ops", "for jobs")]
        assert stage.shown == []
        stage.journal.answer("ops")
        await settle()
        assert sorted(stage.shown, key=str) == [
            ("agent:dev", "for dev"),
            ("agent:ops", "for itself"),
            ("jobs:ops", "for jobs"),
        ]


async def test_a_factory_may_save(autojump_clock: MockClock) -> None:
    async with staged() as stage:

        def make(context: Context) -> Saver:
            context.save("ops", f"born {len(stage.lives.get(context.address, ()))}")
            context.emit(OUT, "born")
            return stage.make(context)

        stage.system.spawn("single:ops", make)
        await settle()
        assert stage.shown == []
        stage.journal.answer("ops", UNAVAILABLE)
        await trio.sleep(1.5)
        stage.journal.answer("ops")
        await settle()
        assert (stage.shown, stage.image("ops")) == ([("single:ops", "born")], ["born 1"])


async def test_a_drain_waits_for_commits_within_its_grace(autojump_clock: MockClock) -> None:
    async with staged() as stage, trio.open_nursery() as nursery:
        stage.tell("agent:ops", 1)
        await settle()
        nursery.start_soon(stage.system.drain)
        await trio.sleep(2)
        stage.journal.answer("ops")
        report = await stage.system.drain()
        assert (report.in_time, report.elapsed_ms, stage.shown) == (True, 2_000, [("agent:ops", 1)])


async def test_after_the_grace_the_mail_of_commits_without_an_answer_is_reported(autojump_clock: MockClock) -> None:
    def message(me: Saver) -> None:
        me.context.save("ops", 1)
        me.context.emit(OUT, 1)
        me.context.tell("agent:dev", "mail")

    async with staged() as stage:
        stage.tell("agent:ops", message)
        await settle()
        report = await stage.system.drain(grace_ms=500)
        assert not report.in_time
        assert [(letter.sender, letter.to, letter.message) for letter in report.undelivered] == [
            ("agent:ops", "agent:dev", "mail")
        ]
        assert stage.shown == []


async def test_a_cancelled_system_still_performs_what_is_committed(autojump_clock: MockClock) -> None:
    journal = ScriptedJournal()
    stages: list[Stage] = []

    async def answer_soon() -> None:
        await trio.sleep(0.5)
        journal.answer("ops")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_soon)
        with trio.CancelScope() as scope:
            async with open_system(journal=list_store(journal)) as system:
                stage = Stage(system, journal, lambda _: [])
                stages.append(stage)
                system.perform_with({OUT: lambda address, what, _b, _c: stage.shown.append((address, what))})
                system.define("agent", stage.make)
                stage.tell("agent:ops", 1)
                await settle()
                scope.cancel()
                await trio.sleep_forever()
    assert stages[0].shown == [("agent:ops", 1)]


@pytest.mark.parametrize(
    ("with_journal", "owners", "problem"),
    [
        (False, ["ops"], "agent:ops saves for 'ops': the system was opened without a journal"),
        (True, ["ops", "dev"], "agent:ops saves for 'dev': it has saved for 'ops'"),
    ],
)
async def test_what_cannot_be_saved_is_refused(with_journal: bool, owners: list[str], problem: str) -> None:
    problems: list[str] = []

    def message(me: Saver) -> None:
        try:
            for owner in owners:
                me.context.save(owner, 1)
        except InvalidInputError as error:
            problems.append(str(error))

    journal = ScriptedJournal(at_once=COMMITTED)
    async with open_system(journal=list_store(journal) if with_journal else None) as system:
        system.define("agent", lambda context: Saver(context, Stage(system, journal, lambda _: []), "ops"))
        system.tell("agent:ops", message)
        await system.wait_idle()
    assert problems == [problem]


async def test_a_record_is_saved_while_a_message_is_handled_only(autojump_clock: MockClock) -> None:
    async def later(me: Saver) -> None:
        await trio.lowlevel.checkpoint()
        with pytest.raises(InvalidInputError, match="only while it handles a message"):
            me.context.save("ops", 1)

    async with staged() as stage:
        stage.tell("agent:ops", later)
        await stage.system.wait_idle()
        assert stage.system.statistics().crashes == 0


async def test_an_actor_with_a_commit_in_flight_is_not_passivated_and_stops_after_it(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.tell("agent:ops", 1)
        await settle()
        assert not stage.system.passivate("agent:ops")
        stage.system.ref("agent:ops").stop()
        await settle()
        assert stage.system.actor_statistics("agent:ops").state == "idle, stopping"
        stage.journal.answer("ops")
        assert (await stage.system.wait_stopped("agent:ops")).cause is Cause.STOPPED
        assert stage.shown_by("agent:ops") == [1]
