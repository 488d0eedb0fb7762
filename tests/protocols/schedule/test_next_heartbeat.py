from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from wakeward.protocols.schedule.active_hours import ActiveHours
from wakeward.protocols.schedule.heartbeat import phase_ms
from wakeward.protocols.schedule.next_heartbeat import OPENING_SPREAD_MS, next_due_ms

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
MONDAY_MS = 1_768_780_800_000  # 2026-01-19T00:00Z

instants = st.integers(-YEAR_MS, 100 * YEAR_MS)
intervals = st.one_of(st.integers(1, 2 * DAY_MS), st.integers(1, 10 * YEAR_MS))
phases = st.integers(-(2**40), 2**40)


@st.composite
def any_window(draw: st.DrawFn) -> ActiveHours:
    """A window that opens, of any length, in a zone that may change its offset."""
    start = draw(st.integers(0, 1439))
    length = draw(st.one_of(st.integers(1, 1439), st.integers(1, 20)))
    end = (start + length) % 1440
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]))
    return ActiveHours(f"{start // 60:02}:{start % 60:02}", f"{end // 60:02}:{end % 60:02}", zone)


windows = any_window()
office = ActiveHours("08:00", "18:00")


def due(now_ms: int, interval_ms: int, phase: int = 0, hours: ActiveHours | None = None) -> int:
    """The next due time of a heartbeat that has one."""
    result = next_due_ms(now_ms, interval_ms=interval_ms, phase_ms=phase, active_hours=hours)
    assert result is not None
    return result


@given(instants, intervals, phases)
@example(0, 25 * DAY_MS, 0)
def test_the_next_slot_is_later_than_now_within_one_interval_and_in_phase(
    now_ms: int, interval_ms: int, phase: int
) -> None:
    due_ms = due(now_ms, interval_ms, phase)
    assert now_ms < due_ms <= now_ms + interval_ms
    assert due_ms % interval_ms == phase % interval_ms


def test_a_million_heartbeats_each_a_little_late_do_not_drift() -> None:
    interval_ms, phase = 1_800_007, 744_620
    first_ms = due_ms = due(MONDAY_MS, interval_ms, phase)
    for number in range(1_000_000):
        lateness_ms = number * 7919 % 1_000_000
        due_ms = due(due_ms + lateness_ms, interval_ms, phase)
    assert due_ms == first_ms + 1_000_000 * interval_ms


def test_a_missed_span_makes_one_late_heartbeat_and_then_the_next_slot() -> None:
    late_ms = due(0, HOUR_MS) + 1000 * HOUR_MS + 5
    assert due(late_ms, HOUR_MS) == late_ms - 5 + HOUR_MS


@given(instants, intervals, phases, st.integers(-YEAR_MS, YEAR_MS))
def test_a_clock_that_jumps_neither_loses_heartbeats_nor_repeats_them(
    now_ms: int, interval_ms: int, phase: int, jump_ms: int
) -> None:
    served_ms = due(now_ms, interval_ms, phase)
    jumped_ms = served_ms + jump_ms
    result = next_due_ms(jumped_ms, interval_ms=interval_ms, phase_ms=phase, after_ms=served_ms)
    assert result is not None
    assert jumped_ms < result <= jumped_ms + 2 * interval_ms
    if jump_ms >= -interval_ms:
        assert result > served_ms


@given(windows, instants, intervals, phases)
def test_due_times_are_inside_the_active_hours_and_ordered(
    hours: ActiveHours, now_ms: int, interval_ms: int, phase: int
) -> None:
    for _ in range(4):
        due_ms = due(now_ms, interval_ms, phase, hours)
        assert due_ms > now_ms
        assert hours.contains(due_ms)
        # The due times are a set of instants: every call before the next one gives that one.
        assert due((now_ms + due_ms) // 2, interval_ms, phase, hours) == due_ms
        assert due(due_ms - 1, interval_ms, phase, hours) == due_ms
        now_ms = due_ms


@given(windows, instants, intervals, phases)
def test_a_due_time_out_of_phase_is_in_a_window_that_has_no_slot(
    hours: ActiveHours, now_ms: int, interval_ms: int, phase: int
) -> None:
    due_ms = due(now_ms, interval_ms, phase, hours)
    if (due_ms - phase) % interval_ms:
        slot_ms, following_ms = due(due_ms, interval_ms, phase) - interval_ms, due(due_ms, interval_ms, phase)
        opened_before = [hours.next_close_ms(ms) for ms in (slot_ms, due_ms - OPENING_SPREAD_MS)]
        assert all(ms is not None and ms < due_ms for ms in opened_before)
        closes_ms = hours.next_close_ms(due_ms)
        assert closes_ms is not None
        assert closes_ms <= following_ms


def test_the_next_due_time_is_the_first_slot_of_the_next_window() -> None:
    evening_ms = MONDAY_MS + 18 * HOUR_MS
    assert due(evening_ms, 30 * MINUTE_MS, 7 * MINUTE_MS, office) == (MONDAY_MS + DAY_MS + 8 * HOUR_MS + 7 * MINUTE_MS)


def test_a_daily_heartbeat_at_night_is_moved_to_the_morning_and_stays_daily() -> None:
    phase = 3 * HOUR_MS + 100
    first_ms = due(MONDAY_MS, DAY_MS, phase, office)
    assert first_ms == MONDAY_MS + 8 * HOUR_MS + phase % OPENING_SPREAD_MS
    assert due(first_ms, DAY_MS, phase, office) == first_ms + DAY_MS


def test_a_slot_at_the_very_close_of_the_window_is_outside() -> None:
    assert due(MONDAY_MS, DAY_MS, 18 * HOUR_MS, office) == MONDAY_MS + 8 * HOUR_MS
    assert due(MONDAY_MS, DAY_MS, 18 * HOUR_MS - 1, office) == MONDAY_MS + 18 * HOUR_MS - 1


def test_a_moved_heartbeat_stays_in_a_window_shorter_than_the_spread() -> None:
    ten_minutes = ActiveHours("08:00", "08:10")
    phase = 3 * HOUR_MS + 29 * MINUTE_MS
    assert due(MONDAY_MS, DAY_MS, phase, ten_minutes) == MONDAY_MS + 8 * HOUR_MS + 9 * MINUTE_MS


def test_agents_whose_heartbeat_is_moved_do_not_all_start_at_the_opening() -> None:
    phases_ms = [phase_ms("seed", f"agent-{number}", 30 * DAY_MS) for number in range(1000)]
    moved = [
        due_ms - MONDAY_MS
        for due_ms in (due(MONDAY_MS, 30 * DAY_MS, phase, office) for phase in phases_ms)
        if (due_ms - MONDAY_MS) % DAY_MS < 8 * HOUR_MS + OPENING_SPREAD_MS
    ]
    assert len(moved) > 300
    assert max(moved.count(instant) for instant in moved) == 1


def test_no_interval_and_hours_that_never_open_have_no_due_time() -> None:
    never = ActiveHours("08:00", "08:00")
    assert next_due_ms(0, interval_ms=0, phase_ms=0) is None
    assert next_due_ms(0, interval_ms=HOUR_MS, phase_ms=0, active_hours=never) is None
