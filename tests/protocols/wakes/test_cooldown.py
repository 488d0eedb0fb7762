"""The cooldown clock: what it decides, and what moves it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.wakes.cooldown import (
    CooldownClock,
    CooldownPolicy,
    Deferral,
    DeferReason,
    record_start,
)
from wakeward.protocols.wakes.wake import Intent

DEFAULT = CooldownPolicy()
EAGER = CooldownPolicy(events_wait_for_due=False)
INTERVAL_MS = 1_800_000
SPACING_MS = 30_000
WINDOW_MS = 60_000
MANUAL, IMMEDIATE, SCHEDULED, TASK, EVENT = (
    Intent.MANUAL,
    Intent.IMMEDIATE,
    Intent.SCHEDULED,
    Intent.TASK,
    Intent.EVENT,
)
NOT_DUE, MIN_SPACING, FLOOD = DeferReason.NOT_DUE, DeferReason.MIN_SPACING, DeferReason.FLOOD


def check(clock: CooldownClock, intent: Intent, now_ms: int, policy: CooldownPolicy = DEFAULT) -> Deferral | None:
    return clock.check(policy, intent, now_ms=now_ms, retained=False, due=False)


def clock_after(*starts_ms: int, interval_ms: int | None = INTERVAL_MS) -> CooldownClock:
    """A clock of an agent that was made at 0 and has run at these instants."""
    clock = CooldownClock(interval_ms, 0)
    for at_ms in starts_ms:
        clock = clock.started("main", at_ms).ended("main", DEFAULT, counts=True)
    return clock


# The table in the head of the module


@pytest.mark.parametrize(
    ("intent", "now_ms", "deferral"),
    [
        (MANUAL, 0, None),
        (IMMEDIATE, 0, None),
        (TASK, 0, None),
        (EVENT, 0, None),
        (SCHEDULED, 0, Deferral(NOT_DUE, 1_000)),
        (SCHEDULED, 999, Deferral(NOT_DUE, 1_000)),
        (SCHEDULED, 1_000, None),
    ],
)
def test_an_agent_that_has_not_run(intent: Intent, now_ms: int, deferral: Deferral | None) -> None:
    assert check(CooldownClock(INTERVAL_MS, 1_000), intent, now_ms) == deferral


@pytest.mark.parametrize(
    ("intent", "now_ms", "deferral"),
    [
        (MANUAL, 1, None),
        (IMMEDIATE, 1, None),
        (TASK, 1, Deferral(MIN_SPACING, SPACING_MS)),
        (TASK, SPACING_MS - 1, Deferral(MIN_SPACING, SPACING_MS)),
        (TASK, SPACING_MS, None),
        (SCHEDULED, SPACING_MS, Deferral(NOT_DUE, INTERVAL_MS)),
        (SCHEDULED, INTERVAL_MS - 1, Deferral(NOT_DUE, INTERVAL_MS)),
        (SCHEDULED, INTERVAL_MS, None),
        (EVENT, 1, Deferral(NOT_DUE, SPACING_MS)),  # held once, it need not wait for the due time again
        (EVENT, SPACING_MS, Deferral(NOT_DUE, INTERVAL_MS)),
        (EVENT, INTERVAL_MS, None),
    ],
)
def test_an_agent_that_ran_at_0(intent: Intent, now_ms: int, deferral: Deferral | None) -> None:
    assert check(clock_after(0), intent, now_ms) == deferral


@pytest.mark.parametrize("intent", Intent)
def test_the_flood_guard_holds_everything_but_manual(intent: Intent) -> None:
    starts_ms = (0, 1, 2, 3, 4)
    clock = clock_after(*starts_ms, interval_ms=None)
    last_ms = WINDOW_MS  # the window is inclusive at both ends
    held = None if intent is MANUAL else Deferral(FLOOD, last_ms + 1)
    assert check(clock, intent, 5) == held
    assert check(clock, intent, last_ms) == held
    assert check(clock, intent, last_ms + 1) is None
    assert check(clock_after(*starts_ms[1:], interval_ms=None), IMMEDIATE, 5) is None


def test_a_retained_event_waits_for_spacing_and_flood_alone() -> None:
    def retained(clock: CooldownClock, now_ms: int) -> Deferral | None:
        return clock.check(DEFAULT, EVENT, now_ms=now_ms, retained=True, due=False)

    assert retained(clock_after(0), 1) == Deferral(MIN_SPACING, SPACING_MS)
    assert retained(clock_after(0), SPACING_MS) is None
    assert retained(clock_after(0, 1, 2, 3, 4), SPACING_MS + 4) == Deferral(FLOOD, WINDOW_MS + 1)


def test_by_choice_an_event_does_not_wait_for_the_due_time() -> None:
    assert check(clock_after(0), EVENT, 1, EAGER) == Deferral(MIN_SPACING, SPACING_MS)
    assert check(clock_after(0), EVENT, SPACING_MS, EAGER) is None


def test_a_heartbeat_that_is_kept_elsewhere_is_due_by_definition() -> None:
    assert clock_after(0).check(DEFAULT, SCHEDULED, now_ms=1, retained=False, due=True) is None


@pytest.mark.parametrize(
    ("policy", "intent"),
    [
        (CooldownPolicy(min_spacing=0), TASK),
        (CooldownPolicy(min_spacing=-1), TASK),
        (CooldownPolicy(flood_window=0), IMMEDIATE),
        (CooldownPolicy(flood_threshold=0), IMMEDIATE),
    ],
)
def test_what_is_0_or_less_switches_its_guard_off(policy: CooldownPolicy, intent: Intent) -> None:
    starts = (0,) if intent is TASK else (0, 1, 2, 3, 4)
    assert check(clock_after(*starts), intent, 5, policy) is None
    assert check(clock_after(*starts), intent, 5) is not None


# What moves the clock


def test_a_turn_counts_while_it_runs() -> None:
    clock = CooldownClock(INTERVAL_MS, 0).started("main", 0)
    assert check(clock, TASK, 1) == Deferral(MIN_SPACING, SPACING_MS)
    assert check(clock, SCHEDULED, 1) == Deferral(NOT_DUE, INTERVAL_MS)
    for number in range(1, 5):
        clock = clock.started(f"session {number}", number)
    assert check(clock, IMMEDIATE, 5) == Deferral(FLOOD, WINDOW_MS + 1)


def test_a_late_end_does_not_rewind_the_clock() -> None:
    clock = CooldownClock(INTERVAL_MS, 0).started("long", 0).started("short", 40_000)
    clock = clock.ended("short", DEFAULT, counts=True).ended("long", DEFAULT, counts=True)
    assert (clock.last_started_ms, clock.next_due_ms) == (40_000, 40_000 + INTERVAL_MS)
    assert list(clock.recent_starts_ms) == [0, 40_000]


def test_each_session_has_its_own_turn() -> None:
    clock = CooldownClock(None, 0).started("a", 0).started("b", 1).ended("a", DEFAULT, counts=False)
    assert check(clock, TASK, 2) == Deferral(MIN_SPACING, 1 + SPACING_MS)
    assert clock.ended("b", DEFAULT, counts=False) == CooldownClock(None, 0)


def test_a_flood_is_reported_once_per_episode() -> None:
    clock = clock_after(0, 1, 2, 3, 4)
    flood = check(clock, IMMEDIATE, 5)
    assert flood is not None
    assert not clock.flood_reported
    clock = clock.deferred(flood, now_ms=5, pushes_due=False)
    assert clock.flood_reported
    assert clock.deferred(flood, now_ms=6, pushes_due=False) is clock
    assert not clock.started("main", 7).ended("main", DEFAULT, counts=True).flood_reported
    assert clock.started("main", 7).ended("main", DEFAULT, counts=False).flood_reported


@pytest.mark.parametrize(
    ("reason", "pushes_due", "due_ms"),
    [(FLOOD, True, 10 + INTERVAL_MS), (MIN_SPACING, True, 10 + INTERVAL_MS), (NOT_DUE, True, 0), (FLOOD, False, 0)],
)
def test_a_deferral_pushes_a_due_time_that_has_come(reason: DeferReason, due_ms: int, *, pushes_due: bool) -> None:
    deferral = Deferral(reason, 50)
    assert CooldownClock(INTERVAL_MS, 0).deferred(deferral, now_ms=10, pushes_due=pushes_due).next_due_ms == due_ms
    assert CooldownClock(INTERVAL_MS, 11).deferred(deferral, now_ms=10, pushes_due=pushes_due).next_due_ms == 11


def test_a_new_interval_keeps_the_history() -> None:
    clock = clock_after(0, 50_000).reconfigured(600_000, 70_000)
    assert (clock.interval_ms, clock.next_due_ms) == (600_000, 650_000)
    assert (clock.last_started_ms, list(clock.recent_starts_ms)) == (50_000, [0, 50_000])
    assert CooldownClock(None, 0).reconfigured(600_000, 70_000).next_due_ms == 70_000


@given(st.lists(st.integers(0, 1_000)), st.integers(0, 6))
def test_the_buffer_of_starts_is_bounded(starts_ms: list[int], threshold: int) -> None:
    kept: list[int] = []
    for at_ms in starts_ms:
        kept = record_start(kept, at_ms, threshold)
    assert kept == starts_ms[-(threshold + 1) :]


# For any clock


@st.composite
def policies(draw: st.DrawFn) -> CooldownPolicy:
    return CooldownPolicy(
        min_spacing=timedelta(milliseconds=draw(st.sampled_from([0, 1, 30, 100]))),
        flood_window=timedelta(milliseconds=draw(st.sampled_from([0, 1, 60, 200]))),
        flood_threshold=draw(st.integers(0, 4)),
        events_wait_for_due=draw(st.booleans()),
    )


@st.composite
def clocks(draw: st.DrawFn, policy: CooldownPolicy) -> tuple[CooldownClock, int]:
    """A clock that some history has brought about, and the present instant."""
    clock = CooldownClock(draw(st.sampled_from([None, 50, 300])), draw(st.integers(0, 300)))
    now_ms, running = 0, list[str]()
    for number in range(draw(st.integers(0, 12))):
        now_ms += draw(st.integers(0, 60))
        match draw(st.sampled_from(["start", "start", "end", "skip", "hold", "interval"])):
            case "start":
                running.append(f"session {number}")
                clock = clock.started(running[-1], now_ms)
            case "hold":
                deferral = Deferral(draw(st.sampled_from(DeferReason)), now_ms + 1)
                clock = clock.deferred(deferral, now_ms=now_ms, pushes_due=draw(st.booleans()))
            case "interval":
                clock = clock.reconfigured(draw(st.sampled_from([None, 50, 300])), now_ms)
            case end if running:
                ended = running.pop(draw(st.integers(0, len(running) - 1)))
                clock = clock.ended(ended, policy, counts=end == "end")
            case _:
                pass
    return clock, now_ms + draw(st.integers(0, 200))


@given(st.data(), policies(), st.booleans())
def test_a_deferral_names_the_first_instant(data: st.DataObject, policy: CooldownPolicy, due: bool) -> None:
    """Held at every earlier instant, and let pass by the guard that was named at the instant that it named.

    The property is that of governor's ``gcra``. Only another guard may hold the wake at the named instant.
    """
    clock, now_ms = data.draw(clocks(policy))
    for intent, retained in product(Intent, (False, True)):
        deferral = clock.check(policy, intent, now_ms=now_ms, retained=retained, due=due)
        if deferral is None:
            continue
        retry_at_ms = deferral.retry_at_ms
        assert retry_at_ms > now_ms
        for earlier_ms in {now_ms, retry_at_ms - 1, data.draw(st.integers(now_ms, retry_at_ms - 1))}:
            assert clock.check(policy, intent, now_ms=earlier_ms, retained=retained, due=due) is not None
        after = clock.check(policy, intent, now_ms=retry_at_ms, retained=True, due=due)
        assert after is None or (after.reason is not deferral.reason and after.retry_at_ms > retry_at_ms)


@given(st.data(), policies(), st.booleans())
def test_a_manual_wake_always_runs(data: st.DataObject, policy: CooldownPolicy, retained: bool) -> None:
    clock, now_ms = data.draw(clocks(policy))
    assert clock.check(policy, MANUAL, now_ms=now_ms, retained=retained, due=False) is None


@given(st.data(), policies())
def test_a_busy_skip_moves_nothing(data: st.DataObject, policy: CooldownPolicy) -> None:
    clock, now_ms = data.draw(clocks(policy))
    assert clock.started("busy", now_ms).ended("busy", policy, counts=False) == clock


@given(st.data(), policies(), st.sampled_from(Intent))
def test_one_more_start_opens_no_guard(data: st.DataObject, policy: CooldownPolicy, intent: Intent) -> None:
    clock, now_ms = data.draw(clocks(policy))
    before = check(clock, intent, now_ms, policy)
    after = check(clock.started("more", now_ms), intent, now_ms, policy)
    assert before is None or after is not None


@given(st.data(), policies(), st.sampled_from([IMMEDIATE, TASK]), st.integers(0, 500))
def test_spacing_and_flood_are_the_same_while_a_turn_runs_and_after_it(
    data: st.DataObject, policy: CooldownPolicy, intent: Intent, wait_ms: int
) -> None:
    clock, now_ms = data.draw(clocks(policy))
    running = clock.started("turn", now_ms)
    ended = running.ended("turn", policy, counts=True)
    then_ms = now_ms + wait_ms
    assert check(ended, intent, then_ms, policy) == check(running, intent, then_ms, policy)
