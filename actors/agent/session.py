"""A lane: one session of an agent, with its events, its pending wakes and the turn it is in."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, define

from ...protocols.config import AgentSettings
from ...protocols.wakes.event import resolve_delivery
from ...protocols.wakes.event_queue import EventQueue
from ...protocols.wakes.pending import PendingWake, SessionWakes
from ...protocols.wakes.turn import TurnRequest


@define(eq=False)
class Lane:
    """One session. Kept only while there is something in it.

    Attributes:
        queue: The session's events; made with the first.
        is_seen: Of events, by number, that somebody may be shown in another way: whether that has happened.
        wakes: What is pending.
        batch: Wakes that were taken together and wait for their turn, one after the other.
        turn: The turn that runs.
        wake: The wake that turn answers.
        slot: It holds one of the host's turn slots.
        waiting: It waits for one of the host's turn slots.
        owed: Some queued event came with a wake, so the session must not rest while events are left.
        parked: Its tries are used up; the next wake from outside starts afresh.
        stuck: Its turn was told to end and does not; it holds no slot any more.
        armed_ms: What its timer is set to.
        busy: Counted as outstanding work.
    """

    session_key: str
    queue: EventQueue | None = None
    is_seen: dict[int, Callable[[], bool]] = Factory(dict[int, Callable[[], bool]])
    wakes: SessionWakes = Factory(SessionWakes)
    batch: list[PendingWake] = Factory(list[PendingWake])
    turn: TurnRequest | None = None
    wake: PendingWake | None = None
    slot: bool = False
    waiting: bool = False
    owed: bool = False
    parked: bool = False
    stuck: bool = False
    armed_ms: int | None = None
    busy: bool = False

    def request(self, wake: PendingWake, turn_id: int, settings: AgentSettings, now_ms: int) -> TurnRequest:
        """The turn that answers ``wake`` now, shown what the session has to see."""
        events = () if self.queue is None else self.queue.peek(settings.queue.shown_max)
        return TurnRequest(
            turn_id=turn_id,
            agent_id=settings.agent_id,
            session_key=self.session_key,
            source=wake.source,
            intent=wake.intent,
            reason=wake.reason,
            reasons=wake.reasons,
            reasons_omitted=wake.reasons_omitted,
            events=events,
            events_dropped=0 if self.queue is None else self.queue.unseen_drop_count,
            tasks=wake.tasks,
            delivery=wake.delivery or resolve_delivery(events),
            heartbeat_interval_ms=wake.heartbeat_interval_ms,
            attempt=wake.attempt,
            started_at_ms=now_ms,
            timeout_ms=settings.turn_timeout_ms,
        )

    @property
    def served(self) -> bool:
        """It is in a turn, between two turns of a batch, or in line for one."""
        return self.turn is not None or bool(self.batch) or self.waiting

    @property
    def events_waiting(self) -> int:
        """Events not acknowledged."""
        return 0 if self.queue is None else len(self.queue)

    @property
    def empty(self) -> bool:
        """Nothing in it: it can be forgotten."""
        return not (self.served or self.wakes or self.events_waiting)
