"""Effects after the commit, over a journal that answers when the test says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, field
from support.journal import COMMITTED, FENCED, UNAVAILABLE, ScriptedJournal, list_store
from support.probe import dead
from trio.testing import MockClock
from wakeward.protocols.actor import HOST_OPS, Cause, Context
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.journal.memory import MemoryJournal
from wakeward.runtime.journal.store import Store
from wakeward.runtime.kernel import ActorSystem, DeadReason, open_system

OUT = HOST_OPS
SEEN = HOST_OPS + 1
QUICK = RestartSpec(backoff_first_ms=10, jitter=0.0)


@define(eq=False)
class Saver:
    """Saves each number it gets and shows it to the outside; a string is shown only; a callable is called."""

    context: Context
    stage: Stage
    owner: str
    state: list[object] = field(factory=list[object])

    def receive(self, message: object) -> object:
        if callable(message):
            return message(self)
        self.state.append(message)
        if not isinstance(message, str):
            self.context.save(self.owner, message)
        self.context.emit(OUT, message)
        return None


Message = Callable[[Saver], object] | int | str


@define(eq=False)
class Stage:
    """A system over a scripted journal, and what the outside has seen of its actors."""

    system: ActorSystem
    journal: ScriptedJournal
    image: Callable[[str], list[object]]
    shown: list[tuple[str, Any]] = field(factory=list[tuple[str, Any]])
    lives: dict[str, list[Saver]] = field(factory=dict[str, list[Saver]])

    def make(self, context: Context) -> Saver:
        """``kind:owner``; a life begins from what is committed."""
        owner = context.address.partition(":")[2]
        saver = Saver(context, self, owner, list(self.image(owner)))
        self.lives.setdefault(context.address, []).append(saver)
        return saver

    def tell(self, address: str, *messages: Message) -> None:
        for message in messages:
            assert self.system.tell(address, message)

    def shown_by(self, address: str) -> list[object]:
        return [what for at, what in self.shown if at == address]

    def state(self, address: str) -> list[object]:
        return self.lives[address][-1].state


@asynccontextmanager
async def staged(journal: ScriptedJournal | None = None) -> AsyncGenerator[Stage]:
    journal = journal or ScriptedJournal()
    store = list_store(journal)
    async with open_system(journal=store, seed=1) as system:
        stage = Stage(system, journal, store.image)
        system.perform_with({OUT: lambda address, what, _b, _c: stage.shown.append((address, what))})
        for kind in ("agent", "jobs"):
            system.define(kind, stage.make, restart=QUICK)
        try:
            yield stage
        finally:
            journal.at_once = journal.at_once or COMMITTED
            journal.answer_all()


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


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


def crash(me: Saver) -> None:
    me.context.save(me.owner, "never")
    me.context.emit(OUT, "never")
    raise ValueError("boom")


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
