"""From a due wake to the end of its turn.

The way of a wake through a session:

    pending -> its instant has come -> a turn slot of the host -> the gate
        -> held: pending again, retained until the instant that the guard named
        -> free: the turn starts, and its start counts on the clock
    the turn has ended -> :func:`~wakeward.protocols.wakes.after_turn.after_turn` says what follows

There is one gate for every wake (:meth:`SessionTurns._is_held`), whatever its source.
"""

from __future__ import annotations

from typing import Final, assert_never, final

from attrs import evolve

from ...protocols.config import WithoutHeartbeat
from ...protocols.effects import CLOSE_TURN, START_TURN
from ...protocols.openclaw.listed_wakes import is_listed
from ...protocols.values.duration import format_duration
from ...protocols.wakes.after_turn import RETAINED_INTENTS, AfterTurn, Done, after_turn
from ...protocols.wakes.cooldown import Deferral, DeferReason
from ...protocols.wakes.decision import DecisionKind
from ...protocols.wakes.pending import NO_WAKES, PendingWake
from ...protocols.wakes.session_record import TurnRecord
from ...protocols.wakes.turn import Failed, Outcome, Ran, Skipped
from ...protocols.wakes.wake import Source
from .core import AgentCore
from .events import SessionEvents
from .held import NO_EVENT, HeldWakes
from .ports import SessionDue, TurnEnded, TurnOverdue, TurnStuck
from .session import IN_LINE, PENDING, RESTING, RUNNING, SERVING, STUCK, Session

STUCK_AFTER_MS: Final = 5_000
"""How long a turn that was told to end may take, before its session is given up and its slot is freed."""

_INTERRUPTED: Final = Failed("interrupted: the agent or its host was started again while the turn ran")
_DISABLED: Final = Skipped("disabled")


@final
class SessionTurns:
    """The part of an agent that works off what is pending in its sessions."""

    __slots__ = ("_core", "_events", "_held")

    def __init__(self, core: AgentCore, events: SessionEvents, held: HeldWakes) -> None:
        self._core = core
        self._events = events
        self._held = held

    # A session goes on

    def advance(self, session: Session) -> None:
        """Do what the session calls for: serve it, let it wait for an instant or for a slot, or forget it."""
        core = self._core
        if core.state.retired is not None:
            self._give_up(session, core.state.retired.reason)
        elif not session.is_served:
            earliest_ms = session.record.wakes.earliest_ms()
            if earliest_ms is not None and earliest_ms <= core.now_ms and not core.state.paused:
                if core.ports.slots.acquire(core.address, session.key, core.state.settings.turns_max):
                    core.move(session, SERVING)
                    self.serve(session)
                    return
                core.move(session, IN_LINE)
                return
            core.rest(session)
            if earliest_ms is not None and not core.state.paused:
                self._arm(session, earliest_ms)
        core.forget_if_empty(session)

    def serve(self, session: Session) -> None:
        """Work off what is ready, with a slot in hand."""
        core = self._core
        if not core.state.paused:
            batch, left = session.record.wakes.take(core.now_ms)
            if batch:
                core.put(session, session.record.with_wakes(left, batch[1:]))
                if self._begins(session, batch[0]):
                    return
        self._next_turn(session)

    def _next_turn(self, session: Session) -> None:
        """Go on with what was taken; when nothing of it is left, give the slot back."""
        core, state = self._core, self._core.state
        while session.record.batch:
            record = session.record
            if state.paused or state.retired or record.wakes.blocked_until_ms > core.now_ms:
                self._held.put_back(session)
                break
            wake = record.batch[0]
            core.put(session, record.with_wakes(record.wakes, record.batch[1:]))
            if self._begins(session, wake):
                return
        core.ports.slots.release(core.address, session.key)
        core.rest(session)
        if session.state is PENDING or state.retired is not None:
            self.advance(session)
        else:
            core.forget_if_empty(session)

    def _begins(self, session: Session, wake: PendingWake) -> bool:
        """Start the turn of a wake, if the gate lets it pass. Returns whether a turn has started."""
        seen = self._events.take_seen(session)
        if seen and self._held.is_idle_exit(session, wake):
            self._held.skip(session, wake, NO_EVENT)
        elif not self._admits(wake):
            self._held.skip(session, wake, _DISABLED)
        elif not self._is_held(session, wake):
            self._start(session, wake)
            return True
        return False

    def _admits(self, wake: PendingWake) -> bool:
        """Whether a wake of this kind may start a turn at all."""
        if self._core.state.clock.interval_ms is not None:
            return True
        match self._core.state.settings.without_heartbeat:
            case WithoutHeartbeat.EVERY_WAKE:
                return True
            case WithoutHeartbeat.LISTED:
                return is_listed(wake.source, wake.intent, wake.reason, names_session=wake.names_session)
            case _:
                assert_never(self._core.state.settings.without_heartbeat)

    def _is_held(self, session: Session, wake: PendingWake) -> bool:
        """The gate: whether a guard holds this wake. Held work is kept; a held heartbeat is let go."""
        core, state = self._core, self._core.state
        is_heartbeat = wake.heartbeat_interval_ms is not None
        if is_heartbeat and state.clock.interval_ms is not None:
            state.clock = state.clock.with_interval(wake.heartbeat_interval_ms)
        deferral = state.clock.check(
            state.settings.cooldown, wake.intent, now_ms=core.now_ms, retained=wake.retained, due=is_heartbeat
        )
        if deferral is None:
            return False
        if deferral.reason is DeferReason.FLOOD and not state.clock.flood_reported:
            core.decide(DecisionKind.FLOOD, session.key, wake, wake.reason, until_ms=deferral.retry_at_ms)
        pushes_due = is_heartbeat or wake.source is not Source.EXEC_EVENT
        state.clock = state.clock.deferred(deferral, now_ms=core.now_ms, pushes_due=pushes_due)
        self._defer_or_drop(session, wake, deferral)
        return True

    def _defer_or_drop(self, session: Session, wake: PendingWake, deferral: Deferral) -> None:
        skipped = Skipped(deferral.reason.value, deferral.retry_at_ms)
        if wake.tasks or wake.intent in RETAINED_INTENTS:
            self._held.retain(session, wake, skipped, deferral.retry_at_ms, held_by=deferral.reason.value)
        else:
            self._held.skip(session, wake, skipped)
            self._held.ensure_wake(session, deferral.retry_at_ms)

    def _start(self, session: Session, wake: PendingWake) -> None:
        core, settings = self._core, self._core.state.settings
        request = session.request(
            wake,
            core.ports.new_turn_id(),
            core.agent_id,
            now_ms=core.now_ms,
            timeout_ms=settings.turn_timeout_ms,
            shown_max=settings.queue.shown_max,
        )
        turn = TurnRecord(
            core.ports.boot,
            request.turn_id,
            request.started_at_ms,
            request.timeout_ms,
            wake,
            tuple(event.id for event in request.events) if request.events else (),
            request.events_dropped,
        )
        core.put(session, session.record.with_turn(turn))
        session.move(RUNNING)  # it is busy before and after, so the host need not be told
        core.state.clock = core.state.clock.started(session.key, core.now_ms)
        core.decide(DecisionKind.STARTED, session.key, wake, wake.reason, turn_id=turn.turn_id)
        self._limit(session.key, turn)
        core.ctx.emit(START_TURN, request)

    def _limit(self, key: str, turn: TurnRecord) -> None:
        at_ms = turn.started_at_ms + turn.timeout_ms
        self._core.ctx.set_timer(("turn", key), at_ms, TurnOverdue(key, turn.turn_id))

    # A turn ends

    def on_turn_overdue(self, overdue: TurnOverdue) -> None:
        """Cancel a turn whose time is up."""
        core = self._core
        turn = core.state.sessions[overdue.session_key].record.turn
        assert turn is not None, overdue
        assert turn.turn_id == overdue.turn_id, (turn.turn_id, overdue)
        core.effects.interrupt_turn(turn.turn_id, Failed(f"timed out after {format_duration(turn.timeout_ms)}"))
        stuck = TurnStuck(overdue.session_key, overdue.turn_id)
        core.ctx.set_timer(("turn", overdue.session_key), core.now_ms + STUCK_AFTER_MS, stuck)

    def on_turn_stuck(self, stuck: TurnStuck) -> None:
        """The handler ignores that it was cancelled. It cannot be stopped, but it need not stop others: its slot is
        freed, and its session is left alone until it ends.
        """
        core = self._core
        session = core.state.sessions[stuck.session_key]
        turn = session.record.turn
        assert turn is not None, stuck
        why = "the handler ignores its cancellation"
        core.decide(DecisionKind.STUCK, session.key, turn.wake, why, turn_id=turn.turn_id)
        self._held.answer(turn.wake, Failed(f"timed out, and {why}"))
        core.put(session, session.record.with_turn(evolve(turn, wake=evolve(turn.wake, callers=()))))
        self._held.put_back(session)
        # Not at once, as elsewhere: should this message be taken back, the turn must still be found with its slot, or
        # nobody would ever be told that it is stuck.
        core.effects.release_slot(session.key)
        core.move(session, STUCK)

    def on_turn_ended(self, ended: TurnEnded) -> None:
        """Settle everything that follows from a turn."""
        core = self._core
        core.ctx.emit(CLOSE_TURN, ended.turn_id)
        session = core.state.sessions.get(ended.session_key)
        turn = None if session is None else session.record.turn
        if session is None or turn is None or (turn.boot, turn.turn_id) != (core.ports.boot, ended.turn_id):
            return  # taken for interrupted after a crash of the behaviour
        core.ctx.cancel_timer(("turn", session.key))
        self._finish(session, turn, ended.outcome)

    def _finish(self, session: Session, turn: TurnRecord, outcome: Outcome) -> None:
        core = self._core
        core.put(session, session.record.with_turn(None))
        settings = core.state.settings
        draw = core.ports.draw() if isinstance(outcome, Failed) else 0.0
        after = after_turn(outcome, turn.wake, settings.retry, now_ms=core.now_ms, draw=draw)
        core.state.clock = core.state.clock.ended(session.key, settings.cooldown, counts=after.counts)
        self._settle(session, turn, outcome, after)
        if session.state is STUCK:
            core.rest(session)
            self.advance(session)
        else:
            session.move(SERVING)  # busy before and after
            self._next_turn(session)

    def _settle(self, session: Session, turn: TurnRecord, outcome: Outcome, after: AfterTurn) -> None:
        match outcome:
            case Ran():
                self._ran(session, turn, outcome)
            case Skipped() if isinstance(after.next, Done):
                self._held.skip(session, turn.wake, outcome, turn.turn_id)
            case Skipped():
                pass  # the wake is kept, which is said where it is
            case Failed():
                self._failed(session, turn, outcome)
            case _:
                assert_never(outcome)
        self._held.go_on(session, turn.wake, outcome, after)

    def _ran(self, session: Session, turn: TurnRecord, ran: Ran) -> None:
        core, wake = self._core, turn.wake
        count = self._events.acknowledge(session, turn)
        if turn.events_dropped:
            left = session.record.events_dropped - turn.events_dropped
            core.put(session, evolve(session.record, events_dropped=left))
        kind = DecisionKind.RAN
        core.decide(kind, session.key, wake, wake.reason, turn_id=turn.turn_id, text=ran.reply, events=count)
        self._held.answer(wake, ran)

    def _failed(self, session: Session, turn: TurnRecord, failed: Failed) -> None:
        self._core.decide(DecisionKind.FAILED, session.key, turn.wake, failed.reason, turn_id=turn.turn_id)
        self._events.note_failed_turn(session, turn, failed.reason)
        self._held.answer(turn.wake, failed)

    # Timers, slots, the end

    def on_session_due(self, due: SessionDue) -> None:
        """The instant of a session has come."""
        session = self._core.state.sessions.get(due.session_key)
        if session is not None:
            session.armed_ms = None
            self.advance(session)

    def on_slot_granted(self, session_key: str) -> None:
        """A session in line may go on."""
        core = self._core
        if not core.ports.slots.holds(core.address, session_key):
            return  # it was given back meanwhile: the behaviour that stood in line has crashed
        session = core.state.sessions.get(session_key)
        if session is None or session.state is not IN_LINE:
            if session is None or session.state is not RUNNING:
                core.ports.slots.release(core.address, session_key)
            return
        core.move(session, SERVING)
        self.serve(session)

    def _arm(self, session: Session, at_ms: int) -> None:
        if session.armed_ms != at_ms:
            session.armed_ms = at_ms
            self._core.ctx.set_timer(("session", session.key), at_ms, SessionDue(session.key))

    def _give_up(self, session: Session, reason: str) -> None:
        """The agent leaves: callers are told, what was not seen is a dead letter. A turn that runs may end first."""
        core = self._core
        if session.record.wakes:
            for wake in session.record.wakes.all():
                self._held.skip(session, wake, Skipped(reason))
            core.put(session, session.record.with_wakes(NO_WAKES))
        if session.state is IN_LINE:
            core.ports.slots.release(core.address, session.key)
            core.move(session, RESTING)
        elif session.state is PENDING:
            core.move(session, RESTING)
        if session.record.turn is None:
            self._events.give_up(session, reason)

    def recover(self) -> None:
        """Take up every session where its record stands. The behaviour before this one may have crashed anywhere, and
        the host may have been started again.
        """
        core = self._core
        interrupted: list[tuple[Session, TurnRecord]] = []
        for session in core.state.sessions.values():
            turn = session.record.turn
            if turn is None:
                continue
            runs = turn.boot == core.ports.boot and core.ports.is_turn_running(turn.turn_id)
            if runs and core.ports.slots.holds(core.address, session.key):
                core.move(session, RUNNING)
                self._limit(session.key, turn)
                continue
            core.move(session, STUCK)  # without a slot: it was stuck before, or it is over and nobody was told
            if not runs:
                interrupted.append((session, turn))
        for key in core.ports.slots.sessions_of(core.address):
            holder = core.state.sessions.get(key)
            if holder is None or holder.state is not RUNNING:
                core.ports.slots.release(core.address, key)
        for session, turn in interrupted:
            self._finish(session, turn, _INTERRUPTED)
        for session in list(core.state.sessions.values()):
            if not session.is_served:
                self._held.ensure_wake(session, core.now_ms)
            self.advance(session)
