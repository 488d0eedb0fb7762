"""The agent: the one owner of its heartbeat, its sessions' events and wakes, and its cooldown clock.

Everything that wants a turn comes through here, and through one gate (:meth:`Agent._held`). The way of a wake:

    wake or notice -> the lane's slots (coalescing) -> its time has come -> a turn slot of the host -> the gate
        -> held: back into the slots, retained until the instant the guard named
        -> free: the turn starts, its start reserved on the clock
    turn ended -> ran: its events are acknowledged, together with what it was shown and nothing else
               -> busy skip: the start is given back, the wake tries again
               -> failed: it counts; tried again with backoff, a bounded number of times, then parked

The state lives in :class:`~.agent_state.AgentState`, apart from the behaviour: a restart of the behaviour loses
nothing, and a journal can store it. What must hold after every message: a lane with events that were promised a turn
has a pending wake, an active turn or a place in line, or it is parked, visibly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never, final

from attrs import evolve

from ...protocols.actor import Context
from ...protocols.openclaw.listed_wakes import WithoutHeartbeat, is_listed
from ...protocols.schedule.next_heartbeat import next_due_ms
from ...protocols.values.duration import format_duration
from ...protocols.wakes.cooldown import Deferral, DeferReason
from ...protocols.wakes.decision import Decision, DecisionKind
from ...protocols.wakes.event import Event
from ...protocols.wakes.event_queue import Accepted, Duplicate, EmptyText, Enqueued, EventQueue, Full, Repeat
from ...protocols.wakes.messages import Notice, NoticeSeen, Wake
from ...protocols.wakes.pending import PendingWake, pending_wake
from ...protocols.wakes.turn import BUSY_REASONS, Failed, Ran, Skipped, TurnRequest, wants_idle_grace
from ...protocols.wakes.wake import Intent, Source
from .ports import AgentPorts, SlotGranted, TurnEnded
from .session import Lane
from .state import AgentState, Configure, HeartbeatDue, Pause, Retire, SessionDue, TurnOverdue, TurnStuck

_GUARD_REASONS: Final = frozenset(reason.value for reason in DeferReason)
_HEARTBEAT: Final = "cadence"
BACKOFF: Final = "backoff"
"""How a wake that waits after a failure is counted among those held, whatever the failure said."""
STUCK_AFTER_MS: Final = 5_000
"""How long a turn that was told to end may take about it, before its session is given up and its slot freed."""
_ACCEPTED: Final = DecisionKind.ACCEPTED
_COALESCED: Final = DecisionKind.COALESCED
_NO_EVENT: Final = Skipped("no-pending-event")
_RETAINED_INTENTS: Final = frozenset({Intent.TASK, Intent.EVENT, Intent.IMMEDIATE})


@final
class Agent:
    """The behaviour. See the module."""

    def __init__(self, ctx: Context, state: AgentState, ports: AgentPorts) -> None:
        """Take up the state where it stands: arm every timer that it implies."""
        self._ctx = ctx
        self._state = state
        self._turns = ports.turns
        self._ports = ports
        self._ledger = ports.ledger
        self._now_ms = ctx.now_ms()
        self._recover()
        self._arm_heartbeat()

    def receive(self, message: object, /) -> None:
        """Handle one message. It happens at one instant, however long it takes."""
        self._now_ms = self._ctx.now_ms()
        self._ON[type(message)](self, message)

    def _recover(self) -> None:
        """Arm what the state implies. The behaviour before this one may have crashed anywhere: between taking a slot
        and starting a turn, or between a turn and what follows from it.
        """
        for lane in list(self._state.lanes.values()):
            lane.armed_ms = None
            if lane.turn is not None:
                if not lane.stuck:
                    self._limit(lane.turn)
            elif not lane.waiting:
                self._put_back(lane)
                self._ensure_wake(lane, self._now_ms)
                if lane.slot:
                    self._release(lane)
            self._advance(lane)

    # ---- wakes and events come in

    def _on_wake(self, wake: Wake) -> None:
        self._offer(self._lane(wake.session_key or self._state.settings.main_key), wake)

    def _on_notice(self, notice: Notice) -> None:
        if notice.is_seen is not None and notice.is_seen():
            return  # it has nothing to say any more
        lane = self._lane(notice.session_key)
        enqueued = self._enqueue(lane, notice)
        if notice.settle is not None:
            notice.settle(enqueued)
        asleep = isinstance(enqueued, Duplicate) and not lane.wakes and not lane.served
        if notice.intent is not None and (asleep or isinstance(enqueued, Accepted)):
            lane.owed = True
            wake = Wake(
                notice.session_key,
                notice.source,
                notice.intent,
                notice.reason,
                coalesce_ms=notice.coalesce_ms,
            )
            self._offer(lane, wake)
        else:
            self._forget_if_empty(lane)

    def _offer(self, lane: Lane, wake: Wake) -> None:
        counts = self._state.counts
        counts.wakes += 1
        lane.parked = False
        pending = lane.wakes.absorb(wake, self._now_ms)
        if pending is None and not lane.wakes.offer(pending_wake(wake, self._now_ms)):
            self._record(_ACCEPTED, lane, wake, wake.reason)
            self._advance(lane)
            return
        counts.coalesced += 1
        self._record(_COALESCED, lane, wake, wake.reason)
        if pending is None or lane.armed_ms is None or pending.ready_at_ms < lane.armed_ms:
            self._advance(lane)

    def _enqueue(self, lane: Lane, notice: Notice) -> Enqueued:
        policy = self._state.settings.queue
        if lane.queue is None:
            lane.queue = EventQueue(lane.session_key, policy.capacity, policy.overflow)
        enqueued = self._queue(lane.queue, notice, Repeat.SKIP)
        if isinstance(enqueued, Duplicate) and lane.turn is not None and enqueued.of in lane.turn.events:
            enqueued = self._queue(lane.queue, notice, Repeat.KEEP)  # that one is being seen to; this is news
        match enqueued:
            case Accepted(event=event, dropped=dropped):
                self._state.next_event_id += 1
                self._state.counts.events_accepted += 1
                if notice.is_seen is not None:
                    lane.is_seen[event.id] = notice.is_seen
                self._record(DecisionKind.EVENT, lane, notice, notice.reason, text=event.text)
                if dropped is not None:
                    self._bury(lane, (dropped,), "overflow: the queue keeps the newest")
            case Duplicate(of=event):
                self._record(DecisionKind.DUPLICATE, lane, notice, notice.reason, text=event.text)
            case EmptyText():
                self._record(DecisionKind.REFUSED, lane, notice, "empty text")
            case Full(capacity=capacity):
                self._record(DecisionKind.REFUSED, lane, notice, f"{capacity} events wait", text=notice.text)
            case _:
                assert_never(enqueued)
        return enqueued

    def _queue(self, queue: EventQueue, notice: Notice, repeat: Repeat) -> Enqueued:
        return queue.enqueue(
            notice.text,
            event_id=self._state.next_event_id,
            accepted_at_ms=self._now_ms,
            source=notice.source.value,
            context_key=notice.context_key,
            trusted=notice.trusted,
            delivery=notice.delivery,
            repeat=repeat,
        )

    def _on_notice_seen(self, seen: NoticeSeen) -> None:
        """Somebody has been shown what an event says: it is as good as presented, unless a turn has it already."""
        lane = self._state.lanes.get(seen.session_key)
        if lane is None or lane.queue is None:
            return
        in_turn = () if lane.turn is None else lane.turn.events
        known = [e.id for e in lane.queue.peek() if e.context_key == seen.context_key and e not in in_turn]
        self._take_as_seen(lane, known)
        wake = lane.wakes.event
        if wake is not None and known and self._is_idle_exit(lane, wake):
            lane.wakes.event = None
            self._skip(lane, wake, _NO_EVENT)
        self._advance(lane)

    def _take_as_seen(self, lane: Lane, event_ids: list[int]) -> None:
        if lane.queue is not None and event_ids:
            self._state.counts.events_presented += len(lane.queue.consume(event_ids))
            for event_id in event_ids:
                lane.is_seen.pop(event_id, None)
            lane.owed = lane.owed and lane.events_waiting > 0

    def _is_idle_exit(self, lane: Lane, wake: PendingWake) -> bool:
        """Whether a wake was for one exit and nothing else, and that has been seen."""
        alone = len(wake.reasons) == 1 and not wake.waiters and not wake.tasks
        return wake.source is Source.EXEC_EVENT and alone and not lane.events_waiting

    # ---- a lane goes on

    def _advance(self, lane: Lane) -> None:
        """Do what the lane's state calls for: be served, wait for an instant, wait for a slot, be forgotten."""
        if self._state.retired is not None:
            self._give_up(lane, self._state.retired)
        elif not (lane.served or self._state.paused):
            earliest_ms = lane.wakes.earliest_ms()
            if earliest_ms is not None:
                if earliest_ms > self._now_ms:
                    self._arm(lane, earliest_ms)
                elif self._claim(lane):
                    self._serve(lane)
                    return
        self._account(lane)
        self._forget_if_empty(lane)

    def _claim(self, lane: Lane) -> bool:
        """Take a turn slot, or stand in line for one."""
        turns_max = self._state.settings.turns_max
        lane.slot = self._turns.acquire(self._ctx.address, lane.session_key, turns_max)
        lane.waiting = not lane.slot
        return lane.slot

    def _release(self, lane: Lane) -> None:
        lane.slot = False
        self._turns.release(self._ctx.address)

    def _serve(self, lane: Lane) -> None:
        """Work off what is ready, with a slot in hand."""
        lane.batch = [] if self._state.paused else lane.wakes.take(self._now_ms)
        self._next_turn(lane)

    def _next_turn(self, lane: Lane) -> None:
        while lane.batch:
            if self._state.paused or self._state.retired or lane.wakes.blocked_until_ms > self._now_ms:
                self._put_back(lane)
                break
            wake = lane.batch.pop(0)
            seen = [event_id for event_id, is_seen in lane.is_seen.items() if is_seen()]
            self._take_as_seen(lane, seen)
            if seen and self._is_idle_exit(lane, wake):
                self._skip(lane, wake, _NO_EVENT)
            elif not self._admits(wake):
                self._skip(lane, wake, Skipped("disabled"))
            elif not self._held(lane, wake):
                self._start(lane, wake)
                self._account(lane)
                return
        self._release(lane)
        self._advance(lane)

    def _put_back(self, lane: Lane) -> None:
        """What was taken, and has not had its turn, is pending again."""
        batch, lane.batch = lane.batch, []
        for wake in batch:
            lane.wakes.offer(wake)

    def _admits(self, wake: PendingWake) -> bool:
        """Whether a wake of this kind may start a turn at all."""
        if self._state.clock.interval_ms is not None:
            return True
        match self._state.settings.without_heartbeat:
            case WithoutHeartbeat.EVERY_WAKE:
                return True
            case WithoutHeartbeat.LISTED:
                return is_listed(wake.source, wake.intent, wake.reason, names_session=wake.names_session)
            case _:
                assert_never(self._state.settings.without_heartbeat)

    def _held(self, lane: Lane, wake: PendingWake) -> bool:
        """The gate, for every path: whether a guard holds this wake. Held work is retained, a held beat is let go."""
        clock, now_ms = self._state.clock, self._now_ms
        tick = wake.heartbeat_interval_ms is not None
        if tick and clock.interval_ms is not None:
            clock.interval_ms = wake.heartbeat_interval_ms
        deferral = clock.check(
            self._state.settings.cooldown, wake.intent, now_ms=now_ms, retained=wake.retained, due=tick
        )
        if deferral is None:
            return False
        pushes_due = tick or wake.source is not Source.EXEC_EVENT
        if clock.note_deferral(deferral, now_ms=now_ms, pushes_due=pushes_due):
            self._record(DecisionKind.FLOOD, lane, wake, wake.reason, until_ms=deferral.retry_at_ms)
        self._defer_or_drop(lane, wake, deferral)
        return True

    def _defer_or_drop(self, lane: Lane, wake: PendingWake, deferral: Deferral) -> None:
        skipped = Skipped(deferral.reason.value, deferral.retry_at_ms)
        if wake.tasks or wake.intent in _RETAINED_INTENTS:
            self._retain(lane, wake, skipped, not_before_ms=deferral.retry_at_ms)
        else:
            self._skip(lane, wake, skipped)
            self._ensure_wake(lane, deferral.retry_at_ms)

    def _start(self, lane: Lane, wake: PendingWake) -> None:
        state = self._state
        request = lane.request(wake, self._turns.new_turn_id(), state.settings, self._now_ms)
        lane.turn, lane.wake, lane.parked = request, wake, False
        state.clock.reserve(request.turn_id, request.started_at_ms)
        state.counts.turns += 1
        self._record(DecisionKind.STARTED, lane, wake, wake.reason, turn_id=request.turn_id)
        self._limit(request)
        self._turns.start(self._ctx.address, request)

    def _limit(self, turn: TurnRequest) -> None:
        key = turn.session_key
        at_ms = turn.started_at_ms + turn.timeout_ms
        self._ctx.set_timer(("turn", key), at_ms, TurnOverdue(key, turn.turn_id))

    # ---- a turn has ended

    def _on_turn_overdue(self, overdue: TurnOverdue) -> None:
        turn = self._state.lanes[overdue.session_key].turn
        assert turn is not None, overdue
        assert turn.turn_id == overdue.turn_id, (turn.turn_id, overdue)
        self._turns.interrupt(turn.turn_id, Failed(f"timed out after {format_duration(turn.timeout_ms)}"))
        stuck = TurnStuck(overdue.session_key, overdue.turn_id)
        self._ctx.set_timer(("turn", overdue.session_key), self._now_ms + STUCK_AFTER_MS, stuck)

    def _on_turn_stuck(self, stuck: TurnStuck) -> None:
        """The handler ignores that it was cancelled. It cannot be stopped, but it need not stop others: its slot is
        freed, and its session is left alone until it ends.
        """
        lane = self._state.lanes[stuck.session_key]
        wake = lane.wake
        assert wake is not None, stuck
        lane.stuck = True
        self._record(DecisionKind.STUCK, lane, wake, "the handler ignores its cancellation", turn_id=stuck.turn_id)
        wake.settle(Failed("timed out, and the handler ignores its cancellation"))
        self._put_back(lane)
        self._release(lane)

    def _on_turn_ended(self, ended: TurnEnded) -> None:
        lane = self._state.lanes[ended.session_key]
        self._ctx.cancel_timer(("turn", ended.session_key))
        turn, wake = lane.turn, lane.wake
        assert turn is not None, ended
        assert wake is not None, ended
        assert turn.turn_id == ended.turn_id, (turn.turn_id, ended.turn_id)
        lane.turn = lane.wake = None
        match ended.outcome:
            case Ran() as ran:
                self._ran(lane, turn, wake, ran)
            case Skipped() as skipped:
                self._skipped(lane, turn, wake, skipped)
            case Failed() as failed:
                self._failed(lane, turn, wake, failed)
            case _:
                assert_never(ended.outcome)
        if lane.stuck:
            lane.stuck = False
            self._advance(lane)
        else:
            self._next_turn(lane)
        if self._state.retired is not None:
            self._leave()

    def _ran(self, lane: Lane, turn: TurnRequest, wake: PendingWake, ran: Ran) -> None:
        self._settle_clock(turn, counts=True)
        if lane.queue is not None:
            seen = lane.queue.consume(turn.events, seen_drop_count=turn.events_dropped)
            self._state.counts.events_presented += len(seen)
            for event in turn.events:
                lane.is_seen.pop(event.id, None)
        self._record(DecisionKind.RAN, lane, wake, wake.reason, turn_id=turn.turn_id, text=ran.reply)
        wake.settle(ran)
        self._ensure_wake(lane, self._now_ms)

    def _skipped(self, lane: Lane, turn: TurnRequest, wake: PendingWake, skipped: Skipped) -> None:
        retry, now_ms = self._state.settings.retry, self._now_ms
        busy = skipped.reason in BUSY_REASONS
        no_event = skipped.reason == "no-pending-event" and wake.source is Source.EXEC_EVENT
        self._settle_clock(turn, counts=not busy and not no_event)
        if busy and not wants_idle_grace(skipped.reason, wake.intent):
            self._retain(lane, wake, skipped, blocked_until_ms=now_ms + retry.busy_ms)
        elif busy:
            self._retain(lane, wake, skipped, not_before_ms=now_ms + retry.idle_ms)
        elif skipped.reason in _GUARD_REASONS and (wake.tasks or wake.intent in _RETAINED_INTENTS):
            not_before_ms = now_ms + retry.busy_ms if skipped.retry_at_ms is None else skipped.retry_at_ms
            self._retain(lane, wake, skipped, not_before_ms=not_before_ms)
        else:
            self._skip(lane, wake, skipped, turn.turn_id)
            self._ensure_wake(lane, now_ms + retry.idle_ms)

    def _failed(self, lane: Lane, turn: TurnRequest, wake: PendingWake, failed: Failed) -> None:
        settings, now_ms = self._state.settings, self._now_ms
        self._settle_clock(turn, counts=True)
        self._record(DecisionKind.FAILED, lane, wake, failed.reason, turn_id=turn.turn_id)
        if lane.queue is not None and turn.events:
            dead = lane.queue.count_failed_turn(turn.events, failed_turns_max=settings.queue.failed_turns_max).dead
            self._bury(lane, dead, f"shown in {settings.queue.failed_turns_max} failed turns, last: {failed.reason}")
        wake.settle(failed)
        wake.attempt += 1
        if failed.transient and wake.attempt < settings.retry.attempts_max:
            delay_ms = settings.retry.backoff.delay_ms(wake.attempt - 1, self._ports.draw())
            if wake.intent is Intent.SCHEDULED:
                wake.intent = Intent.EVENT  # the beat has been; what is left is the work it asked for
            again_ms = now_ms + delay_ms
            self._retain(lane, wake, Skipped(failed.reason), not_before_ms=again_ms, counted_as=BACKOFF)
        else:
            lane.parked = not lane.wakes
            self._record(DecisionKind.PARKED, lane, wake, f"after {wake.attempt} tries: {failed.reason}")

    def _settle_clock(self, turn: TurnRequest, *, counts: bool) -> None:
        self._state.clock.settle(turn.turn_id, self._state.settings.cooldown, counts=counts)

    def _retain(
        self,
        lane: Lane,
        wake: PendingWake,
        skipped: Skipped,
        *,
        not_before_ms: int = 0,
        blocked_until_ms: int = 0,
        counted_as: str | None = None,
    ) -> None:
        """Put a wake back: behind an instant of its own, or (a busy session) with the whole lane behind one."""
        until_ms = max(not_before_ms, blocked_until_ms)
        self._state.counts.deferred[counted_as or skipped.reason] += 1
        self._record(DecisionKind.DEFERRED, lane, wake, skipped.reason, until_ms=until_ms)
        wake.settle_deferred(evolve(skipped, retry_at_ms=until_ms))
        wake.ready_at_ms = self._now_ms
        wake.not_before_ms = not_before_ms
        wake.retained = wake.retained or not_before_ms > 0
        lane.wakes.offer(wake, blocked_until_ms)

    def _skip(self, lane: Lane, wake: PendingWake, skipped: Skipped, turn_id: int | None = None) -> None:
        self._record(DecisionKind.SKIPPED, lane, wake, skipped.reason, until_ms=skipped.retry_at_ms, turn_id=turn_id)
        wake.settle(skipped)

    def _ensure_wake(self, lane: Lane, at_ms: int) -> None:
        """No stranding: while promised events are left, something is pending."""
        if not lane.events_waiting:
            lane.owed = False
        elif lane.owed and not lane.wakes and not lane.batch:
            now_ms = self._now_ms
            wake = pending_wake(Wake(lane.session_key, Source.RETRY, Intent.EVENT, "events-waiting"), now_ms)
            wake.ready_at_ms, wake.not_before_ms, wake.retained = now_ms, at_ms, True
            lane.wakes.offer(wake)

    def _bury(self, lane: Lane, events: tuple[Event, ...], reason: str) -> None:
        self._state.counts.events_dead += len(events)
        for event in events:
            lane.is_seen.pop(event.id, None)
            self._ledger.record(
                Decision(
                    self._now_ms,
                    DecisionKind.DEAD,
                    self._state.settings.agent_id,
                    lane.session_key,
                    Source(event.source),
                    reason=reason,
                    text=event.text,
                )
            )

    # ---- timers, slots, configuration

    def _on_session_due(self, due: SessionDue) -> None:
        lane = self._state.lanes.get(due.session_key)
        if lane is not None:
            lane.armed_ms = None
            self._advance(lane)

    def _on_slot_granted(self, granted: SlotGranted) -> None:
        lane = self._state.lanes.get(granted.session_key)
        if lane is None or not lane.waiting:
            self._turns.release(self._ctx.address)
            return
        lane.waiting, lane.slot = False, True
        self._serve(lane)

    def _on_heartbeat_due(self, due: HeartbeatDue) -> None:
        settings = self._state.settings
        if settings.heartbeat is not None:
            wake = Wake(None, Source.INTERVAL, Intent.SCHEDULED, "interval", coalesce_ms=0)
            wake.heartbeat_interval_ms = settings.heartbeat.interval_ms
            self._on_wake(wake)
        self._state.heartbeat_served_ms = due.due_ms
        self._arm_heartbeat()

    def _arm_heartbeat(self) -> None:
        heartbeat = self._state.settings.heartbeat
        if heartbeat is None:
            self._ctx.cancel_timer(_HEARTBEAT)
            return
        due_ms = next_due_ms(
            self._now_ms,
            interval_ms=heartbeat.interval_ms,
            phase_ms=heartbeat.phase_ms,
            after_ms=self._state.heartbeat_served_ms,
            active_hours=heartbeat.active_hours,
        )
        if due_ms is not None:
            self._ctx.set_timer(_HEARTBEAT, due_ms, HeartbeatDue(due_ms))

    def _on_configure(self, configure: Configure) -> None:
        self._state.settings = configure.settings
        for lane in self._state.lanes.values():
            if lane.queue is not None:
                lane.queue.capacity = configure.settings.queue.capacity
                lane.queue.overflow = configure.settings.queue.overflow
        self._turns.set_limit(self._ctx.address, configure.settings.turns_max)
        self._state.clock.reconfigure(configure.settings.interval_ms, self._now_ms)
        self._arm_heartbeat()

    def _on_pause(self, pause: Pause) -> None:
        self._state.paused = pause.paused
        for lane in list(self._state.lanes.values()):
            self._advance(lane)

    def _on_retire(self, retire: Retire) -> None:
        self._state.retired = retire.reason
        self._ctx.cancel_timer(_HEARTBEAT)
        for lane in list(self._state.lanes.values()):
            self._advance(lane)
        self._leave()

    def _give_up(self, lane: Lane, reason: str) -> None:
        """Who waits is told, what was not seen is a dead letter; a turn that runs may end first."""
        for wake in lane.wakes.take_all():
            self._skip(lane, wake, Skipped(reason))
        lane.waiting = False
        if lane.turn is None and lane.queue is not None:
            self._bury(lane, lane.queue.drain(), reason)

    def _leave(self) -> None:
        if not any(lane.turn for lane in self._state.lanes.values()):
            self._ctx.stop()

    # ---- bookkeeping

    def _lane(self, session_key: str) -> Lane:
        lane = self._state.lanes.get(session_key)
        if lane is None:
            lane = self._state.lanes[session_key] = Lane(session_key)
        return lane

    def _forget_if_empty(self, lane: Lane) -> None:
        if lane.empty:
            self._state.lanes.pop(lane.session_key, None)

    def _arm(self, lane: Lane, at_ms: int) -> None:
        if lane.armed_ms != at_ms:
            lane.armed_ms = at_ms
            self._ctx.set_timer(("lane", lane.session_key), at_ms, SessionDue(lane.session_key))

    def _account(self, lane: Lane) -> None:
        busy = lane.served or bool(lane.wakes)
        if busy != lane.busy:
            lane.busy = busy
            self._ports.outstanding(1 if busy else -1)

    def _record(
        self,
        kind: DecisionKind,
        lane: Lane,
        what: Wake | PendingWake | Notice,
        reason: str,
        *,
        until_ms: int | None = None,
        turn_id: int | None = None,
        text: str | None = None,
    ) -> None:
        self._ledger.record(
            Decision(
                self._now_ms,
                kind,
                self._state.settings.agent_id,
                lane.session_key,
                what.source,
                what.intent,
                reason,
                until_ms,
                turn_id,
                text,
            )
        )

    _ON: Final[dict[type, Callable[[Agent, Any], None]]] = {
        Wake: _on_wake,
        Notice: _on_notice,
        NoticeSeen: _on_notice_seen,
        SessionDue: _on_session_due,
        TurnOverdue: _on_turn_overdue,
        TurnStuck: _on_turn_stuck,
        SlotGranted: _on_slot_granted,
        TurnEnded: _on_turn_ended,
        HeartbeatDue: _on_heartbeat_due,
        Configure: _on_configure,
        Pause: _on_pause,
        Retire: _on_retire,
    }
