"""Coalescing: many wakes of one session become one turn that knows every reason.

Each session has three slots, because three kinds of work must not swallow one another: due *tasks*, the *scheduled*
beat, and *events* (with everything urgent). Wakes in the same slot merge at once; slots that are ready together merge
when they are taken, except that a task and an event stay two turns. The rules were recorded from OpenClaw; every
reason is kept, where OpenClaw keeps the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import Factory, define

from ..values.duration import DURATION_MS_MAX
from ..values.ecmascript import collation_key
from .event import DeliveryContext
from .messages import Wake
from .wake import Intent, Source, WakeTask, normalize_reason

REASONS_MAX: Final = 32
"""Reasons kept per pending wake; of the rest, the count."""

# Looking a member up in its enum costs more than what is done with it here.
_SCHEDULED: Final = Intent.SCHEDULED
_TASK: Final = Intent.TASK
_URGENT: Final = (Intent.IMMEDIATE, Intent.MANUAL)
_RETRY: Final = Source.RETRY
_INTERVAL: Final = Source.INTERVAL
_TELLING_REASONS: Final = ("retry", "interval")


@define(eq=False)
class Waiter:
    """Somebody who waits for the outcome of a wake. ``settle`` is called once; a second call is harmless."""

    settle: Callable[[Any], None]
    at_deferral: bool


@define(eq=False)
class PendingWake:
    """A wake that waits for its turn, alone or merged.

    Attributes:
        requested_at_ms: Decides which of two equals is the later.
        ready_at_ms: End of its coalesce window.
        not_before_ms: The instant a guard named; 0 without one.
        retained: A guard has held it before.
        names_session: It named a session, not only an agent.
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
    waiters: list[Waiter] = Factory(list[Waiter])
    attempt: int = 0

    @property
    def due_at_ms(self) -> int:
        """When it may be taken, as far as the wake itself is concerned."""
        return max(self.not_before_ms, self.ready_at_ms)

    def settle(self, outcome: object) -> None:
        """Tell everybody who waits, once."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.settle(outcome)

    def settle_deferred(self, outcome: object) -> None:
        """Tell those who asked to hear of the first deferral; the others go on waiting."""
        for waiter in self.waiters:
            if waiter.at_deferral:
                waiter.settle(outcome)
        self.waiters = [waiter for waiter in self.waiters if not waiter.at_deferral]


def pending_wake(wake: Wake, now_ms: int) -> PendingWake:
    """A wake as it enters its session's slots at ``now_ms``."""
    reason = normalize_reason(wake.reason)
    ready_at_ms = now_ms + wake.coalesce_ms if wake.coalesce_ms > 0 else now_ms
    pending = PendingWake(wake.source, wake.intent, reason, now_ms, ready_at_ms)
    pending.reasons = (reason,)
    pending.tasks = wake.tasks
    pending.delivery = wake.delivery
    if wake.session_key is None:
        pending.names_session = False
    if wake.heartbeat_interval_ms is not None:
        pending.heartbeat_interval_ms = _interval_or_none(wake.heartbeat_interval_ms)
    if wake.settle is not None:
        pending.waiters.append(Waiter(wake.settle, wake.settle_on_deferral))
    return pending


def _interval_or_none(every_ms: object) -> int | None:
    """An interval that cannot be one is as good as none: the wake is then an ordinary one."""
    return every_ms if isinstance(every_ms, int) and 0 < every_ms <= DURATION_MS_MAX else None


def priority(wake: PendingWake) -> int:
    """Which of two wakes gives the merged one its source, intent and reason: urgent, event, beat, retry."""
    if wake.intent in _URGENT:
        return 3
    if wake.source is _RETRY or wake.reason == "retry":
        return 0
    if wake.intent is _SCHEDULED or wake.source is _INTERVAL or wake.reason == "interval":
        return 1
    return 2


def merge(earlier: PendingWake, later: PendingWake) -> PendingWake:
    """Unite two wakes of one session; ``earlier`` becomes the united one.

    The preferred one (a task before anything else, else by priority, else the later) gives source, intent and reason.
    Tasks are united, a delivery override is kept whoever brought it, every waiter and every reason is kept. An urgent
    wake that no guard has held yet lifts what a guard imposed on the other: immediate and manual release retained work.
    """
    chosen, other = (later, earlier) if _prefers_later(earlier, later) else (earlier, later)
    intent = other.intent if chosen.intent is _SCHEDULED else chosen.intent
    releases = chosen.intent in _URGENT and not chosen.retained
    if releases:
        earlier.not_before_ms, earlier.retained, requested_at_ms = 0, False, chosen.requested_at_ms
    elif earlier.not_before_ms or later.not_before_ms:
        requested_at_ms = min(earlier.requested_at_ms, later.requested_at_ms)
        earlier.not_before_ms = max(earlier.not_before_ms, later.not_before_ms)
        earlier.retained = earlier.retained or later.retained
    else:
        requested_at_ms = chosen.requested_at_ms
        earlier.retained = earlier.retained or later.retained
    earlier.delivery = chosen.delivery or other.delivery
    if chosen.heartbeat_interval_ms is not None or other.heartbeat_interval_ms is not None:
        every_ms = chosen.heartbeat_interval_ms
        earlier.heartbeat_interval_ms = other.heartbeat_interval_ms if every_ms is None else every_ms
    if earlier.tasks or later.tasks:
        earlier.tasks = _all_tasks(earlier.tasks, later.tasks)
    if later.waiters:
        earlier.waiters.extend(later.waiters)
    _keep_reasons(earlier, later)
    earlier.source, earlier.intent, earlier.reason = chosen.source, intent, chosen.reason
    earlier.names_session = chosen.names_session
    earlier.requested_at_ms = requested_at_ms
    earlier.ready_at_ms = min(earlier.ready_at_ms, later.ready_at_ms)
    earlier.attempt = max(earlier.attempt, later.attempt)
    return earlier


def _prefers_later(earlier: PendingWake, later: PendingWake) -> bool:
    if (earlier.intent is _TASK) != (later.intent is _TASK):
        return later.intent is _TASK
    ahead = priority(later) - priority(earlier)
    return ahead > 0 or (ahead == 0 and later.requested_at_ms >= earlier.requested_at_ms)


def _keep_reasons(earlier: PendingWake, later: PendingWake) -> None:
    room = REASONS_MAX - len(earlier.reasons)
    earlier.reasons_omitted += later.reasons_omitted + max(0, len(later.reasons) - room)
    if room > 0:
        earlier.reasons += later.reasons[:room]


def _all_tasks(earlier: tuple[WakeTask, ...], later: tuple[WakeTask, ...]) -> tuple[WakeTask, ...]:
    if not earlier and not later:
        return ()
    by_job = {task.job_id: task for task in (*earlier, *later)}
    return tuple(sorted(by_job.values(), key=lambda task: collation_key(task.job_id)))


@define(eq=False)
class SessionWakes:
    """The pending wakes of one session.

    Attributes:
        blocked_until_ms: Set by a busy skip: nothing of this session starts before it, not even a manual wake.
    """

    task: PendingWake | None = None
    scheduled: PendingWake | None = None
    event: PendingWake | None = None
    blocked_until_ms: int = 0

    def __bool__(self) -> bool:
        return not (self.event is None and self.task is None and self.scheduled is None)

    def __iter__(self) -> Iterator[PendingWake]:
        return iter([wake for wake in (self.task, self.scheduled, self.event) if wake is not None])

    def offer(self, wake: PendingWake, blocked_until_ms: int = 0) -> bool:
        """Add a wake; returns whether it merged with one that was there."""
        self.blocked_until_ms = max(self.blocked_until_ms, blocked_until_ms)
        if wake.intent is _TASK:
            there, self.task = self.task, merge(self.task, wake) if self.task else wake
        elif wake.intent is _SCHEDULED:
            there, self.scheduled = self.scheduled, merge(self.scheduled, wake) if self.scheduled else wake
        else:
            there, self.event = self.event, merge(self.event, wake) if self.event else wake
        return there is not None

    def absorb(self, wake: Wake, now_ms: int) -> PendingWake | None:
        """The short way of the commonest case, one more wake of the same kind: what :meth:`offer` would make of it,
        without making it first. ``None``: not such a case, offer it.
        """
        there = self.task if wake.intent is _TASK else self.scheduled if wake.intent is _SCHEDULED else self.event
        if there is None or there.source is not wake.source or there.intent is not wake.intent or there.retained:
            return None
        if wake.tasks or wake.delivery or wake.settle or wake.heartbeat_interval_ms or there.not_before_ms:
            return None
        reason = normalize_reason(wake.reason)
        if reason != there.reason and (reason in _TELLING_REASONS or there.reason in _TELLING_REASONS):
            return None
        there.reason = reason
        there.requested_at_ms = now_ms
        there.names_session = wake.session_key is not None
        there.ready_at_ms = min(there.ready_at_ms, now_ms + wake.coalesce_ms if wake.coalesce_ms > 0 else now_ms)
        if len(there.reasons) < REASONS_MAX:
            there.reasons += (reason,)
        else:
            there.reasons_omitted += 1
        return there

    def earliest_ms(self) -> int | None:
        """When something can be taken; ``None`` with nothing pending."""
        earliest_ms: int | None = None
        for wake in (self.event, self.scheduled, self.task):
            if wake is not None and (earliest_ms is None or wake.due_at_ms < earliest_ms):
                earliest_ms = wake.due_at_ms
        if earliest_ms is not None and earliest_ms < self.blocked_until_ms:
            return self.blocked_until_ms
        return earliest_ms

    def take(self, now_ms: int) -> list[PendingWake]:
        """Remove and return what is ready, as the turns it makes: at most a task turn and another."""
        if self.blocked_until_ms > now_ms:
            return []
        task = scheduled = event = None
        if self.task and self.task.due_at_ms <= now_ms:
            task, self.task = self.task, None
        if self.scheduled and self.scheduled.due_at_ms <= now_ms:
            scheduled, self.scheduled = self.scheduled, None
        if self.event and self.event.due_at_ms <= now_ms:
            event, self.event = self.event, None
        if not self:
            self.blocked_until_ms = 0
        return _turns_of(task, scheduled, event)

    def take_all(self) -> list[PendingWake]:
        """Remove and return everything, ready or not."""
        wakes = list(self)
        self.task = self.scheduled = self.event = None
        return wakes


def _turns_of(task: PendingWake | None, scheduled: PendingWake | None, event: PendingWake | None) -> list[PendingWake]:
    if task is not None:
        if scheduled is not None:
            task = merge(scheduled, task)
        if event is None:
            return [task]
        return sorted([task, event], key=lambda wake: (not wake.retained, wake.requested_at_ms))
    if event is not None:
        return [event if scheduled is None else merge(scheduled, event)]
    return [] if scheduled is None else [scheduled]
