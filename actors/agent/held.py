"""Wakes that do not become a turn now: kept behind an instant, or let go; and who is told so."""

from __future__ import annotations

from typing import Final, assert_never, final

from attrs import evolve

from ...protocols.wakes.after_turn import AfterTurn, BlockUntil, Done, Park, RetryAt, next_try
from ...protocols.wakes.decision import DecisionKind
from ...protocols.wakes.messages import Wake
from ...protocols.wakes.pending import PendingWake, pending_wake
from ...protocols.wakes.turn import Outcome, SkipKind, Skipped
from ...protocols.wakes.wake import Intent, Source
from .core import AgentCore
from .session import Session

NO_EVENT: Final = Skipped(SkipKind.NO_PENDING_EVENT.value)


@final
class HeldWakes:
    """The part of an agent that keeps wakes and lets them go."""

    __slots__ = ("_core",)

    def __init__(self, core: AgentCore) -> None:
        self._core = core

    def retain(
        self,
        session: Session,
        wake: PendingWake,
        skipped: Skipped | None,
        not_before_ms: int,
        *,
        held_by: str,
        reason: str | None = None,
        blocked_until_ms: int = 0,
    ) -> None:
        """Put a wake back: behind an instant of its own, or (a busy session) with the whole session behind one."""
        core = self._core
        until_ms = max(not_before_ms, blocked_until_ms)
        core.decide(DecisionKind.DEFERRED, session.key, wake, reason or held_by, until_ms=until_ms, held_by=held_by)
        if skipped is not None:
            for caller in wake.callers:
                if caller.at_deferral:
                    core.effects.answer(caller.ticket, evolve(skipped, retry_at_ms=until_ms))
        kept = evolve(
            wake,
            ready_at_ms=core.now_ms,
            not_before_ms=not_before_ms,
            retained=wake.retained or not_before_ms > 0,
            callers=tuple(caller for caller in wake.callers if not caller.at_deferral),
        )
        wakes = session.record.wakes.offer(kept)
        core.put(session, session.record.with_wakes(wakes.block(blocked_until_ms) if blocked_until_ms else wakes))

    def put_back(self, session: Session) -> None:
        """What was taken, and has not had its turn, is pending again."""
        wakes = session.record.wakes
        for wake in session.record.batch:
            wakes = wakes.offer(wake)
        self._core.put(session, session.record.with_wakes(wakes, ()))

    def go_on(self, session: Session, wake: PendingWake, outcome: Outcome, after: AfterTurn) -> None:
        """Do with the wake what :mod:`~wakeward.protocols.wakes.after_turn` has decided."""
        skipped = outcome if isinstance(outcome, Skipped) else None
        if after.failed:
            wake = next_try(wake)
        match after.next:
            case Done(rest_at_ms=rest_at_ms):
                self.ensure_wake(session, rest_at_ms)
            case RetryAt(at_ms=at_ms, held_by=held_by, reason=reason):
                self.retain(session, wake, skipped, at_ms, held_by=held_by, reason=reason)
            case BlockUntil(at_ms=at_ms, held_by=held_by, reason=reason):
                self.retain(session, wake, skipped, 0, held_by=held_by, reason=reason, blocked_until_ms=at_ms)
            case Park(reason=reason):
                if not session.record.wakes:
                    self._core.put(session, evolve(session.record, parked=True))
                self._core.decide(DecisionKind.PARKED, session.key, wake, reason)
            case _:
                assert_never(after.next)

    def skip(self, session: Session, wake: PendingWake, skipped: Skipped, turn_id: int | None = None) -> None:
        until_ms = skipped.retry_at_ms
        kind = DecisionKind.SKIPPED
        self._core.decide(kind, session.key, wake, skipped.reason, until_ms=until_ms, turn_id=turn_id)
        self.answer(wake, skipped)

    def answer(self, wake: PendingWake, outcome: Outcome) -> None:
        for caller in wake.callers:
            self._core.effects.answer(caller.ticket, outcome)

    def ensure_wake(self, session: Session, at_ms: int) -> None:
        """No stranding: while events are left that were promised a turn, something is pending. A parked session has had
        its turns, and waits for a wake from outside, however often its agent or its host is started again.
        """
        core, record = self._core, session.record
        if not session.events_waiting:
            if record.owed:
                core.put(session, evolve(record, owed=False))
        elif record.owed and not record.parked and not record.wakes and not record.batch:
            asked = Wake(session.key, Source.RETRY, Intent.EVENT, "events-waiting")
            wake = evolve(pending_wake(asked, core.now_ms), ready_at_ms=core.now_ms, not_before_ms=at_ms, retained=True)
            core.put(session, record.with_wakes(record.wakes.offer(wake)))

    def drop_idle_exit(self, session: Session) -> None:
        """Call off a wake that was for one exit and nothing else, when that exit has been seen."""
        wake = session.record.wakes.event
        if wake is not None and self.is_idle_exit(session, wake):
            self._core.put(session, session.record.with_wakes(evolve(session.record.wakes, event=None)))
            self.skip(session, wake, NO_EVENT)

    def is_idle_exit(self, session: Session, wake: PendingWake) -> bool:
        alone = len(wake.reasons) == 1 and not wake.callers and not wake.tasks
        return wake.source is Source.EXEC_EVENT and alone and not session.events_waiting
