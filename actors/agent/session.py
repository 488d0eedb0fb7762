"""A session of an agent: its events, its pending wakes, and where it stands.

What is durable (:class:`~wakeward.protocols.wakes.session_record.SessionRecord`, and the events) is stored with each
message that changes it. Where the session stands in this run of the host is one state of the table below, and is worked
out again after a restart.

The states:

    RESTING   nothing is pending. Events may wait for the next wake, or it is parked (in the record)
    PENDING   a wake is pending, and waits for its instant, or for the end of a pause
    IN_LINE   a wake is due, and waits for a turn slot of the host
    SERVING   it has a slot, and works off what it has taken. Within one message only
    RUNNING   a turn runs, and holds the slot
    STUCK     its turn ignores that it was cancelled: the slot was taken from it, and nothing starts before it ends
"""

from __future__ import annotations

import enum
from typing import Final, final

from attrs import define

from ...protocols.wakes.event import resolve_delivery
from ...protocols.wakes.event_queue import EventQueue
from ...protocols.wakes.pending import PendingWake
from ...protocols.wakes.session_record import SessionRecord
from ...protocols.wakes.turn import TurnRequest


class SessionState(enum.StrEnum):
    """Where a session stands. See the module.

    A text, because the hash of one is kept: to look a plain enum member up in a table costs a call in Python.
    """

    RESTING = "resting"
    PENDING = "pending"
    IN_LINE = "in-line"
    SERVING = "serving"
    RUNNING = "running"
    STUCK = "stuck"


RESTING: Final = SessionState.RESTING
PENDING: Final = SessionState.PENDING
IN_LINE: Final = SessionState.IN_LINE
SERVING: Final = SessionState.SERVING
RUNNING: Final = SessionState.RUNNING
STUCK: Final = SessionState.STUCK
# A member costs four times as much to look up in its enum as by a name of the module.

MOVES: Final[dict[SessionState, frozenset[SessionState]]] = {
    RESTING: frozenset({PENDING, IN_LINE, SERVING, RUNNING, STUCK}),
    PENDING: frozenset({RESTING, IN_LINE, SERVING}),
    IN_LINE: frozenset({SERVING, RESTING}),
    SERVING: frozenset({RUNNING, PENDING, RESTING}),
    RUNNING: frozenset({SERVING, STUCK}),
    STUCK: frozenset({PENDING, RESTING}),
}
"""The legal moves. A session that is made from its record after a restart goes from RESTING straight to its turn. From
IN_LINE it rests when the agent leaves."""

SERVED: Final = frozenset({IN_LINE, SERVING, RUNNING, STUCK})


@final
@define(eq=False)
class Session:
    """One session, kept only while there is something in it.

    Attributes:
        record: What is durable of it, but for the events. Replaced as a whole; ``saved`` is what was stored last.
        queue: Its events; made with the first.
        state: Where it stands. Only :meth:`move` writes it.
        armed_ms: What its timer is set to.
    """

    key: str
    record: SessionRecord
    queue: EventQueue | None = None
    saved: SessionRecord | None = None
    state: SessionState = RESTING
    armed_ms: int | None = None

    @property
    def is_served(self) -> bool:
        """Whether somebody will come back to the session: the line of slots, or the end of its turn."""
        return self.state in SERVED

    def move(self, state: SessionState) -> bool:
        """Move to another state. Returns whether it has become busy, or ceased to be: see :attr:`is_busy`.

        A move that the table does not have is a mistake of ours, and nothing has happened.
        """
        assert state in MOVES[self.state], f"{self.key}: no way from {self.state.name} to {state.name}"
        changes = (self.state is RESTING) != (state is RESTING)
        self.state = state
        return changes

    @property
    def is_busy(self) -> bool:
        """Whether it is outstanding work of the host: a wake is pending, or a turn runs."""
        return self.state is not RESTING

    @property
    def events_waiting(self) -> int:
        """Events that are not acknowledged."""
        return 0 if self.queue is None else len(self.queue)

    @property
    def is_empty(self) -> bool:
        """Nothing is in it: it can be forgotten."""
        return self.state is RESTING and (self.queue is None or not len(self.queue))

    def request(
        self, wake: PendingWake, turn_id: int, agent_id: str, *, now_ms: int, timeout_ms: int, shown_max: int
    ) -> TurnRequest:
        """The turn that answers ``wake`` now, shown what the session has to see."""
        events = () if self.queue is None else self.queue.peek(shown_max)
        return TurnRequest(
            turn_id=turn_id,
            agent_id=agent_id,
            session_key=self.key,
            source=wake.source,
            intent=wake.intent,
            reason=wake.reason,
            reasons=wake.reasons,
            reasons_omitted=wake.reasons_omitted,
            events=events,
            events_dropped=self.record.events_dropped,
            tasks=wake.tasks,
            delivery=wake.delivery or (resolve_delivery(events) if events else None),
            heartbeat_interval_ms=wake.heartbeat_interval_ms,
            attempt=wake.attempt,
            started_at_ms=now_ms,
            timeout_ms=timeout_ms,
        )
