from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe, dead
from wakeward.protocols.actor import Context
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem, DeadReason, open_system

AT_ONCE = RestartSpec(backoff_first_ms=0)


async def test_an_asynchronous_receive_runs_one_message_at_a_time(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    log: list[tuple[str, int, float]] = []

    class Worker:
        def __init__(self, _context: Context) -> None: ...

        async def receive(self, message: int) -> None:
            log.append(("begin", message, trio.current_time()))
            await trio.sleep(message)
            log.append(("end", message, trio.current_time()))

    ref = system.spawn("worker", Worker)
    for seconds in (3, 1, 2):
        ref.tell(seconds)
    await system.wait_idle()
    assert log == [("begin", 3, 0), ("end", 3, 3), ("begin", 1, 3), ("end", 1, 4), ("begin", 2, 4), ("end", 2, 6)]
    assert system.actor_statistics("worker").handled == 3


async def test_asynchronous_messages_of_different_actors_run_side_by_side(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    for name in "abc":
        system.spawn(name, journal.probe).tell(lambda _: trio.sleep(5))
    await system.wait_idle()
    assert trio.current_time() == 5


async def test_the_task_of_a_handling_is_named_after_its_actor(system: ActorSystem, journal: Journal) -> None:
    names: list[str] = []

    async def turn(_: Probe) -> None:
        names.append(trio.lowlevel.current_task().name)

    system.define("probe", journal.probe)("a").tell(turn)
    await system.wait_idle()
    assert names == ["probe:a"]


async def test_an_asynchronous_message_may_tell_as_its_actor(system: ActorSystem, journal: Journal) -> None:
    nobody = system.ref("nobody")

    async def turn(me: Probe) -> None:
        me.context.tell("nobody", "by context")
        await trio.lowlevel.checkpoint()
        nobody.tell("by ref")

    system.spawn("a", journal.probe).tell(turn)
    await system.wait_idle()
    assert [letter.sender for letter in system.dead_letters()] == ["a", "a"]


async def test_a_crash_in_cleanup_during_an_interrupt_is_a_crash(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def turn(_: Probe) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    ref = system.spawn("a", journal.probe, restart=AT_ONCE)
    ref.tell(turn)
    await trio.sleep(1)
    ref.interrupt()
    await system.wait_idle()
    assert system.statistics().crashes == 1
    assert journal.born == ["a", "a"]


async def test_a_handling_that_finishes_in_spite_of_an_interrupt_was_not_interrupted(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def turn(_: Probe) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)

    ref = system.spawn("a", journal.probe)
    ref.tell(turn)
    await trio.sleep(1)
    ref.interrupt()
    await system.wait_idle()
    assert system.statistics().interrupted == 0
    assert system.actor_statistics("a").handled == 1


async def test_a_cancel_from_further_out_is_no_crash_and_passes_on(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ended: list[float] = []

    async def turn(_: Probe) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    kept: list[ActorSystem] = []
    with trio.move_on_after(2) as outer:
        async with open_system() as system:
            kept.append(system)
            ref = system.spawn("a", journal.probe)
            ref.tell(turn)
            ref.tell(turn)
            ref.tell("synchronous")
            await trio.sleep_forever()
    assert outer.cancelled_caught
    assert ended == [2]
    assert kept[0].statistics().crashes == 0
    assert kept[0].statistics().interrupted == 1
    assert dead(kept[0]) == [("a", turn, DeadReason.DRAINED)]
    assert journal.messages == ["synchronous"]


async def test_a_crash_beside_a_cancel_from_further_out_is_recorded(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def failing() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async def turn(_: Probe) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing)
            nursery.start_soon(trio.sleep_forever)

    kept: list[ActorSystem] = []
    with trio.move_on_after(2) as outer:
        async with open_system() as system:
            kept.append(system)
            system.spawn("a", journal.probe).tell(turn)
            await trio.sleep_forever()
    assert outer.cancelled_caught
    assert kept[0].statistics().crashes == 1


async def test_signals_wait_for_the_handling_and_overtake_the_rest(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda _: trio.sleep(2))
    ref.tell("user")
    await trio.sleep(1)
    ref.signal("exit")
    assert journal.messages == []
    await system.wait_idle()
    assert (journal.messages, journal.instants_ms) == (["exit", "user"], [2_000, 2_000])


async def test_a_behaviour_may_handle_some_messages_at_once_and_others_asynchronously(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    log: list[Any] = []

    class Mixed:
        def __init__(self, _context: Context) -> None: ...

        def receive(self, message: int | str) -> object:
            if isinstance(message, int):
                return trio.sleep(message)
            log.append((message, trio.current_time()))
            return None

    ref = system.spawn("mixed", Mixed)
    for message in ("a", 2, "b"):
        ref.tell(message)
    await system.wait_idle()
    assert log == [("a", 0), ("b", 2)]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_keyboard_interrupt_is_not_the_actors(journal: Journal, asynchronous: bool) -> None:
    async def turn(_: Probe) -> None:
        await trio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    async def run() -> None:
        async with open_system() as system:
            system.spawn("a", journal.probe).tell(turn if asynchronous else KeyboardInterrupt())
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await run()
    assert caught.group_contains(KeyboardInterrupt)
