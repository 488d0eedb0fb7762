"""Merging: what the vectors do not show."""

from __future__ import annotations

from typing import Any

from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.wakes.messages import Wake
from wakeward.protocols.wakes.pending import REASONS_MAX, PendingWake, SessionWakes, pending_wake
from wakeward.protocols.wakes.wake import Intent, Source, WakeTask

SESSION = "agent:ops:main"

wakes = st.builds(
    Wake,
    st.sampled_from([SESSION, None]),
    st.sampled_from([Source.HOOK, Source.INTERVAL, Source.RETRY]),
    st.sampled_from(list(Intent)),
    st.sampled_from(["", "a", " b ", "retry", "interval"]),
    coalesce_ms=st.sampled_from([-5, 0, 10, 250]),
    tasks=st.sampled_from([(), (), (WakeTask("j"),)]),
    heartbeat_interval_ms=st.sampled_from([None, None, 60_000, 0, 1.5]),
)
histories = st.lists(st.tuples(st.integers(0, 300), wakes), max_size=50)


def state_of(lane: SessionWakes) -> Any:
    return asdict(lane)


@given(histories, st.sampled_from([0, 5_000]), st.booleans())
def test_the_short_way_comes_to_the_same(history: list[tuple[int, Wake]], not_before_ms: int, retained: bool) -> None:
    short, long = SessionWakes(), SessionWakes()
    now_ms = 0
    for after_ms, wake in history:
        now_ms += after_ms
        if short.absorb(wake, now_ms) is None:
            short.offer(pending_wake(wake, now_ms))
        long.offer(pending_wake(wake, now_ms))
        for lane in (short, long):
            if lane.event is not None and not_before_ms:
                lane.event.not_before_ms, lane.event.retained = not_before_ms, retained
        assert state_of(short) == state_of(long)


@given(histories)
def test_nothing_is_lost_in_a_merge(history: list[tuple[int, Wake]]) -> None:
    lane = SessionWakes()
    for now_ms, wake in history:
        lane.offer(pending_wake(wake, now_ms))
    taken: list[PendingWake] = lane.take(1_000_000)
    assert sum(len(wake.reasons) + wake.reasons_omitted for wake in taken) == len(history)
    assert {task for wake in taken for task in wake.tasks} == {task for _, wake in history for task in wake.tasks}
    assert not lane
    assert len(taken) <= 2


def test_reasons_are_bounded_and_the_rest_is_counted() -> None:
    lane = SessionWakes()
    for n in range(REASONS_MAX + 7):
        lane.offer(pending_wake(Wake(SESSION, Source.HOOK, Intent.EVENT, f"r{n}"), 0))
    assert lane.event is not None
    assert lane.event.reasons == tuple(f"r{n}" for n in range(REASONS_MAX))
    assert lane.event.reasons_omitted == 7


@given(histories, st.integers(0, 600))
def test_what_is_due_can_be_taken_at_that_instant_and_not_before(
    history: list[tuple[int, Wake]], blocked_ms: int
) -> None:
    lane = SessionWakes()
    for now_ms, wake in history:
        lane.offer(pending_wake(wake, now_ms), blocked_ms)
    earliest_ms = lane.earliest_ms()
    if earliest_ms is None:
        assert not lane
    else:
        assert lane.take(earliest_ms - 1) == []
        assert lane.take(earliest_ms) != []
