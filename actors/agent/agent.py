"""The agent: the one owner of its heartbeat, its sessions' events and wakes, and its cooldown clock.

Its parts: :mod:`.session` says where a session stands, :mod:`.events` keeps events, :mod:`.turns` works off wakes,
:mod:`.held` keeps those that have to wait, and this module takes in what the agent is told. What must hold after every
message: a session with events that were promised a turn has a pending wake, an active turn or a place in line, or it is
parked, visibly.

A message changes the state, and collects records and effects. If it raises, the behaviour is thrown away, and the next
one starts from the committed image (:mod:`.state`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, final

from ...protocols.actor import Context
from ...protocols.schedule.next_heartbeat import next_due_ms
from ...protocols.wakes.decision import DecisionKind
from ...protocols.wakes.event_queue import Accepted, Duplicate
from ...protocols.wakes.messages import Notice, NoticeSeen, Wake
from ...protocols.wakes.wake import Intent, Source
from .core import AgentCore
from .events import SessionEvents
from .held import HeldWakes
from .ports import (
    AgentPorts,
    Configure,
    HeartbeatDue,
    Pause,
    Retire,
    SessionDue,
    SlotGranted,
    TurnEnded,
    TurnOverdue,
    TurnStuck,
)
from .session import Session
from .state import AgentState
from .turns import SessionTurns

_HEARTBEAT: Final = "heartbeat"
_ACCEPTED: Final = DecisionKind.ACCEPTED
_COALESCED: Final = DecisionKind.COALESCED


@final
class Agent:
    """The behaviour. See the module."""

    def __init__(self, ctx: Context, state: AgentState, ports: AgentPorts) -> None:
        """Take up the state where it stands: arm every timer that it implies."""
        self._core = AgentCore(ctx, state, ports)
        self._events = SessionEvents(self._core)
        self._held = HeldWakes(self._core)
        self._turns = SessionTurns(self._core, self._events, self._held)
        self._turns.recover()
        if state.retired is not None:
            self._leave()
        elif state.settings.heartbeat is not None:  # a behaviour begins without timers: there is none to cancel
            self._arm_heartbeat()
        self._core.flush()

    def receive(self, message: object, /) -> None:
        """Handle one message. It happens at one instant, however long it takes."""
        core = self._core
        core.now_ms = core.ctx.now_ms()
        self._ON[type(message)](self, message)
        core.flush()

    # Wakes and events

    def _on_wake(self, wake: Wake) -> None:
        key = wake.session_key or self._core.state.settings.main_key
        self._request(self._core.session(key), wake, False)

    def _on_notice(self, notice: Notice) -> None:
        core = self._core
        if notice.job_id is not None and core.ports.is_exit_seen(notice.job_id):
            return  # it has nothing to say any more
        session = core.session(notice.session_key)
        enqueued = self._events.accept(session, notice)
        # A repeat of an event that wakes nobody has to wake somebody, if it was meant to.
        sleeps = isinstance(enqueued, Duplicate) and not session.record.wakes and not session.is_served
        if notice.intent is not None and (sleeps or isinstance(enqueued, Accepted)):
            wake = Wake(notice.session_key, notice.source, notice.intent, notice.reason, None, notice.coalesce_ms)
            self._request(session, wake, True)
        else:
            core.forget_if_empty(session)

    def _request(self, session: Session, wake: Wake, owed: bool) -> None:
        """Let a wake join what is pending in its session."""
        core, record = self._core, session.record
        wakes, pending, is_merged = record.wakes.request(wake, core.now_ms)
        core.put(session, record.requested(wakes, owed))
        core.decide(_COALESCED if is_merged else _ACCEPTED, record.key, wake, wake.reason)
        armed_ms = session.armed_ms
        if not is_merged or armed_ms is None or pending.ready_at_ms < armed_ms:
            self._turns.advance(session)  # otherwise the timer that is armed comes first, as it did before

    def _on_notice_seen(self, seen: NoticeSeen) -> None:
        """Somebody has been shown what an event says: it is acknowledged, unless a turn has it already."""
        session = self._core.state.sessions.get(seen.session_key)
        if session is None or session.queue is None:
            return
        turn = session.record.turn
        in_turn = () if turn is None else turn.event_ids
        known = [
            event for event in session.queue.peek() if event.context_key == seen.context_key and event.id not in in_turn
        ]
        if self._events.acknowledge_seen(session, known):
            self._held.drop_idle_exit(session)
        self._turns.advance(session)

    # Turns

    def _on_turn_ended(self, ended: TurnEnded) -> None:
        self._turns.on_turn_ended(ended)
        if self._core.state.retired is not None:
            self._leave()

    # The heartbeat

    def _on_heartbeat_due(self, due: HeartbeatDue) -> None:
        heartbeat = self._core.state.settings.heartbeat
        if heartbeat is not None:
            wake = Wake(None, Source.INTERVAL, Intent.SCHEDULED, "interval", coalesce_ms=0)
            wake.heartbeat_interval_ms = heartbeat.interval_ms
            self._on_wake(wake)
        self._core.state.heartbeat_served_ms = due.due_ms
        self._arm_heartbeat()

    def _arm_heartbeat(self) -> None:
        core, heartbeat = self._core, self._core.state.settings.heartbeat
        if heartbeat is None:
            core.ctx.cancel_timer(_HEARTBEAT)
            return
        due_ms = next_due_ms(
            core.now_ms,
            interval_ms=heartbeat.interval_ms,
            phase_ms=heartbeat.phase_ms,
            after_ms=core.state.heartbeat_served_ms,
            active_hours=heartbeat.active_hours,
        )
        if due_ms is not None:
            core.ctx.set_timer(_HEARTBEAT, due_ms, HeartbeatDue(due_ms))

    # The host's words

    def _on_configure(self, configure: Configure) -> None:
        core, state, settings = self._core, self._core.state, configure.settings
        state.settings, state.retired = settings, None
        for session in state.sessions.values():
            if session.queue is not None:
                session.queue.capacity = settings.queue.capacity
                session.queue.overflow = settings.queue.overflow
        core.ports.slots.set_limit(core.address, settings.turns_max)
        state.clock = state.clock.reconfigured(settings.interval_ms, core.now_ms)
        self._arm_heartbeat()

    def _on_pause(self, pause: Pause) -> None:
        self._core.state.paused = pause.paused
        self._advance_all()

    def _on_retire(self, retire: Retire) -> None:
        self._core.state.retired = retire.leaving
        self._core.ctx.cancel_timer(_HEARTBEAT)
        self._advance_all()
        self._leave()

    def _advance_all(self) -> None:
        for session in list(self._core.state.sessions.values()):
            self._turns.advance(session)

    def _leave(self) -> None:
        """Stop when no turn runs any more."""
        state = self._core.state
        if any(session.record.turn for session in state.sessions.values()):
            return
        if state.retired is not None and state.retired.forget:
            self._core.forget_agent()
        self._core.ctx.stop()

    def _on_slot_granted(self, granted: SlotGranted) -> None:
        self._turns.on_slot_granted(granted.session_key)

    def _on_session_due(self, due: SessionDue) -> None:
        self._turns.on_session_due(due)

    def _on_turn_overdue(self, overdue: TurnOverdue) -> None:
        self._turns.on_turn_overdue(overdue)

    def _on_turn_stuck(self, stuck: TurnStuck) -> None:
        self._turns.on_turn_stuck(stuck)

    _ON: Final[dict[type, Callable[[Agent, Any], None]]] = {
        Wake: _on_wake,
        Notice: _on_notice,
        NoticeSeen: _on_notice_seen,
        TurnEnded: _on_turn_ended,
        SlotGranted: _on_slot_granted,
        SessionDue: _on_session_due,
        HeartbeatDue: _on_heartbeat_due,
        TurnOverdue: _on_turn_overdue,
        TurnStuck: _on_turn_stuck,
        Configure: _on_configure,
        Pause: _on_pause,
        Retire: _on_retire,
    }
