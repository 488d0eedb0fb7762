"""Decisions: what was done with every event and every wake, for people to read and for programs to count."""

from __future__ import annotations

import enum
from typing import Protocol

from attrs import define

from .wake import Intent, Source


class DecisionKind(enum.StrEnum):
    """What was decided."""

    EVENT = "event"
    """An event was accepted."""
    DUPLICATE = "duplicate"
    """An event said what a queued one says already."""
    ACCEPTED = "accepted"
    """A wake was accepted."""
    COALESCED = "coalesced"
    """A wake joined one that was pending."""
    DEFERRED = "deferred"
    """A guard, a busy session or a backoff holds a wake until ``until_ms``."""
    STARTED = "started"
    RAN = "ran"
    SEEN = "seen"
    """The exit that events tell of was shown to somebody in another way: they are acknowledged without a turn."""
    SKIPPED = "skipped"
    """The turn declined, or a guard let a scheduled heartbeat go; nothing is retried."""
    FAILED = "failed"
    PARKED = "parked"
    """The tries are used up. The events stay, and the next wake shows them again."""
    STUCK = "stuck"
    """A turn that was told to end does not; its session waits for it, others do not."""
    DEAD = "dead"
    """An event left the queue unseen, for the reason given."""
    REFUSED = "refused"
    """Not taken at all; the sender was told."""
    FLOOD = "flood"
    """The flood guard began to hold an agent back. Once per episode."""


@define(eq=False)
class Decision:
    """One decision.

    Attributes:
        at_ms: On the host's timeline.
        reason: The wake's reason, the outcome's, or the guard's.
        until_ms: When a deferred wake resumes.
        turn_id: The turn it is about.
        text: The event's text, where the decision is about an event; a turn's reply, where it ran.
        held_by: What holds a deferred wake: the name of a guard, the kind of a busy skip, or ``backoff``.
        events: How many events were acknowledged.
    """

    at_ms: int
    kind: DecisionKind
    agent_id: str | None
    session_key: str | None
    source: Source | None = None
    intent: Intent | None = None
    reason: str = ""
    until_ms: int | None = None
    turn_id: int | None = None
    text: str | None = None
    held_by: str | None = None
    events: int = 0


class Ledger(Protocol):
    """Where decisions are recorded."""

    def record(self, decision: Decision, /) -> None:
        """Take one decision. Never fails, never waits."""
        ...
