"""What the outcome of a turn means for the wake that it answered.

One pure function, so that the whole policy can be read and tested in one place:

| outcome                              | start counts | events       | the wake                                       |
|--------------------------------------|--------------|--------------|------------------------------------------------|
| ran                                  | yes          | acknowledged | done                                           |
| busy skip, urgent work               | no           | kept         | back; the whole session waits ``busy_ms``      |
| busy skip that nobody waits for      | no           | kept         | back, for ``idle_ms``                          |
| no pending event, for an exit        | no           | kept         | done; what is left waits ``idle_ms``           |
| skipped by a guard's name, work      | yes          | kept         | back, until the instant given, else ``busy_ms``|
| skipped otherwise                    | yes          | kept         | done; what is left waits ``idle_ms``           |
| failed, transient, tries are left    | yes          | one failure  | back, after the backoff                        |
| failed otherwise                     | yes          | one failure  | parked                                         |

"Back" means that the wake is kept and tried again by itself. "What is left" are events that were promised a turn.
"Work" is a wake with tasks, or of an intent in :data:`RETAINED_INTENTS`; a guard's name lets any other go, as if it
were skipped otherwise.
"""

from __future__ import annotations

from typing import Final, assert_never, final

from attrs import evolve

from ..config import RetryPolicy
from ..values.value_class import value_class
from .pending import PendingWake
from .turn import Failed, Outcome, Ran, SkipKind, Skipped
from .wake import Intent, Source

BACKOFF: Final = "backoff"
"""What holds a wake after a failure, whatever the failure said."""

RETAINED_INTENTS: Final = frozenset({Intent.TASK, Intent.EVENT, Intent.IMMEDIATE})
"""Work that a guard holds back is kept. A scheduled heartbeat is let go: the next one comes by itself."""

_IDLE_ALWAYS: Final = frozenset({SkipKind.PREEMPTED, SkipKind.CHANNEL_NOT_READY})
_IDLE_UNLESS_URGENT: Final = frozenset({SkipKind.REQUESTS_IN_FLIGHT, SkipKind.ACTIVE_RUN})
_GUARDS: Final = frozenset({SkipKind.NOT_DUE, SkipKind.MIN_SPACING, SkipKind.FLOOD})


@final
@value_class
class Done:
    """The wake is answered. Events that are left get a wake of their own, not before ``rest_at_ms``."""

    rest_at_ms: int


@final
@value_class
class RetryAt:
    """The wake is kept, and may pass from ``at_ms`` on.

    Attributes:
        held_by: For the books: the kind of the skip, or :data:`BACKOFF`.
        reason: For people.
    """

    at_ms: int
    held_by: str
    reason: str


@final
@value_class
class BlockUntil:
    """The wake is kept, and nothing of its session starts before ``at_ms``, not even a manual wake: it is busy."""

    at_ms: int
    held_by: str
    reason: str


@final
@value_class
class Park:
    """The tries are used up, or another try is useless. The next wake from outside starts from the beginning."""

    reason: str


Next = Done | RetryAt | BlockUntil | Park


@final
@value_class
class AfterTurn:
    """What follows from the end of a turn.

    Attributes:
        counts: Whether the start of the turn counts on the cooldown clock. A start that does not count was never made.
        failed: Whether the events that the turn was shown have been in one more failed turn.
        next: What becomes of the wake.
    """

    counts: bool
    failed: bool
    next: Next


def after_turn(outcome: Outcome, wake: PendingWake, retry: RetryPolicy, *, now_ms: int, draw: float) -> AfterTurn:
    """Decide what follows from the end of a turn.

    Args:
        outcome: How the turn ended.
        wake: The wake that it answered; ``wake.attempt`` failed tries lie behind it.
        retry: The agent's policy.
        now_ms: The present instant.
        draw: A random number, 0 <= draw < 1, for the jitter of the backoff.
    """
    match outcome:
        case Ran():
            return AfterTurn(counts=True, failed=False, next=Done(now_ms))
        case Skipped():
            return _after_skip(outcome, wake, retry, now_ms)
        case Failed():
            return AfterTurn(counts=True, failed=True, next=_after_failure(outcome, wake, retry, now_ms, draw))
        case _:
            assert_never(outcome)


def next_try(wake: PendingWake) -> PendingWake:
    """The wake of a failed turn, for its next try."""
    # The heartbeat of a failed turn has been. What is left is the work that it asked for.
    intent = Intent.EVENT if wake.intent is Intent.SCHEDULED else wake.intent
    return evolve(wake, attempt=wake.attempt + 1, intent=intent, callers=())


def _after_skip(skipped: Skipped, wake: PendingWake, retry: RetryPolicy, now_ms: int) -> AfterTurn:
    kind, held_by = skipped.kind, skipped.kind.value
    if skipped.is_busy:
        if _waits_for_idle(kind, wake.intent):
            return AfterTurn(counts=False, failed=False, next=RetryAt(now_ms + retry.idle_ms, held_by, skipped.reason))
        return AfterTurn(counts=False, failed=False, next=BlockUntil(now_ms + retry.busy_ms, held_by, skipped.reason))
    if kind in _GUARDS and (wake.tasks or wake.intent in RETAINED_INTENTS):
        at_ms = now_ms + retry.busy_ms if skipped.retry_at_ms is None else skipped.retry_at_ms
        return AfterTurn(counts=True, failed=False, next=RetryAt(at_ms, held_by, skipped.reason))
    # An exit that somebody was shown meanwhile leaves nothing to do: as if no turn had started.
    counts = not (kind is SkipKind.NO_PENDING_EVENT and wake.source is Source.EXEC_EVENT)
    return AfterTurn(counts=counts, failed=False, next=Done(now_ms + retry.idle_ms))


def _waits_for_idle(kind: SkipKind, intent: Intent) -> bool:
    """Work that nobody waits for does not press on a session that is talking to somebody (openclaw#123458)."""
    patient = intent in (Intent.SCHEDULED, Intent.TASK)
    return kind in _IDLE_ALWAYS or (patient and kind in _IDLE_UNLESS_URGENT)


def _after_failure(failed: Failed, wake: PendingWake, retry: RetryPolicy, now_ms: int, draw: float) -> Next:
    tries = wake.attempt + 1
    if failed.transient and tries < retry.attempts_max:
        return RetryAt(now_ms + retry.backoff.delay_ms(wake.attempt, draw), BACKOFF, failed.reason)
    return Park(f"after {tries} tries: {failed.reason}")
