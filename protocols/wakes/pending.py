"""Coalescing: many wakes of one session become one turn that knows every reason.

Each session has three slots, because three kinds of work must not swallow one another: due *tasks*, the *scheduled*
heartbeat, and *events* (with everything urgent). Wakes in the same slot merge at once; slots that are ready together
merge when they are taken, except that a task and an event stay two turns. The rules were recorded from OpenClaw; every
reason is kept, where OpenClaw keeps the last.

The values here are never changed, only replaced: what was stored with a commit stays what it was, also while later
messages go on from it. A new value costs about a microsecond; to copy before each change would cost more.
"""

from __future__ import annotations

from typing import Final, final

from attrs import evolve, field

from ..values.duration import DURATION_MS_MAX
from ..values.ecmascript import collation_key
from ..values.value_class import value_class
from .event import DeliveryContext
from .messages import Ticket, Wake
from .wake import Intent, Source, WakeTask, normalize_reason

REASONS_MAX: Final = 32
"""Reasons kept per pending wake; of the rest, the count."""

# To look a member up in its enum costs more than what is done with it here.
_SCHEDULED: Final = Intent.SCHEDULED
_TASK: Final = Intent.TASK
_URGENT: Final = (Intent.IMMEDIATE, Intent.MANUAL)
_RETRY: Final = Source.RETRY
_INTERVAL: Final = Source.INTERVAL
_TELLING_REASONS: Final = ("retry", "interval")


@final
@value_class
class Waiter:
    """Somebody who waits for the outcome of a wake.

    Attributes:
        at_deferral: It wants to hear of the first deferral already.
    """

    ticket: Ticket
    at_deferral: bool = False


@final
@value_class
class PendingWake:
    """A wake that waits for its turn, alone or merged.

    Attributes:
        requested_at_ms: Decides which of two equals is the later.
        ready_at_ms: End of its coalesce window.
        not_before_ms: The instant that a guard named; 0 without one.
        retained: A guard has held it before.
        names_session: It named a session, not only an agent.
        callers: Who waits for the outcome.
        attempt: How many failed turns it has behind it.
    """

    source: Source
    intent: Intent
    reason: str
    requested_at_ms: int
    ready_at_ms: int
    not_before_ms: int = 0
    retained: bool = False
    names_session: bool = True
    reasons: tuple[str, ...] = ()
    reasons_omitted: int = 0
    tasks: tuple[WakeTask, ...] = ()
    delivery: DeliveryContext | None = None
    heartbeat_interval_ms: int | None = None
    callers: tuple[Waiter, ...] = ()
    attempt: int = 0

    @property
    def due_at_ms(self) -> int:
        """When it may be taken, as far as the wake itself is concerned."""
        guard_ms, ready_ms = self.not_before_ms, self.ready_at_ms
        return guard_ms if guard_ms > ready_ms else ready_ms  # noqa: FURB136  max() costs a call


def pending_wake(wake: Wake, now_ms: int) -> PendingWake:
    """A wake as it enters its session's slots at ``now_ms``."""
    reason = normalize_reason(wake.reason)
    callers = () if wake.ticket is None else (Waiter(wake.ticket, wake.answer_at_deferral),)
    return PendingWake(
        wake.source,
        wake.intent,
        reason,
        now_ms,
        _ready_at_ms(wake, now_ms),
        0,
        False,
        wake.session_key is not None,
        (reason,),
        0,
        wake.tasks,
        wake.delivery,
        None if wake.heartbeat_interval_ms is None else _interval_or_none(wake.heartbeat_interval_ms),
        callers,
    )


def _ready_at_ms(wake: Wake, now_ms: int) -> int:
    return now_ms + wake.coalesce_ms if wake.coalesce_ms > 0 else now_ms


def _interval_or_none(interval_ms: object) -> int | None:
    """An interval that cannot be one is as good as none: the wake is then an ordinary one."""
    return interval_ms if isinstance(interval_ms, int) and 0 < interval_ms <= DURATION_MS_MAX else None


def priority(wake: PendingWake) -> int:
    """Which of two wakes gives the merged one its source, intent and reason: urgent, event, heartbeat, retry."""
    if wake.intent in _URGENT:
        return 3
    if wake.source is _RETRY or wake.reason == "retry":
        return 0
    if wake.intent is _SCHEDULED or wake.source is _INTERVAL or wake.reason == "interval":
        return 1
    return 2


def merge(earlier: PendingWake, later: PendingWake) -> PendingWake:
    """Unite two wakes of one session.

    The preferred one (a task before anything else, else by priority, else the later) gives source, intent and reason.
    Tasks are united, a delivery override is kept whoever brought it, every caller and every reason is kept. An urgent
    wake that no guard has held yet lifts what a guard imposed on the other: immediate and manual release retained work.
    """
    chosen, other = (later, earlier) if _prefers_later(earlier, later) else (earlier, later)
    not_before_ms, retained = 0, earlier.retained or later.retained
    requested_at_ms = chosen.requested_at_ms
    if chosen.intent in _URGENT and not chosen.retained:
        retained = False
    elif earlier.not_before_ms or later.not_before_ms:
        requested_at_ms = min(earlier.requested_at_ms, later.requested_at_ms)
        not_before_ms = max(earlier.not_before_ms, later.not_before_ms)
    interval_ms = chosen.heartbeat_interval_ms
    room = max(0, REASONS_MAX - len(earlier.reasons))
    return PendingWake(
        chosen.source,
        other.intent if chosen.intent is _SCHEDULED else chosen.intent,
        chosen.reason,
        requested_at_ms,
        min(earlier.ready_at_ms, later.ready_at_ms),
        not_before_ms,
        retained,
        chosen.names_session,
        earlier.reasons + later.reasons[:room],
        earlier.reasons_omitted + later.reasons_omitted + max(0, len(later.reasons) - room),
        _all_tasks(earlier.tasks, later.tasks),
        chosen.delivery or other.delivery,
        other.heartbeat_interval_ms if interval_ms is None else interval_ms,
        earlier.callers + later.callers,
        max(earlier.attempt, later.attempt),
    )


def _prefers_later(earlier: PendingWake, later: PendingWake) -> bool:
    if (earlier.intent is _TASK) != (later.intent is _TASK):
        return later.intent is _TASK
    ahead = priority(later) - priority(earlier)
    return ahead > 0 or (ahead == 0 and later.requested_at_ms >= earlier.requested_at_ms)


def _all_tasks(earlier: tuple[WakeTask, ...], later: tuple[WakeTask, ...]) -> tuple[WakeTask, ...]:
    if not earlier and not later:
        return ()
    by_job = {task.job_id: task for task in (*earlier, *later)}
    return tuple(sorted(by_job.values(), key=lambda task: collation_key(task.job_id)))


def _absorbed(there: PendingWake, wake: Wake, now_ms: int) -> PendingWake | None:
    """The short way of the commonest case, one more wake of the same kind: what :func:`merge` would make of it, without
    making a pending wake of it first. ``None``: this is not such a case.
    """
    if there.source is not wake.source or there.intent is not wake.intent or there.retained:
        return None
    if wake.tasks or wake.delivery or wake.ticket or wake.heartbeat_interval_ms or there.not_before_ms:
        return None
    reason = normalize_reason(wake.reason)
    if reason != there.reason and (reason in _TELLING_REASONS or there.reason in _TELLING_REASONS):
        return None
    is_full = len(there.reasons) >= REASONS_MAX
    return PendingWake(
        there.source,
        there.intent,
        reason,
        now_ms,
        min(there.ready_at_ms, _ready_at_ms(wake, now_ms)),
        0,
        False,
        wake.session_key is not None,
        there.reasons if is_full else (*there.reasons, reason),
        there.reasons_omitted + is_full,
        there.tasks,
        there.delivery,
        there.heartbeat_interval_ms,
        there.callers,
        there.attempt,
    )


@final
@value_class
class SessionWakes:
    """The pending wakes of one session, a value.

    Attributes:
        blocked_until_ms: Set by a busy skip: nothing of this session starts before it, not even a manual wake.
    """

    task: PendingWake | None = None
    scheduled: PendingWake | None = None
    event: PendingWake | None = None
    blocked_until_ms: int = field(default=0)

    def __bool__(self) -> bool:
        return not (self.event is None and self.task is None and self.scheduled is None)

    def all(self) -> list[PendingWake]:
        """Those that are pending, ready or not."""
        return [wake for wake in (self.task, self.scheduled, self.event) if wake is not None]

    def slot(self, intent: Intent) -> PendingWake | None:
        """What is pending in the slot that a wake of this intent belongs to."""
        return self.task if intent is _TASK else self.scheduled if intent is _SCHEDULED else self.event

    def request(self, wake: Wake, now_ms: int) -> tuple[SessionWakes, PendingWake, bool]:
        """One more wake, as it was asked for.

        Returns:
            The wakes with it; the pending wake that it has become or joined; whether it joined one.
        """
        intent = wake.intent
        there = self.task if intent is _TASK else self.scheduled if intent is _SCHEDULED else self.event
        if there is None:
            pending = pending_wake(wake, now_ms)
        else:
            pending = _absorbed(there, wake, now_ms) or merge(there, pending_wake(wake, now_ms))
        return self._with(intent, pending), pending, there is not None

    def offer(self, wake: PendingWake) -> SessionWakes:
        """With one more wake, merged with what is in its slot."""
        there = self.slot(wake.intent)
        return self._with(wake.intent, wake if there is None else merge(there, wake))

    def block(self, until_ms: int) -> SessionWakes:
        """With nothing to start before ``until_ms``."""
        return evolve(self, blocked_until_ms=max(self.blocked_until_ms, until_ms))

    def _with(self, intent: Intent, wake: PendingWake) -> SessionWakes:
        if intent is _TASK:
            return SessionWakes(wake, self.scheduled, self.event, self.blocked_until_ms)
        if intent is _SCHEDULED:
            return SessionWakes(self.task, wake, self.event, self.blocked_until_ms)
        return SessionWakes(self.task, self.scheduled, wake, self.blocked_until_ms)

    def earliest_ms(self) -> int | None:
        """When something can be taken; ``None`` with nothing pending."""
        earliest_ms: int | None = None
        for wake in (self.event, self.scheduled, self.task):
            if wake is not None:
                due_ms = wake.due_at_ms
                if earliest_ms is None or due_ms < earliest_ms:
                    earliest_ms = due_ms
        if earliest_ms is not None and earliest_ms < self.blocked_until_ms:
            return self.blocked_until_ms
        return earliest_ms

    def take(self, now_ms: int) -> tuple[tuple[PendingWake, ...], SessionWakes]:
        """What is ready, as the turns it makes (at most a task turn and another), and what is left."""
        if self.blocked_until_ms > now_ms:
            return (), self
        task, task_left = _split(self.task, now_ms)
        scheduled, scheduled_left = _split(self.scheduled, now_ms)
        event, event_left = _split(self.event, now_ms)
        left = NO_WAKES
        if task_left or scheduled_left or event_left:
            left = SessionWakes(task_left, scheduled_left, event_left, self.blocked_until_ms)
        return _turns_of(task, scheduled, event), left


NO_WAKES: Final = SessionWakes()


def _split(wake: PendingWake | None, now_ms: int) -> tuple[PendingWake | None, PendingWake | None]:
    """A wake that is ready, or one that has to stay."""
    if wake is None or wake.due_at_ms <= now_ms:
        return wake, None
    return None, wake


def _turns_of(
    task: PendingWake | None, scheduled: PendingWake | None, event: PendingWake | None
) -> tuple[PendingWake, ...]:
    if task is not None:
        if scheduled is not None:
            task = merge(scheduled, task)
        if event is None:
            return (task,)
        return tuple(sorted([task, event], key=lambda wake: (not wake.retained, wake.requested_at_ms)))
    if event is not None:
        return (event if scheduled is None else merge(scheduled, event),)
    return () if scheduled is None else (scheduled,)
