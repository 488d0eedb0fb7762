from __future__ import annotations

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe, dead
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.receipt import Refusal
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem, AskRefusedError, DeadReason, open_system


async def test_leaving_the_block_finishes_what_was_accepted(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_system() as system:
        ref = system.spawn("a", journal.probe)
        ref.tell(1)
        ref.tell(lambda _: trio.sleep(5))
        ref.tell(2)
    assert journal.messages == [1, 2]
    assert journal.stopped == ["a"]
    assert trio.current_time() == 5
    assert ref.tell(3).refusal is Refusal.STOPPED
    assert ref.signal(3).refusal is Refusal.STOPPED


async def test_phase_1_refuses_what_comes_from_outside_only(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    b = system.spawn("b", journal.probe)

    async def turn(me: Probe) -> None:
        await trio.sleep(1)
        assert b.tell("by ref")
        me.context.tell("b", "by context")
        me.context.tell("lazy:x", "to a new one")

    system.define("lazy", journal.probe)
    a = system.spawn("a", journal.probe)
    a.tell(turn)
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(system.drain)
        await trio.testing.wait_all_tasks_blocked()
        for ref in (a, b):
            receipt = ref.tell("from outside")
            assert receipt.refusal is Refusal.DRAINING
            assert "draining" in receipt.detail
        with pytest.raises(AskRefusedError, match="draining"):
            await a.ask(lambda _reply: "from outside")
        with pytest.raises(InvalidInputError, match="spawn of 'c': wakeward is draining, takes no new actors"):
            system.spawn("c", journal.probe)
        assert a.signal("a child's exit")
    assert sorted(journal.messages) == ["a child's exit", "by context", "by ref", "to a new one"]


async def test_phase_2_freezes_timers(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: [me.context.set_timer(key, at, "tick") for key, at in [("late", 2_000), ("early", 1_000)]])
    ref.tell(lambda _: trio.sleep(5))
    await trio.testing.wait_all_tasks_blocked()
    report = await system.drain()
    assert journal.messages == []
    assert report.timers_frozen == (("a", "early", 1_000), ("a", "late", 2_000))
    assert report.in_time
    assert report.elapsed_ms == 5_000


async def test_phase_3_waits_for_messages_behind_a_backoff(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, restart=RestartSpec(backoff_first_ms=700, jitter=0.0))
    ref.tell(ValueError("boom"))
    ref.tell("behind the backoff")
    report = await system.drain()
    assert journal.messages == ["behind the backoff"]
    assert (report.in_time, report.elapsed_ms) == (True, 700)


async def test_phase_4_cancels_and_reports(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda _: trio.sleep_forever())
    ref.tell("synchronous")
    ref.tell(lambda _: trio.sleep_forever())
    report = await system.drain(grace_ms=3_000)
    assert trio.current_time() == 3
    assert not report.in_time
    assert report.handlings_cancelled == ("a",)
    assert report.handlings_stuck == ()
    assert [letter.to for letter in report.undelivered] == ["a"]
    assert [reason for *_, reason in dead(system)] == [DeadReason.DRAINED]
    assert journal.messages == ["synchronous"]


async def test_phase_4_awaits_the_hook_and_handles_its_signals(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def end_children() -> None:
        await trio.sleep(2)
        system.signal("a", "exit")

    async with open_system(on_cancel=end_children) as system:
        system.spawn("b", journal.probe)
        ref = system.spawn("a", journal.probe)
        ref.tell(lambda _: trio.sleep_forever())
        await trio.testing.wait_all_tasks_blocked()
        report = await system.drain(grace_ms=1_000)
    assert journal.messages == ["exit"]
    assert report.elapsed_ms == 3_000


async def test_a_failing_hook_does_not_stop_the_end(journal: Journal) -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("boom")

    async with open_system(on_cancel=fail) as system:
        system.spawn("a", journal.probe)
        await system.wait_idle()
    assert journal.stopped == ["a"]


async def test_actors_that_tell_each_other_for_ever_are_cut_off(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def again(me: Probe) -> None:
        await trio.sleep(0.25)
        me.context.tell(me.context.address, again)

    system.spawn("a", journal.probe).tell(again)
    report = await system.drain(grace_ms=1_100)
    assert (report.in_time, report.elapsed_ms) == (False, 1_100)


async def test_drain_is_idempotent(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    system.spawn("a", journal.probe).tell(lambda _: trio.sleep(3))
    reports: list[object] = []

    async def drain() -> None:
        reports.append(await system.drain())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain)
        nursery.start_soon(drain)
    reports.append(await system.drain())
    assert reports[0] is reports[1] is reports[2]
    assert journal.stopped == ["a"]


async def test_a_second_call_with_a_shorter_grace_shortens_it(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    system.spawn("a", journal.probe).tell(lambda _: trio.sleep_forever())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: system.drain(grace_ms=60_000))
        await trio.sleep(2)
        nursery.start_soon(lambda: system.drain(grace_ms=100_000))
        report = await system.drain(grace_ms=0)
    assert report.elapsed_ms == 2_000


async def test_a_drain_goes_on_without_its_caller(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    system.spawn("a", journal.probe).tell(lambda _: trio.sleep(5))
    with trio.move_on_after(1):
        await system.drain()
    assert not system.tell("a", "late")
    report = await system.drain()
    assert (report.in_time, report.elapsed_ms) == (True, 5_000)


async def test_a_handling_that_ignores_its_cancellation_is_named(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def deaf(_: Probe) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)

    system.spawn("a", journal.probe).tell(deaf)
    system.spawn("b", journal.probe)
    report = await system.drain(grace_ms=1_000)
    assert report.handlings_stuck == ("a",)
    assert trio.current_time() == 2
    assert journal.stopped == ["b"]


async def test_an_exception_leaves_the_block_unwrapped_and_drains_without_a_grace(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def fail() -> None:
        async with open_system() as system:
            ref = system.spawn("a", journal.probe)
            ref.tell(1)
            ref.tell(lambda _: trio.sleep_forever())
            raise KeyError("body")

    with pytest.raises(KeyError, match="body"):
        await fail()
    assert journal.messages == [1]
    assert trio.current_time() == 0


async def test_an_exception_and_an_outer_cancel_together(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def fail() -> None:
        async with open_system() as system:
            system.spawn("a", journal.probe).tell(lambda _: trio.sleep_forever())
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("cleanup")

    with pytest.raises(KeyError, match="cleanup"), trio.move_on_after(1):
        await fail()
