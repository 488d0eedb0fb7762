"""The supervisor of one agent's jobs: keeps every child under its contract, and turns its exit into one message.

The supervisor decides, the process shell does. It asks for children to be started and ended by effects, holds their
limits as timers, and hears of each child exactly one exit. That exit becomes one notice to the router, or none when
the contract says so (:mod:`.notices`). Its state is the records of its jobs (:mod:`.book`) and nothing else.

There is one supervisor for each agent, at ``jobs:<agent id>``, and the agent owns its records. So a failed commit
takes back the jobs of one agent, a crash concerns one agent, and an exit costs nothing that grows with other agents.
One supervisor for all was tried: an exit then walked over the finished jobs of every agent.

A turn that is a program is a child like any other, and so the watchdog of such turns is here, too: OpenClaw's CLI
watchdog. Its notice waits in the session's queue until the turn is over, since a session has one turn at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never, final

from attrs import frozen

from ...protocols.actor import Context
from ...protocols.effects import HostEffects
from ...protocols.jobs.exit import Exit, ExitReason
from ...protocols.jobs.limits import JobLimits
from ...protocols.jobs.messages import (
    BackgroundJob,
    DiscardJob,
    ExitSeen,
    JobExited,
    JobStarted,
    KillJob,
    NoticeReleased,
    StartJob,
    SupervisorMessage,
)
from ...protocols.jobs.notice import notice_of, silence_context_key, silence_notice_text
from ...protocols.jobs.record import Audience, JobRecord, JobState, NoticeState, kept_spec
from ...protocols.jobs.silence import SilenceStep, look_for_silence, next_look_ms
from ...protocols.wakes.messages import NoticeRefused
from ..router import ROUTER_ADDRESS
from .book import JobBook
from .notices import ExitNotices
from .ports import JobsView

LOST_DETAIL: Final = "the host ended before the command did; how it ended is not known"


@final
@frozen
class _Timeout:
    job_id: str


@final
@frozen
class _LookForSilence:
    job_id: str


@final
@frozen
class _OfferNotices:
    pass


@final
@frozen
class _Sweep:
    pass


_Timer = _Timeout | _LookForSilence | _OfferNotices | _Sweep


@final
class JobsSupervisor:
    """The behaviour at ``jobs:<agent id>``."""

    def __init__(
        self,
        ctx: Context,
        agent_id: str,
        jobs: Mapping[str, JobRecord],
        view: JobsView,
        *,
        boot: str,
        limits: JobLimits = JobLimits(),
    ) -> None:
        """Take up what is stored.

        Args:
            ctx: The context of this life.
            agent_id: The owner of the records.
            jobs: The committed records, by id.
            view: The memory of the host.
            boot: Names this run of the host.
            limits: How long finished jobs are kept.
        """
        self._ctx = ctx
        self._effects = HostEffects(ctx)
        self._view = view
        self._boot = boot
        self._book = JobBook(ctx, agent_id, jobs, limits)
        self._notices = ExitNotices(ctx, self._book, view)
        self._look_due_ms: dict[str, int] = {}
        # In the order of their ends, which is the order in which finished jobs go.
        for record in sorted(jobs.values(), key=lambda job: (job.ended_ms or 0, job.started_ms)):
            self._take_up(record)
        self._sweep()
        self._offer_later()

    def receive(self, message: object) -> None:
        """Handle one message.

        Raises:
            TypeError: The message is none of the supervisor's.
        """
        match message:
            case _Timeout() | _LookForSilence() | _OfferNotices() | _Sweep():
                self._on_timer(message)
            case NoticeRefused():
                self._notices.refused(message.job_id)
                self._offer_later()
            case (
                StartJob()
                | KillJob()
                | DiscardJob()
                | BackgroundJob()
                | ExitSeen()
                | NoticeReleased()
                | JobStarted()
                | JobExited()
            ):
                self._on_message(message)
            case _:
                raise TypeError(f"{self._ctx.address}: cannot handle {message!r}")

    def _on_message(self, message: SupervisorMessage) -> None:
        match message:
            case StartJob():
                self._start(message)
            case JobStarted():
                self._started(message)
            case JobExited():
                self._exited(message)
            case KillJob():
                self._end(message.job_id, ExitReason.MANUAL_CANCEL, message.grace_ms)
            case DiscardJob():
                self._discard(message.job_id)
            case BackgroundJob():
                self._background(message.job_id)
            case ExitSeen():
                self._notices.seen(message.job_id)
            case NoticeReleased():
                self._notices.release(message.job_id)
            case _:
                assert_never(message)

    def _on_timer(self, message: _Timer) -> None:
        match message:
            case _Timeout():
                self._end(message.job_id, ExitReason.OVERALL_TIMEOUT)
            case _LookForSilence():
                self._look_for_silence(message.job_id)
            case _OfferNotices():
                self._notices.offer()
                self._offer_later()
            case _Sweep():
                self._sweep()
            case _:
                assert_never(message)

    def _sweep(self) -> None:
        """Let finished jobs go that are too old or too many."""
        sweep_ms = self._book.sweep()
        if sweep_ms is not None:
            self._ctx.set_timer("sweep", sweep_ms, _Sweep())

    def _offer_later(self) -> None:
        offer_ms = self._notices.next_round_ms()
        if offer_ms is not None:
            self._ctx.set_timer("offer", offer_ms, _OfferNotices())

    def _take_up(self, record: JobRecord) -> None:
        """Go on with a stored job. Its timers have gone with the supervisor before this one."""
        is_ours = record.boot == self._boot
        # Only the supervisor began again; the child goes on, and its exit is still to come.
        if is_ours and not record.is_ended and self._view.is_outstanding(record.id):
            self._arm_timeout(record)
            self._arm_silence(record)
            return
        if not is_ours:
            self._effects.show_job(record)  # so that it is listed in this run of the host, too
            if record.audience is Audience.CALLER:  # it has gone with its host
                record = record.moved(audience=Audience.OWNER)
        if not record.is_ended:
            # There is no such child any more, and nobody saw its end. Never a made-up success.
            self._conclude(record, Exit(ExitReason.LOST, detail=LOST_DETAIL), LOST_DETAIL)
        elif record.audience is Audience.OWNER:
            self._book.finish(record.id)
            self._notices.take_up(record)

    # Starting and ending

    def _start(self, message: StartJob) -> None:
        now_ms = self._ctx.now_ms()
        record = JobRecord(
            id=message.job_id,
            boot=self._boot,
            spec=kept_spec(message.spec),
            contract=message.contract,
            started_ms=now_ms,
            silent_since_ms=now_ms,
            audience=message.audience,
        )
        self._book.put(record)
        self._arm_timeout(record)
        self._arm_silence(record)
        # The effect comes after the commit of the record, so a child that nobody knows of cannot exist.
        self._effects.start_child(record.id, message.spec)

    def _arm_timeout(self, record: JobRecord) -> None:
        # From the start of the job, not from now: another life of the supervisor must not lengthen it.
        if record.spec.timeout_ms is not None:
            self._ctx.set_timer(("timeout", record.id), record.started_ms + record.spec.timeout_ms, _Timeout(record.id))

    def _started(self, message: JobStarted) -> None:
        record = self._book.live(message.job_id)
        if record is not None:
            # An order to end may have come first: then the job stays STOPPING.
            state = JobState.RUNNING if record.state is JobState.ADMITTED else record.state
            self._book.put(record.moved(state, pid=message.pid))

    def _end(self, job_id: str, reason: ExitReason, grace_ms: int | None = None) -> None:
        record = self._book.live(job_id)
        if record is not None:
            # The effect is sent each time, for a shorter grace; only the first changes the record.
            if record.state is not JobState.STOPPING:
                self._book.put(record.moved(JobState.STOPPING))
            self._effects.end_child(job_id, reason, record.spec.grace_ms if grace_ms is None else grace_ms)

    def _exited(self, message: JobExited) -> None:
        record = self._book.live(message.job_id)
        if record is not None:
            self._conclude(record, message.exit, message.tail)
        # Also for a job that is no longer live: wait_idle and the drain wait until each child is closed.
        self._effects.close_child(message.job_id)

    def _conclude(self, record: JobRecord, ended: Exit, tail: str) -> None:
        """Take the exit of a job, and decide at once what becomes of its notice."""
        self._ctx.cancel_timer(("timeout", record.id))
        self._ctx.cancel_timer(("silence", record.id))
        self._look_due_ms.pop(record.id, None)
        record = record.moved(JobState.EXITED, exit=ended, ended_ms=self._ctx.now_ms(), tail=tail)
        match record.audience:
            case Audience.NOBODY:
                self._effects.show_job(record.moved(notice=NoticeState.SETTLED))  # to those who wait all the same
                self._book.forget(record.id)
            case Audience.CALLER:
                # Its caller says itself whether it was shown the exit; until then nobody else is told.
                self._book.put(record.moved(notice=NoticeState.HELD))
            case Audience.OWNER:
                self._book.finish(record.id)
                self._notices.decide(record)
                self._sweep()
            case _:
                assert_never(record.audience)

    def _background(self, job_id: str) -> None:
        record = self._book.get(job_id)
        if record is None or record.audience is not Audience.CALLER:
            return
        record = record.moved(audience=Audience.OWNER)
        if record.is_ended:
            # It ended in the instant in which the caller gave up, and its exit was held for it. When the host is shown
            # that nobody waits any more, it releases the notice.
            self._book.finish(job_id)
        self._book.put(record)
        self._sweep()

    def _discard(self, job_id: str) -> None:
        record = self._book.get(job_id)
        if record is None:
            return
        if record.is_ended:
            self._book.forget(job_id)
            return
        # Its caller was cancelled: the command is ended, and nobody is told.
        if record.audience is not Audience.NOBODY:
            self._book.put(record.moved(audience=Audience.NOBODY))
        self._end(job_id, ExitReason.MANUAL_CANCEL)

    # Silence

    def _arm_silence(self, record: JobRecord) -> None:
        due_ms = next_look_ms(record, self._view.output_of(record.id), self._ctx.now_ms())
        if due_ms is not None:
            self._look_due_ms[record.id] = due_ms
            self._ctx.set_timer(("silence", record.id), due_ms, _LookForSilence(record.id))

    def _look_for_silence(self, job_id: str) -> None:
        before = self._book.live(job_id)
        # A child that is being ended may be silent while it cleans up; its exit is the news.
        if before is None or before.state is JobState.STOPPING:
            return
        due_ms, now_ms = self._look_due_ms[job_id], self._ctx.now_ms()
        look = look_for_silence(before, self._view.output_of(job_id), due_ms=due_ms, now_ms=now_ms)
        if look.record is not before:
            self._book.put(look.record)
        match look.step:
            case SilenceStep.END:
                self._end(job_id, ExitReason.NO_OUTPUT_TIMEOUT)
                return
            case SilenceStep.REPORT:
                self._report_silence(look.record, look.silent_ms)
            case SilenceStep.WAIT:
                pass
            case _:
                assert_never(look.step)
        self._arm_silence(look.record)

    def _report_silence(self, record: JobRecord, silent_ms: int) -> None:
        contract = record.contract
        if record.audience is not Audience.OWNER or not contract.reports_silence:
            return
        text = silence_notice_text(
            record,
            silent_ms=silent_ms,
            now_ms=self._ctx.now_ms(),
            takes_input=record.spec.takes_input and self._view.takes_input(record.id),
        )
        notice = notice_of(record, text, source=contract.source, context_key=silence_context_key(record))
        self._ctx.tell(ROUTER_ADDRESS, notice)
