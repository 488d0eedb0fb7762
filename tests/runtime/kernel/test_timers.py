from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.probe import Journal, Probe
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.clock import Clock
from wakeward.runtime.kernel import ActorSystem, open_system


@pytest.fixture
def clock(autojump_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    return autojump_clock


async def test_a_timer_fires_at_its_instant(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: me.context.set_timer("key", 1_234, "tick"))
    await trio.sleep(5)
    assert (journal.messages, journal.instants_ms) == (["tick"], [1_234])


async def test_every_millisecond_of_a_long_run_is_exact(clock: trio.testing.MockClock, journal: Journal) -> None:
    instants = [*range(1, 3_000, 7), *range(86_400_000, 86_400_500, 3), *range(10**9, 10**9 + 500, 11)]
    async with open_system(clock=Clock.start(epoch_ms=1_700_000_000_123)) as system:
        ref = system.spawn("a", journal.probe)

        def arm(me: Probe) -> None:
            for at_ms in instants:
                me.context.set_timer(at_ms, 1_700_000_000_123 + at_ms, "tick")

        ref.tell(arm)
        await trio.sleep(10**6 + 10)
        assert journal.instants_ms == [1_700_000_000_123 + at_ms for at_ms in instants]


async def test_one_timer_per_key(system: ActorSystem, journal: Journal, clock: trio.testing.MockClock) -> None:
    ref = system.spawn("a", journal.probe)
    for at_ms in (500, 2_000, 1_000, 3_000):
        ref.tell(lambda me, at_ms=at_ms: me.context.set_timer("key", at_ms, f"for {at_ms}"))
    await trio.sleep(5)
    assert (journal.messages, journal.instants_ms) == (["for 3000"], [3_000])


async def test_an_earlier_instant_wins_when_armed_last(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    for at_ms in (3_000, 1_000):
        ref.tell(lambda me, at_ms=at_ms: me.context.set_timer("key", at_ms, f"for {at_ms}"))
    await trio.sleep(5)
    assert (journal.messages, journal.instants_ms) == (["for 1000"], [1_000])


async def test_at_one_instant_messages_arrive_in_the_order_of_arming(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    refs = {name: system.spawn(name, journal.probe) for name in "ab"}
    for name, key in [("a", 1), ("b", 2), ("a", 3), ("a", 1)]:
        refs[name].tell(lambda me, key=key: me.context.set_timer(key, 100, key))
        await system.wait_idle()
    await trio.sleep(1)
    assert journal.entries == [("b", 2), ("a", 3), ("a", 1)]


async def test_an_instant_that_has_passed_is_now(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    await trio.sleep(1)
    ref.tell(lambda me: me.context.set_timer("key", 10, "tick"))
    await trio.testing.wait_all_tasks_blocked()
    assert (journal.messages, journal.instants_ms) == (["tick"], [1_000])


async def test_a_cancelled_timer_does_not_fire(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: [me.context.set_timer(key, 100, key) for key in "xyz"])
    ref.tell(lambda me: [me.context.cancel_timer(key) for key in ("y", "never armed")])
    await trio.sleep(1)
    assert journal.messages == ["x", "z"]
    assert system.statistics().timers == 0


@pytest.mark.parametrize("undo", ["cancel", "re-arm", "restart", "stop"])
async def test_a_message_of_a_timer_on_its_way_is_taken_back(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock, undo: str
) -> None:
    async def turn(me: Probe) -> None:
        me.context.set_timer("key", 100, "stale")
        await trio.sleep(1)  # the tick is in the mailbox now
        assert system.actor_statistics("a").waiting == 1
        match undo:
            case "cancel":
                me.context.cancel_timer("key")
            case "re-arm":
                me.context.set_timer("key", 2_000, "fresh")
            case "restart":
                raise ValueError("boom")
            case _:
                ref.kill()

    ref = system.spawn("a", journal.probe)
    ref.tell(turn)
    await trio.sleep(5)
    assert journal.messages == (["fresh"] if undo == "re-arm" else [])
    if undo != "stop":
        assert system.actor_statistics("a").waiting == 0


async def test_timers_are_lost_on_restart(system: ActorSystem, journal: Journal, clock: trio.testing.MockClock) -> None:
    journal.at_birth = lambda context: context.set_timer("birth", context.now_ms() + 1_000, "tick")
    ref = system.spawn("a", journal.probe, restart=RestartSpec(backoff_first_ms=0))
    await trio.sleep(0.5)
    ref.tell(ValueError("boom"))
    await trio.sleep(5)
    assert journal.instants_ms == [1_500]


async def test_a_context_that_outlived_its_life_arms_nothing(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    contexts: list[Probe] = []
    ref = system.spawn("a", journal.probe, restart=RestartSpec(backoff_first_ms=0))
    ref.tell(contexts.append)
    ref.tell(ValueError("boom"))
    await system.wait_idle()
    old = contexts[0].context
    old.set_timer("key", 1_000, "stale")
    old.stop()
    old.watch("a")
    await trio.sleep(5)
    assert journal.messages == []
    assert system.actor_statistics("a").state == "idle"


async def test_a_message_of_a_timer_comes_after_what_was_accepted_before_its_instant(
    system: ActorSystem, journal: Journal, clock: trio.testing.MockClock
) -> None:
    async def turn(me: Probe) -> None:
        me.context.set_timer("key", 500, "tick")
        await trio.sleep(1)

    ref = system.spawn("a", journal.probe)
    ref.tell(turn)
    ref.tell("before")
    await trio.sleep(0.75)
    ref.tell("after")
    await trio.sleep(1)
    assert journal.messages == ["before", "tick", "after"]


async def test_re_arming_without_end_does_not_grow_the_heap(system: ActorSystem, journal: Journal) -> None:
    def arm(me: Probe) -> None:
        for number in range(10_000):
            me.context.set_timer("key", 10**9 - number, "tick")
            me.context.cancel_timer("other")
            me.context.set_timer("other", 10**9, "tick")

    ref = system.spawn("a", journal.probe)
    ref.tell(arm)
    await system.wait_idle()
    assert system.statistics().timers == 2
    heap = ref._cell.kernel.timers._heap  # pyright: ignore[reportPrivateUsage]  growth cannot be seen from outside
    assert len(heap) < 200


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 3), st.integers(0, 60)),
        st.tuples(st.just("cancel"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("sleep"), st.just(0), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(STEPS)
def test_timers_against_a_simple_model(steps: list[tuple[str, int, int]]) -> None:
    async def main() -> None:
        journal = Journal()
        armed: dict[int, tuple[int, int]] = {}
        expected: list[tuple[int, int]] = []
        now_ms = 0

        def advance(to_ms: int) -> None:
            due = sorted((at, seq, key) for key, (at, seq) in armed.items() if at <= to_ms)
            for at, seq, key in due:
                expected.append((max(at, now_ms), seq))
                del armed[key]

        async with open_system() as system:
            ref = system.spawn("a", journal.probe)
            for seq, (verb, key, number) in enumerate(steps):
                if verb == "set":
                    ref.tell(lambda me, key=key, at=now_ms + number, seq=seq: me.context.set_timer(key, at, seq))
                    await system.wait_idle()
                    armed[key] = (now_ms + number, seq)
                elif verb == "cancel":
                    ref.tell(lambda me, key=key: me.context.cancel_timer(key))
                    await system.wait_idle()
                    armed.pop(key, None)
                else:
                    await trio.testing.wait_all_tasks_blocked()
                    advance(now_ms)
                    advance(now_ms + number)
                    await trio.sleep_until(system.clock.deadline_s(now_ms + number))
                    await trio.testing.wait_all_tasks_blocked()
                    now_ms += number
                if verb != "sleep":  # an instant of now may fire between two steps; let it, in both
                    await trio.testing.wait_all_tasks_blocked()
                    advance(now_ms)
            await trio.sleep(1)
            advance(now_ms + 1_000)
            assert list(zip(journal.instants_ms, journal.messages, strict=True)) == expected

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.0001))
