"""At which instants an agent's heartbeat is due.

The due times of an agent are a fixed set of instants. They follow from its interval, its phase and its active hours
alone. The next one is looked up in this set; it is not added to the last one. So nothing can drift, and a late
heartbeat does not shift the next. A clock that jumps forward passes over the due times in between, and one that is
set back finds them again. After any skip, error or reload the agent asks again, and there is always an answer to arm
(openclaw#63232, #15193). Instants are Python integers, so an interval of a year works like one of a minute
(openclaw#71414: a 32-bit timer overflowed and fired without end).

Slots are the instants congruent to the phase modulo the interval. Phases differ, so the agents are spread over the
interval (openclaw#64560). A slot inside the active hours is a due time. A slot outside moves to the first slot of the
next window. If the window has no slot (the interval is longer than the window), the due time is the opening of the
window plus a part of the phase, so that not all agents take a turn at 08:00 sharp. So an agent has at least one
heartbeat in every window that a slot waited for. Rejected: dropping the slots outside, as OpenClaw did. An agent with
one heartbeat a day, at 03:00, would never have one.
"""

from __future__ import annotations

from typing import Final

from .active_hours import ActiveHours

OPENING_SPREAD_MS: Final = 30 * 60_000
"""How far heartbeats that have no slot in a window are spread, counted from its opening."""


def next_due_ms(
    now_ms: int,
    *,
    interval_ms: int,
    phase_ms: int,
    after_ms: int | None = None,
    active_hours: ActiveHours | None = None,
) -> int | None:
    """The next due time, always later than now.

    A late heartbeat, however late, stands for every due time that has passed: the result is the next one ahead.

    Args:
        now_ms: The present instant of the host's timeline, as Unix time.
        interval_ms: The interval; 0 or less means no heartbeat.
        phase_ms: Offset of the slots, from :func:`~wakeward.protocols.schedule.heartbeat.phase_ms`; any integer.
        after_ms: The last due time that was served. It matters only if it lies ahead because the clock was set back.
            Up to one interval ahead it is believed, so that no due time is served twice. Further ahead it is ignored,
            so that no heartbeats are lost.
        active_hours: Due times are inside this window.

    Returns:
        Congruent to the phase modulo the interval, unless the active hours moved it. ``None``: never.
    """
    # Asked first, so that the search for an opening below always finds one.
    if interval_ms <= 0 or (active_hours is not None and active_hours.never):
        return None
    if after_ms is not None and now_ms < after_ms <= now_ms + interval_ms:
        now_ms = after_ms  # this due time was served: the clock has been set back since
    slot_ms = now_ms - (now_ms - phase_ms) % interval_ms  # the last slot, now included
    if active_hours is None:
        # Never now itself: a heartbeat that is served at its due time would come a second time.
        return slot_ms + interval_ms
    # The last slot may have moved to an instant ahead of now. Earlier slots moved to the same one, or have passed.
    moved_ms = _due_time_of(slot_ms, interval_ms, phase_ms, active_hours)
    # Strictly: at the moved instant itself this heartbeat has just been served.
    if moved_ms > now_ms:
        return moved_ms
    return _due_time_of(slot_ms + interval_ms, interval_ms, phase_ms, active_hours)


def _due_time_of(slot_ms: int, interval_ms: int, phase_ms: int, active_hours: ActiveHours) -> int:
    """The due time of one slot: the slot itself, or in the next window. A later slot never has an earlier due time."""
    if active_hours.contains(slot_ms):
        return slot_ms
    opens_ms = active_hours.next_open_ms(slot_ms)
    assert opens_ms is not None  # next_due_ms has turned away windows that never open
    closes_ms = active_hours.next_close_ms(opens_ms)
    # Keep the phase if the window has a slot: so agents that were moved stay spread.
    aligned_ms = opens_ms + (phase_ms - opens_ms) % interval_ms
    if closes_ms is None or aligned_ms < closes_ms:
        return aligned_ms
    # Within the window, also if that is shorter than the spread.
    return opens_ms + phase_ms % min(closes_ms - opens_ms, OPENING_SPREAD_MS)
