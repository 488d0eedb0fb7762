"""Merging: what the vectors do not show."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from wakeward.protocols.wakes.messages import Wake
from wakeward.protocols.wakes.pending import REASONS_MAX, SessionWakes, pending_wake
from wakeward.protocols.wakes.wake import Intent, Source, WakeTask

SESSION = "agent:ops:main"

REQUESTS = st.builds(
    Wake,
    st.sampled_from([SESSION, None]),
    st.sampled_from([Source.HOOK, Source.HOOK, Source.HOOK, Source.INTERVAL, Source.RETRY]),
    st.sampled_from([Intent.EVENT] * 4 + list(Intent)),
    st.sampled_from(["", "a", " b ", "c", "retry", "interval"]),
    coalesce_ms=st.sampled_from([-5, 0, 10, 250]),
    tasks=st.sampled_from([(), (), (), (WakeTask("j"),)]),
    heartbeat_interval_ms=st.sampled_from([None] * 6 + [60_000, 0, 1.5]),
)
HISTORIES = st.lists(st.tuples(st.integers(0, 300), REQUESTS), max_size=50)


@settings(max_examples=300)
@given(HISTORIES, st.sampled_from([0, 5_000]), st.booleans())
def test_the_short_way_comes_to_the_same(history: list[tuple[int, Wake]], not_before_ms: int, retained: bool) -> None:
    short: SessionWakes = SessionWakes()
    long: SessionWakes = short
    now_ms = 0
    for after_ms, wake in history:
        now_ms += after_ms
        short, long = short.request(wake, now_ms)[0], long.offer(pending_wake(wake, now_ms))
        assert short == long
        if long.event is not None:
            held = evolve(long.event, not_before_ms=not_before_ms, retained=retained)
            short = long = evolve(long, event=held)


@given(HISTORIES)
def test_nothing_is_lost_in_a_merge(history: list[tuple[int, Wake]]) -> None:
    wakes = SessionWakes()
    for now_ms, wake in history:
        wakes, _, _ = wakes.request(wake, now_ms)
    taken, left = wakes.take(1_000_000)
    assert sum(len(wake.reasons) + wake.reasons_omitted for wake in taken) == len(history)
    assert {task for wake in taken for task in wake.tasks} == {task for _, wake in history for task in wake.tasks}
    assert not left
    assert len(taken) <= 2


def test_reasons_are_bounded_and_the_rest_is_counted() -> None:
    wakes = SessionWakes()
    for n in range(REASONS_MAX + 7):
        wakes = wakes.request(Wake(SESSION, Source.HOOK, Intent.EVENT, f"r{n}"), 0)[0]
    assert wakes.event is not None
    assert wakes.event.reasons == tuple(f"r{n}" for n in range(REASONS_MAX))
    assert wakes.event.reasons_omitted == 7


@given(HISTORIES, st.integers(0, 600))
def test_what_is_due_can_be_taken_at_that_instant_and_not_before(
    history: list[tuple[int, Wake]], blocked_ms: int
) -> None:
    wakes = SessionWakes().block(blocked_ms)
    for now_ms, wake in history:
        wakes, _, _ = wakes.request(wake, now_ms)
    earliest_ms = wakes.earliest_ms()
    if earliest_ms is None:
        assert not wakes
        return
    assert wakes.take(earliest_ms - 1) == ((), wakes)
    taken, left = wakes.take(earliest_ms)
    assert taken
    assert len(left.all()) < len(wakes.all())


@given(HISTORIES, st.integers(0, 600))
def test_a_value_is_replaced_and_never_changed(history: list[tuple[int, Wake]], until_ms: int) -> None:
    """What was stored with a commit stays what it was, while later messages go on from it."""
    wakes = SessionWakes()
    before: list[tuple[SessionWakes, str]] = []
    for now_ms, wake in history:
        before.append((wakes, repr(wakes)))
        wakes = wakes.request(wake, now_ms)[0].block(until_ms)
        before.append((wakes, repr(wakes)))
        wakes = wakes.take(now_ms)[1]
    assert all(repr(value) == said for value, said in before)
