"""The cooldown clock: one decision, for every path, about whether an agent may start a turn now.

The rule was recorded from OpenClaw (openclaw#17797, #75436: event wakes that went round the cooldown fed themselves). A
wake that is held back is told why and the first instant at which the same guard would let it pass.

| intent    | agent has not run yet | later                                                                |
|-----------|-----------------------|----------------------------------------------------------------------|
| manual    | runs                  | runs                                                                 |
| immediate | runs                  | runs unless the flood guard holds                                    |
| scheduled | waits for its due time| waits for its due time; flood guard                                  |
| task      | runs                  | waits for the minimum spacing; flood guard                           |
| event     | runs                  | waits for the due time (or, by choice, not) and spacing; flood guard |

A start counts from the moment in which the turn starts, so that overlapping turns of one agent cannot slip past the
clock, and it is taken back when the turn turns out to be a busy skip. A long turn that ends late cannot rewind the
clock, because the clock remembers the latest start, not the latest end.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never, final

from attrs import evolve, field, frozen

from ..values.duration import Duration, duration_ms
from ..values.value_class import value_class
from .wake import Intent


class DeferReason(enum.StrEnum):
    """Which guard held a wake back."""

    NOT_DUE = "not-due"
    MIN_SPACING = "min-spacing"
    FLOOD = "flood"


@frozen
class Deferral:
    """Not now. ``retry_at_ms`` is the first instant at which this guard lets the same wake pass."""

    reason: DeferReason
    retry_at_ms: int


def _guard_ms(value: Duration) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return 0 if isinstance(seconds, int | float) and seconds <= 0 else duration_ms(value)


@frozen
class CooldownPolicy:
    """The guards of one agent: ``CooldownPolicy(min_spacing="30s", flood_window="1m", flood_threshold=5)``.

    What is 0 or less switches its guard off.

    Attributes:
        min_spacing_ms: Between the starts of two turns that events or tasks ask for; given as ``min_spacing``.
        flood_window_ms: The window of the flood guard, inclusive at both ends; given as ``flood_window``.
        flood_threshold: As many starts in the window hold everything but manual wakes.
        events_wait_for_due: As recorded, an event that comes after the first turn waits for the agent's due time
            *unless* a guard has held it before; a completion in the 31st second after a turn can so wait for the whole
            interval. With ``False`` an event waits for the spacing only.
    """

    min_spacing_ms: int = field(default=30, alias="min_spacing", converter=_guard_ms)
    flood_window_ms: int = field(default=60, alias="flood_window", converter=_guard_ms)
    flood_threshold: int = 5
    events_wait_for_due: bool = True


def decide(
    policy: CooldownPolicy,
    intent: Intent,
    *,
    now_ms: int,
    next_due_ms: int,
    last_started_ms: int | None,
    recent_starts_ms: Sequence[int],
    retained: bool = False,
) -> Deferral | None:
    """Decide whether a wake must wait.

    Args:
        policy: The guards.
        intent: How urgent the wake is.
        now_ms: The present instant.
        next_due_ms: When the agent's next scheduled turn is due.
        last_started_ms: When its last turn started; ``None`` if it has not run.
        recent_starts_ms: Its latest starts, oldest first; at least ``flood_threshold`` of them where there are as many.
        retained: This wake was held back by a guard before, so it need not wait for the due time again.

    Returns:
        ``None``: start now. Else the guard and its instant.
    """
    match intent:
        case Intent.MANUAL:
            return None
        case Intent.IMMEDIATE:
            return _flood(policy, now_ms, recent_starts_ms)
        case Intent.TASK:
            return _flood(policy, now_ms, recent_starts_ms) or _spacing(policy, now_ms, last_started_ms)
        case Intent.SCHEDULED:
            return _flood(policy, now_ms, recent_starts_ms) or _due(now_ms, next_due_ms)
        case Intent.EVENT:
            if flood := _flood(policy, now_ms, recent_starts_ms):
                return flood
            if last_started_ms is None:
                return None
            spacing = _spacing(policy, now_ms, last_started_ms)
            if policy.events_wait_for_due and not retained and (due := _due(now_ms, next_due_ms)):
                return Deferral(due.reason, min(due.retry_at_ms, spacing.retry_at_ms)) if spacing else due
            return spacing
        case _:
            assert_never(intent)


def _due(now_ms: int, next_due_ms: int) -> Deferral | None:
    return Deferral(DeferReason.NOT_DUE, next_due_ms) if now_ms < next_due_ms else None


def _spacing(policy: CooldownPolicy, now_ms: int, last_started_ms: int | None) -> Deferral | None:
    if last_started_ms is None or policy.min_spacing_ms <= 0:
        return None
    retry_at_ms = last_started_ms + policy.min_spacing_ms
    return Deferral(DeferReason.MIN_SPACING, retry_at_ms) if now_ms < retry_at_ms else None


def _flood(policy: CooldownPolicy, now_ms: int, recent_starts_ms: Sequence[int]) -> Deferral | None:
    threshold = policy.flood_threshold
    if len(recent_starts_ms) < threshold or threshold <= 0 or policy.flood_window_ms <= 0:
        return None
    newest = recent_starts_ms[-threshold:]
    if min(newest) < now_ms - policy.flood_window_ms:
        return None
    return Deferral(DeferReason.FLOOD, newest[0] + policy.flood_window_ms + 1)


@final
@value_class
class CooldownClock:
    """The state behind the decision, one per agent id: a value that is replaced as a whole, and stored.

    Attributes:
        interval_ms: From heartbeat to heartbeat; ``None`` without one.
        next_due_ms: When the agent's next scheduled turn is due, by the turns that counted.
        last_started_ms: Latest start that counted.
        recent_starts_ms: Latest starts that counted, oldest first, one more than the flood guard looks at.
        running_ms: Starts of turns that run, by session. They count until they turn out not to.
        flood_reported: The present flood episode has been reported.
    """

    interval_ms: int | None
    next_due_ms: int
    last_started_ms: int | None = None
    recent_starts_ms: tuple[int, ...] = ()
    running_ms: tuple[tuple[str, int], ...] = ()
    flood_reported: bool = False

    def check(
        self, policy: CooldownPolicy, intent: Intent, *, now_ms: int, retained: bool, due: bool
    ) -> Deferral | None:
        """The decision for one wake, running turns counted as if they had run.

        Args:
            policy: The guards.
            intent: How urgent the wake is.
            now_ms: The present instant.
            retained: The wake was held back before.
            due: It is a heartbeat that is kept elsewhere: due by definition.
        """
        last_ms, recent, next_due_ms = self.last_started_ms, self.recent_starts_ms, self.next_due_ms
        if self.running_ms:
            running = sorted(started_ms for _, started_ms in self.running_ms)
            recent = sorted([*recent, *running])
            last_ms = recent[-1] if last_ms is None else max(last_ms, recent[-1])
            next_due_ms = max(next_due_ms, running[-1] + (self.interval_ms or 0))
        return decide(
            policy,
            intent,
            now_ms=now_ms,
            next_due_ms=now_ms if due else next_due_ms,
            last_started_ms=last_ms,
            recent_starts_ms=recent,
            retained=retained,
        )

    def deferred(self, deferral: Deferral, *, now_ms: int, pushes_due: bool) -> CooldownClock:
        """After a wake was held back.

        As recorded, a deferral by flood or spacing pushes a due time that has come on by one interval, unless the wake
        was the plain exit of a child.
        """
        due_ms = self.next_due_ms
        if pushes_due and deferral.reason is not DeferReason.NOT_DUE and due_ms <= now_ms:
            due_ms = now_ms + (self.interval_ms or 0)
        reported = self.flood_reported or deferral.reason is DeferReason.FLOOD
        if due_ms == self.next_due_ms and reported is self.flood_reported:
            return self
        return evolve(self, next_due_ms=due_ms, flood_reported=reported)

    def started(self, session_key: str, now_ms: int) -> CooldownClock:
        """After a turn of a session has started; it counts at once."""
        return CooldownClock(
            self.interval_ms,
            self.next_due_ms,
            self.last_started_ms,
            self.recent_starts_ms,
            (*self.running_ms, (session_key, now_ms)),
            self.flood_reported,
        )

    def ended(self, session_key: str, policy: CooldownPolicy, *, counts: bool) -> CooldownClock:
        """After the turn of a session has ended: its start counts for good, or was never made (a busy skip)."""
        running = dict(self.running_ms)
        started_ms = running.pop(session_key)
        running_ms = tuple(running.items()) if running else ()
        if not counts:
            return evolve(self, running_ms=running_ms)
        # Overlapping turns may end out of order: the clock keeps the latest start, not the latest end.
        starts_ms = record_start(self.recent_starts_ms, started_ms, policy.flood_threshold)
        is_latest = self.last_started_ms is None or started_ms >= self.last_started_ms
        if not is_latest:
            starts_ms.sort()
        return CooldownClock(
            self.interval_ms,
            started_ms + (self.interval_ms or 0) if is_latest else self.next_due_ms,
            started_ms if is_latest else self.last_started_ms,
            tuple(starts_ms),
            running_ms,
            False,
        )

    def with_interval(self, interval_ms: int | None) -> CooldownClock:
        """With another interval, and nothing else changed."""
        return self if interval_ms == self.interval_ms else evolve(self, interval_ms=interval_ms)

    def reconfigured(self, interval_ms: int | None, now_ms: int) -> CooldownClock:
        """With a new interval, and the due time that follows from it; history and guards are kept."""
        due_ms = now_ms if self.last_started_ms is None else self.last_started_ms + (interval_ms or 0)
        return evolve(self, interval_ms=interval_ms, next_due_ms=due_ms)


def record_start(starts_ms: Sequence[int], started_ms: int, flood_threshold: int) -> list[int]:
    """The bounded buffer of starts with one more: it keeps one more than the flood guard looks at."""
    return [*starts_ms, started_ms][-(flood_threshold + 1) :]
