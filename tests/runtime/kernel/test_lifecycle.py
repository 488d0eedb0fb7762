from __future__ import annotations

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe, dead
from wakeward.protocols.actor import Cause, Context, Terminated
from wakeward.protocols.receipt import Refusal
from wakeward.runtime.kernel import ActorSystem, DeadReason
from wakeward.runtime.kernel.kernel import ENDED_MAX


async def test_stop_refuses_new_messages_and_finishes_the_accepted(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(1)
    ref.tell(lambda me: me.context.tell("a", "too late"))
    assert ref.stop()
    assert not ref.stop()
    receipt = ref.tell(3)
    assert receipt.refusal is Refusal.STOPPED
    assert await system.wait_stopped("a") == Terminated("a", Cause.STOPPED)
    assert journal.messages == [1]
    assert journal.stopped == ["a"]
    assert [(message, reason) for _, message, reason in dead(system)] == [
        (3, DeadReason.STOPPED),
        ("too late", DeadReason.STOPPED),
    ]


async def test_stop_finishes_an_asynchronous_message(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda _: trio.sleep(3))
    ref.tell("last")
    await trio.sleep(1)
    ref.stop()
    await system.wait_stopped("a")
    assert (trio.current_time(), journal.messages) == (3, ["last"])


async def test_an_actor_stops_itself(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: me.context.stop())
    ref.tell("accepted")
    await system.wait_stopped("a")
    assert journal.messages == ["accepted"]


async def test_a_dormant_actor_stops_without_being_made(system: ActorSystem, journal: Journal) -> None:
    system.define("probe", journal.probe)("a").stop()
    await system.wait_stopped("probe:a")
    assert journal.born == journal.stopped == []


async def test_interrupt_cancels_the_handling_and_nothing_else(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    cleaned_up: list[float] = []

    async def turn(_: Probe) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned_up.append(trio.current_time())

    ref = system.spawn("a", journal.probe)
    assert not ref.interrupt()
    ref.tell(turn)
    ref.tell("next")
    await trio.sleep(2)
    assert ref.interrupt()
    await system.wait_idle()
    assert (cleaned_up, journal.messages) == ([2], ["next"])
    assert system.statistics().interrupted == 1
    assert system.statistics().crashes == 0
    assert journal.born == ["a"]


async def test_kill_ends_at_once_and_accounts_for_what_waited(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(1)
    ref.signal(2)
    assert ref.kill()
    assert not ref.kill()
    assert ref.tell(3).refusal is Refusal.STOPPED
    await system.wait_idle()
    assert journal.messages == journal.stopped == []
    assert dead(system) == [("a", 2, DeadReason.KILLED), ("a", 1, DeadReason.KILLED), ("a", 3, DeadReason.STOPPED)]


async def test_kill_waits_for_the_cleanup_of_the_handling(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def turn(_: Probe) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    ref = system.spawn("a", journal.probe)
    ref.tell(turn)
    await trio.sleep(2)
    ref.kill()
    assert ref.tell("late").refusal is Refusal.STOPPED
    assert (await system.wait_stopped("a")).cause is Cause.KILLED
    assert trio.current_time() == 3
    assert journal.messages == []


async def test_an_actor_kills_itself_in_mid_batch(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(1)
    ref.tell(lambda _: ref.kill())
    ref.tell(2)
    await system.wait_stopped("a")
    assert journal.messages == [1]
    assert dead(system) == [("a", 2, DeadReason.KILLED)]


async def test_a_crash_after_its_own_end_restarts_nothing(system: ActorSystem, journal: Journal) -> None:
    def kill_and_raise(_: Probe) -> None:
        ref.kill()
        raise ValueError

    ref = system.spawn("a", journal.probe)
    ref.tell(kill_and_raise)
    assert (await system.wait_stopped("a")).cause is Cause.KILLED
    await system.wait_idle()
    assert journal.born == ["a"]


async def test_what_has_ended_stays_ended_until_it_is_revived(system: ActorSystem, journal: Journal) -> None:
    ref = system.define("probe", journal.probe)("a")
    assert not system.revive("probe:a")
    ref.tell(1)
    ref.stop()
    await system.wait_stopped("probe:a")
    assert system.ref("probe:a").tell(2).refusal is Refusal.STOPPED
    assert system.revive("probe:a")
    assert ref.tell(3)
    await system.wait_idle()
    assert journal.messages == [1, 3]


async def test_so_many_ended_actors_are_remembered(system: ActorSystem, journal: Journal) -> None:
    probe = system.define("probe", journal.probe)
    for number in range(ENDED_MAX + 1):
        probe(str(number)).kill()
    assert sum(system.statistics().actors.values()) == ENDED_MAX
    assert probe("0").tell("as if it had never been")
    assert not probe("1").tell("still known")


async def test_passivation_after_a_time_without_work(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, passivate_after_ms=1_000)
    ref.tell(1)
    await trio.sleep(0.9)
    ref.tell(2)
    await trio.sleep(0.999)
    assert system.actor_statistics("a").state == "idle"
    await trio.sleep(0.001)
    await trio.testing.wait_all_tasks_blocked()
    assert system.actor_statistics("a").state == "dormant"
    assert journal.stopped == ["a"]
    ref.tell(3)
    await system.wait_idle()
    assert journal.messages == [1, 2, 3]
    assert journal.born == ["a", "a"]
    assert system.statistics().restarts == 0


async def test_passivation_waits_for_timers_watches_and_work(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: me.context.set_timer("key", 1_000, "tick"))
    assert not system.passivate("a")
    await system.wait_idle()
    assert not system.passivate("a")
    await trio.sleep(1.5)
    system.spawn("b", journal.probe)
    ref.tell(lambda me: me.context.watch("b"))
    await system.wait_idle()
    assert not system.passivate("a")
    ref.tell(lambda me: me.context.unwatch("b"))
    ref.tell(lambda _: trio.sleep(1))
    await trio.testing.wait_all_tasks_blocked()
    assert not system.passivate("a")
    await system.wait_idle()
    assert system.passivate("a")
    assert not system.passivate("a")
    assert not system.passivate("nobody")


async def test_no_message_is_lost_at_passivation(system: ActorSystem, journal: Journal) -> None:
    class Farewell(Probe):
        def on_stop(self) -> None:
            self.context.tell("a", "to my next life")

    ref = system.spawn("a", lambda context: Farewell(context, journal))
    await system.wait_idle()
    assert not system.passivate("a")
    await system.wait_idle()
    assert journal.messages == ["to my next life"]
    assert ref.tell(1)


async def test_a_failing_on_stop_changes_nothing(system: ActorSystem, journal: Journal) -> None:
    class Failing(Probe):
        def on_stop(self) -> None:
            raise ValueError("boom")

    system.spawn("a", lambda context: Failing(context, journal)).stop()
    assert (await system.wait_stopped("a")).cause is Cause.STOPPED


async def test_a_factory_may_stop_or_kill_its_actor(system: ActorSystem, journal: Journal) -> None:
    def killing(context: Context) -> Probe:
        system.ref(context.address).kill()
        return Probe(context, journal)

    journal.at_birth = lambda context: context.stop()
    system.spawn("a", journal.probe)
    system.spawn("b", killing)
    assert (await system.wait_stopped("a")).cause is Cause.STOPPED
    assert (await system.wait_stopped("b")).cause is Cause.KILLED


async def test_many_may_wait_for_one_end(system: ActorSystem, journal: Journal) -> None:
    ended: list[Terminated] = []

    async def wait() -> None:
        ended.append(await system.wait_stopped("a"))

    ref = system.spawn("a", journal.probe)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        ref.stop()
    assert ended == [Terminated("a", Cause.STOPPED)] * 3


@pytest.mark.parametrize("address", ["nobody", "probe:x"])
async def test_waiting_for_the_end_of_what_never_was(system: ActorSystem, address: str) -> None:
    assert await system.wait_stopped(address) == Terminated(address, Cause.UNKNOWN)
