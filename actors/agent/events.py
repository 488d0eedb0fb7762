"""The events of an agent's sessions: how they come in, and the three ways in which they leave.

An event is acknowledged by a turn that was shown it and ran, or because somebody was shown in another way what it says,
or it becomes a dead letter with its reason. Each way is one record and one decision, so that at every instant
accepted = presented + retained + dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, assert_never, final

from attrs import evolve

from ...protocols.journal.records import EventsRemoved
from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from ...protocols.wakes.decision import Decision, DecisionKind
from ...protocols.wakes.event import Event
from ...protocols.wakes.event_queue import Accepted, Duplicate, EmptyText, Enqueued, EventQueue, Full, Repeat
from ...protocols.wakes.messages import Notice, NoticeRefused
from ...protocols.wakes.session_record import TurnRecord
from ...protocols.wakes.wake import Source
from .core import AgentCore
from .session import Session

_DROPPED: Final = "overflow: the queue keeps the newest"


@final
class SessionEvents:
    """The part of an agent that keeps its sessions' events."""

    __slots__ = ("_core",)

    def __init__(self, core: AgentCore) -> None:
        self._core = core

    def accept(self, session: Session, notice: Notice) -> Enqueued:
        """Queue the event of a notice, or say why not, and answer the caller that waits to hear of it."""
        core = self._core
        if session.queue is None:
            policy = core.state.settings.queue
            session.queue = EventQueue(session.key, policy.capacity, policy.overflow)
        enqueued = self._enqueue(session.queue, notice, Repeat.SKIP)
        turn = session.record.turn
        if isinstance(enqueued, Duplicate) and turn is not None and enqueued.of.id in turn.event_ids:
            # The running turn is dealing with the first one. That it happens again is news.
            enqueued = self._enqueue(session.queue, notice, Repeat.KEEP)
        match enqueued:
            case Accepted(event=event, dropped=dropped):
                core.state.next_event_id += 1
                core.ctx.save(core.agent_id, event)
                core.decide(DecisionKind.EVENT, session.key, notice, notice.reason, text=event.text)
                if dropped is not None:
                    record = session.record
                    core.put(session, evolve(record, events_dropped=record.events_dropped + 1))
                    self._dead(session, (dropped,), _DROPPED)
            case Duplicate(of=event):
                core.decide(DecisionKind.DUPLICATE, session.key, notice, notice.reason, text=event.text)
            case EmptyText():
                core.decide(DecisionKind.REFUSED, session.key, notice, "empty text")
            case Full(capacity=capacity):
                self._refuse(session, notice, capacity)
            case _:
                assert_never(enqueued)
        if notice.ticket is not None:
            core.effects.answer(notice.ticket, _receipt_of(enqueued, session.key))
        return enqueued

    def _enqueue(self, queue: EventQueue, notice: Notice, repeat: Repeat) -> Enqueued:
        return queue.enqueue(
            notice.text,
            event_id=self._core.state.next_event_id,
            accepted_at_ms=self._core.now_ms,
            source=notice.source.value,
            context_key=notice.context_key,
            trusted=notice.trusted,
            delivery=notice.delivery,
            repeat=repeat,
            job_id=notice.job_id,
        )

    def _refuse(self, session: Session, notice: Notice, capacity: int) -> None:
        reason = f"{capacity} events wait"
        self._core.decide(DecisionKind.REFUSED, session.key, notice, reason, text=notice.text)
        if notice.reply_to is not None and notice.job_id is not None:
            # A sender that lives can try again. A child that is dead cannot, so its supervisor offers it again.
            self._core.ctx.tell(notice.reply_to, NoticeRefused(notice.job_id))

    def acknowledge(self, session: Session, turn: TurnRecord) -> int:
        """A turn ran: remove exactly what it was shown. Returns how many events that were."""
        if session.queue is None or not turn.event_ids:
            return 0
        return len(self._remove(session, turn.event_ids))

    def note_failed_turn(self, session: Session, turn: TurnRecord, reason: str) -> None:
        """A turn failed: its events stay, marked as shown before, unless they have been in too many failed turns."""
        if session.queue is None or not turn.event_ids:
            return
        most = self._core.state.settings.queue.failed_turns_max
        after = session.queue.count_failed_turn(turn.event_ids, failed_turns_max=most)
        for event in after.kept:
            self._core.ctx.save(self._core.agent_id, event)
        if after.dead:
            self._dead(session, after.dead, f"shown in {most} failed turns, last: {reason}")

    def take_seen(self, session: Session) -> bool:
        """Acknowledge the exits that somebody has been shown in another way. Returns whether there were any."""
        if session.queue is None or not session.queue.job_events:
            return False
        is_seen = self._core.ports.is_exit_seen
        seen = [event for event in session.queue.job_events if event.job_id is not None and is_seen(event.job_id)]
        return self.acknowledge_seen(session, seen)

    def acknowledge_seen(self, session: Session, seen: Sequence[Event]) -> bool:
        """Acknowledge events without a turn. Returns whether there were any."""
        if not seen:
            return False
        removed = self._remove(session, [event.id for event in seen])
        for event in removed:
            self._core.effects.decide(self._about(session, event, DecisionKind.SEEN, "", events=1))
        if session.record.owed and not session.events_waiting:
            self._core.put(session, evolve(session.record, owed=False))
        return bool(removed)

    def give_up(self, session: Session, reason: str) -> None:
        """Let all events of a session become dead letters."""
        if session.queue is not None and session.events_waiting:
            self._dead(session, session.queue.drain(), reason)

    def _remove(self, session: Session, event_ids: Sequence[int]) -> tuple[Event, ...]:
        assert session.queue is not None
        removed = session.queue.consume(event_ids)
        self._forget(session, removed)
        return removed

    def _dead(self, session: Session, events: Iterable[Event], reason: str) -> None:
        """Events have left the queue unseen."""
        dead = tuple(events)
        self._forget(session, dead)
        for event in dead:
            self._core.effects.decide(self._about(session, event, DecisionKind.DEAD, reason))

    def _forget(self, session: Session, events: Sequence[Event]) -> None:
        if events:
            self._core.ctx.save(self._core.agent_id, EventsRemoved(session.key, tuple(event.id for event in events)))

    def _about(self, session: Session, event: Event, kind: DecisionKind, reason: str, *, events: int = 0) -> Decision:
        return Decision(
            self._core.now_ms,
            kind,
            self._core.agent_id,
            session.key,
            Source(event.source),
            reason=reason,
            text=event.text,
            events=events,
        )


def _receipt_of(enqueued: Enqueued, session_key: str) -> Receipt:
    """What became of an event, for its sender."""
    match enqueued:
        case Accepted():
            return ACCEPTED
        case Duplicate(of=event):
            return Receipt(detail=f"event {event.id} says it already")
        case Full(capacity=capacity):
            return Receipt(Refusal.FULL, f"session {session_key!r} holds {capacity} events; try again later")
        case EmptyText():
            return Receipt(Refusal.INVALID, f"the event for session {session_key!r} has no text")
        case _:
            assert_never(enqueued)
