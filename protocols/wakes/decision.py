"""Decisions: what was done with every event and every wake, for people to read and for programs to count."""

from __future__ import annotations

import enum

from attrs import Factory, define

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


@define(eq=False)
class DecisionCounts:
    """The books of one agent, as its decisions add up. Accepted = presented + retained + dead, at every instant.

    Attributes:
        wakes: Wakes that were asked for, those that came with an event included.
        coalesced: Of these, how many joined another that was pending.
        deferred: How often a wake was held, by what held it.
    """

    wakes: int = 0
    coalesced: int = 0
    deferred: dict[str, int] = Factory(dict[str, int])
    turns: int = 0
    events_accepted: int = 0
    events_presented: int = 0
    events_dead: int = 0

    def note(self, decision: Decision) -> None:
        """Add one decision. Of the kinds that are not named here nothing is counted by agent."""
        kind = decision.kind
        if kind is _ACCEPTED:
            self.wakes += 1
        elif kind is _COALESCED:
            self.wakes += 1
            self.coalesced += 1
        elif kind is _STARTED:
            self.turns += 1
        elif kind is _RAN or kind is _SEEN:
            self.events_presented += decision.events
        elif kind is _EVENT:
            self.events_accepted += 1
        elif kind is _DEFERRED:
            held_by = decision.held_by or decision.reason
            self.deferred[held_by] = self.deferred.get(held_by, 0) + 1
        elif kind is _DEAD:
            self.events_dead += 1


# A member costs four times as much to look up in its enum as by a name of the module, and this runs for each decision.
_ACCEPTED, _COALESCED, _DEFERRED = DecisionKind.ACCEPTED, DecisionKind.COALESCED, DecisionKind.DEFERRED
_STARTED, _RAN, _SEEN = DecisionKind.STARTED, DecisionKind.RAN, DecisionKind.SEEN
_EVENT, _DEAD = DecisionKind.EVENT, DecisionKind.DEAD
