"""The cadence: at which instants an agent's heartbeat is due.

The deadlines of an agent are a fixed set of instants that follows from its interval, its phase and its active
hours alone, and the next one is looked up in it, never added to the last. So nothing can drift, a late tick
does not shift the next, a clock that jumps forward passes over the deadlines in between, one that is turned
back finds them again, and any skip, error or reload may simply ask anew: there is always an answer to arm
(openclaw#63232, #15193). Instants are Python integers, so an interval of a year is no different from one of a
minute (openclaw#71414: a 32-bit timer that spun).

Slots are the instants congruent to the phase modulo the interval; phases differ, so agents are spread over it
(openclaw#64560). A slot inside the active hours is a deadline. A slot outside moves to the first slot of the
next window; where the window has none (the interval is longer), it moves to the opening of the window, plus a
part of the phase, so that not all agents that slept through the night start at 08:00 sharp. So an agent beats
at least once in every window that a slot has waited for. (Skipping such slots, as OpenClaw did, means that an
agent with a daily beat at 03:00 never beats at all.)
"""

from __future__ import annotations

from typing import Final

from .active_hours import ActiveHours

OPENING_SPREAD_MS: Final = 30 * 60_000
"""Over how long, from the opening of a window, the beats are spread that could find no slot in it."""


def next_due_ms(
    now_ms: int,
    *,
    interval_ms: int,
    phase_ms: int,
    after_ms: int | None = None,
    active_hours: ActiveHours | None = None,
) -> int | None:
    """The next deadline, always later than now.

    A tick that comes late, however late, stands for every deadline it has passed: the answer is the next to
    come. A deadline that was stored, and may have passed while nobody looked, is for :func:`resume_due_ms`.

    Args:
        now_ms: The present instant of the host's timeline, which is Unix time.
        interval_ms: The cadence; 0 or less is none.
        phase_ms: Offset of the slots, from :func:`~wakeward.protocols.schedule.heartbeat.phase_ms`; any integer.
        after_ms: The last deadline that was served. It matters only when it lies ahead because the clock was
            turned back: up to one interval ahead it is believed, so that it is not served twice; further
            ahead it is ignored, so that no beats are lost.
        active_hours: Deadlines are inside this window.

    Returns:
        Congruent to the phase modulo the interval unless the active hours have moved it. ``None``: never.
    """
    if interval_ms <= 0 or (active_hours is not None and active_hours.never):
        return None
    if after_ms is not None and now_ms < after_ms <= now_ms + interval_ms:
        now_ms = after_ms
    slot_ms = now_ms - (now_ms - phase_ms) % interval_ms
    if active_hours is None:
        return slot_ms + interval_ms
    # The last slot may have been moved to an instant to come; earlier ones were too, or have passed.
    moved_ms = _deadline_of(slot_ms, interval_ms, phase_ms, active_hours)
    if moved_ms > now_ms:
        return moved_ms
    return _deadline_of(slot_ms + interval_ms, interval_ms, phase_ms, active_hours)


def resume_due_ms(
    now_ms: int,
    *,
    armed_ms: int,
    interval_ms: int,
    phase_ms: int,
    active_hours: ActiveHours | None = None,
) -> int | None:
    """What to arm when an armed deadline is taken up again: after a restart, a suspend, a stall.

    A deadline that has passed, or any number of them, makes one catch-up: now, or outside the active hours at
    the next deadline. One still to come is kept, unless the present cadence has an earlier one (a clock
    turned back).

    Returns:
        At least ``now_ms``; equal: at once. ``None``: never.
    """
    due_ms = next_due_ms(now_ms, interval_ms=interval_ms, phase_ms=phase_ms, active_hours=active_hours)
    if due_ms is None:
        return None
    if armed_ms > now_ms:
        return min(armed_ms, due_ms)
    return now_ms if active_hours is None or active_hours.contains(now_ms) else due_ms


def _deadline_of(slot_ms: int, interval_ms: int, phase_ms: int, active_hours: ActiveHours) -> int:
    """Where one slot comes to lie: itself, or in the next window. Later slots never come to lie earlier."""
    if active_hours.contains(slot_ms):
        return slot_ms
    opens_ms = active_hours.next_open_ms(slot_ms)
    assert opens_ms is not None  # windows that never open are turned away before
    closes_ms = active_hours.next_close_ms(opens_ms)
    aligned_ms = opens_ms + (phase_ms - opens_ms) % interval_ms
    if closes_ms is None or aligned_ms < closes_ms:
        return aligned_ms
    return opens_ms + phase_ms % min(closes_ms - opens_ms, OPENING_SPREAD_MS)
