"""What the parts of an agent share: its state, its context, and the few ways in which both are used.

A part changes a session's record through :meth:`AgentCore.put`, and where a session stands through
:meth:`AgentCore.move`. What has changed is stored once, at the end of the message (:meth:`AgentCore.flush`), however
often it was changed on the way.
"""

from __future__ import annotations

from typing import final

from ...protocols.actor import Context
from ...protocols.effects import DECIDE, SET_BUSY, HostEffects
from ...protocols.journal.records import AgentForgotten, AgentRecord, SessionForgotten
from ...protocols.wakes.cooldown import CooldownClock
from ...protocols.wakes.decision import Decision, DecisionKind
from ...protocols.wakes.messages import Notice, Wake
from ...protocols.wakes.pending import PendingWake
from ...protocols.wakes.session_record import SessionRecord
from .ports import AgentPorts
from .session import RESTING, Session, SessionState
from .state import AgentState


@final
class AgentCore:
    """The state of one agent, and its way to the outside.

    Attributes:
        now_ms: The instant at which the present message happens, however long it takes.
    """

    __slots__ = (
        "_changed",
        "_changed_too",
        "_heartbeat_saved_ms",
        "address",
        "agent_id",
        "ctx",
        "now_ms",
        "ports",
        "state",
    )

    def __init__(self, ctx: Context, state: AgentState, ports: AgentPorts) -> None:
        self.ctx = ctx
        self.state = state
        self.ports = ports
        self.address = ctx.address
        self.agent_id = state.settings.agent_id
        self.now_ms = ctx.now_ms()
        # Most messages change one session, and a dict for one costs more than all else here.
        self._changed: Session | None = None
        self._changed_too: dict[str, Session] = {}
        self._heartbeat_saved_ms = state.heartbeat_served_ms

    @property
    def effects(self) -> HostEffects:
        """What the host may be asked for. Made at each use: an agent that answers nobody need not keep one."""
        return HostEffects(self.ctx)

    def session(self, key: str) -> Session:
        """The session of that key, made if it is not there."""
        session = self.state.sessions.get(key)
        if session is None:
            session = self.state.sessions[key] = Session(key, SessionRecord(key))
        return session

    def put(self, session: Session, record: SessionRecord) -> None:
        """Replace what is durable of a session."""
        session.record = record
        if self._changed is None:
            self._changed = session
        elif session is not self._changed:
            self._changed_too[session.key] = session

    def move(self, session: Session, state: SessionState) -> None:
        """Let a session stand somewhere else, and tell the host when that makes it busy or idle."""
        if session.move(state):
            self.ctx.emit(SET_BUSY, session.key, session.is_busy)

    def rest(self, session: Session) -> None:
        """Let a session wait: for what is pending, or for nothing."""
        state = SessionState.PENDING if session.record.wakes else RESTING
        if session.state is not state:
            self.move(session, state)

    def forget_if_empty(self, session: Session) -> None:
        """Drop a session in which nothing is left."""
        if session.is_empty and self.state.sessions.pop(session.key, None) is not None:
            self.put(session, session.record)  # that it went is a change as well

    def forget_agent(self) -> None:
        """Let nothing be kept of the agent itself. Should it stay after all, its clock starts from the beginning."""
        state = self.state
        state.clock = state.clock_saved = CooldownClock(state.settings.interval_ms, self.now_ms)
        state.heartbeat_served_ms = self._heartbeat_saved_ms = None
        self.ctx.save(self.agent_id, AgentForgotten())

    def flush(self) -> None:
        """Store what the present message has changed. Called once, at its end."""
        state = self.state
        changed = self._changed
        if changed is not None:
            self._changed = None
            self._store(changed)
            if self._changed_too:
                for session in self._changed_too.values():
                    self._store(session)
                self._changed_too.clear()
        if state.clock is not state.clock_saved or state.heartbeat_served_ms != self._heartbeat_saved_ms:
            state.clock_saved, self._heartbeat_saved_ms = state.clock, state.heartbeat_served_ms
            self.ctx.save(self.agent_id, AgentRecord(state.clock, state.heartbeat_served_ms))

    def _store(self, session: Session) -> None:
        current = self.state.sessions.get(session.key)
        if current is not session:
            if session.saved is None:
                return  # it came and went within this message
            if current is None:
                self.ctx.save(self.agent_id, SessionForgotten(session.key))
                return
            current.saved = session.saved  # it went, and came back within this message
            session = current
        if session.record is not session.saved:
            session.saved = session.record
            self.ctx.save(self.agent_id, session.record)

    def decide(
        self,
        kind: DecisionKind,
        session_key: str,
        what: Wake | PendingWake | Notice,
        reason: str,
        until_ms: int | None = None,
        turn_id: int | None = None,
        text: str | None = None,
        held_by: str | None = None,
        events: int = 0,
    ) -> None:
        """Put a decision about a wake or an event into the ledger."""
        decision = Decision(
            self.now_ms,
            kind,
            self.agent_id,
            session_key,
            what.source,
            what.intent,
            reason,
            until_ms,
            turn_id,
            text,
            held_by,
            events,
        )
        self.ctx.emit(DECIDE, decision)
