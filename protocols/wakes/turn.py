"""A turn: one run of an agent's handler on one session, and how it may end."""

from __future__ import annotations

from typing import Final

from attrs import define, frozen

from .event import DeliveryContext, Event
from .wake import Intent, Source, WakeTask


@frozen
class Ran:
    """The turn did its work; the events it was shown are acknowledged.

    Attributes:
        reply: What the agent answers, if anything; ``None`` and the empty string are never delivered.
    """

    reply: str | None = None


@frozen
class Skipped:
    """The turn declined to work. Its events are kept.

    Attributes:
        reason: Why. The busy reasons (:data:`BUSY_REASONS`) move nothing and are tried again soon.
        retry_at_ms: Set by a guard that held the wake back: the instant at which it resumes.
    """

    reason: str
    retry_at_ms: int | None = None


@frozen
class Failed:
    """The turn could not do its work. Its events are kept.

    Attributes:
        reason: Why.
        transient: Worth another try; a bounded number of tries with backoff follows. ``False``: trying again is
            useless.
    """

    reason: str
    transient: bool = True


Outcome = Ran | Skipped | Failed

BUSY_REASONS: Final = frozenset(
    {"active-run", "requests-in-flight", "cron-in-progress", "preempted", "channel-not-ready"}
)
"""Skip reasons that say "not now, ask again": they poison no cooldown (openclaw#29762, #39182)."""

_IDLE_ALWAYS: Final = frozenset({"preempted", "channel-not-ready"})
_IDLE_UNLESS_URGENT: Final = frozenset({"requests-in-flight", "active-run"})


def wants_idle_grace(reason: str, intent: Intent) -> bool:
    """Whether a busy skip should wait for the idle grace (a minute), not the busy retry (a second).

    Work that nobody waits for does not press on a session that is talking to somebody (openclaw#123458).
    """
    patient = intent in (Intent.SCHEDULED, Intent.TASK)
    return reason in _IDLE_ALWAYS or (patient and reason in _IDLE_UNLESS_URGENT)


@define(eq=False)
class TurnRequest:
    """Everything a turn is given. Made by the agent, run by the turn runner.

    Attributes:
        turn_id: Unique within the host.
        reasons: Every reason that led here, oldest first; ``reasons_omitted`` more were not kept.
        events: What the session has to see, oldest first; acknowledged when the turn has run.
        delivery: Where the answer should go: what the wake says, else what its events say, the latest first.
        events_dropped: How many older events a bounded queue had to drop since the last turn that was told.
        attempt: 0 for the first try of this work, counted up by failed tries.
    """

    turn_id: int
    agent_id: str
    session_key: str
    source: Source
    intent: Intent
    reason: str
    reasons: tuple[str, ...]
    reasons_omitted: int
    events: tuple[Event, ...]
    events_dropped: int
    tasks: tuple[WakeTask, ...]
    delivery: DeliveryContext | None
    heartbeat_interval_ms: int | None
    attempt: int
    started_at_ms: int
    timeout_ms: int
