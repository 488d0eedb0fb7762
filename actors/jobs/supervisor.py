"""The exec supervisor: keeps every child under its contract, and turns its exit into one message to its owner.

The supervisor decides, the process shell does. It starts and ends children through :class:`.exec_port.Processes`,
holds their limits as timers, and hears of each child exactly one exit. That exit becomes one notice to the router, or
none when the contract says so (:mod:`..protocols.exec_notice`).

Seen or announced, never both and never neither (openclaw#120488, #141202): while a handle waits for the exit, its
notice is *held*. If the handle is shown the exit, it settles the notice before it returns to its caller; if its
caller is cancelled first, it releases it. An exit that is seen after its notice was sent takes the notice back.

Silence is time in which the host ran and the child said nothing. The host's timeline stands still while the machine
sleeps (CLOCK_MONOTONIC); where it does not, or where the host alone was stopped, the supervisor's own timer comes late.
Nobody knows then when the standstill began, so silence begins anew (openclaw#148898).

A turn that is a program is a child like any other, and so the watchdog of such turns is here, too: OpenClaw's CLI
watchdog. Its notice waits in the session's queue until the turn is over, since the session has one turn at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never, cast, final

from attrs import define, evolve, frozen

from ...protocols.actor import Context
from ...protocols.jobs.exit import ExitReason
from ...protocols.jobs.notice import FinishedJob, JobStatus, exec_notice, exit_text, limit_text, silence_text
from ...protocols.receipt import Receipt, Refusal
from ...protocols.sessions.route import InvalidSessionKeyError
from ...protocols.wakes.event_queue import Full
from ...protocols.wakes.messages import Notice, NoticeSeen
from ...protocols.wakes.wake import Intent, Source
from .ports import ExitSeen, JobExited, JobStarted, KillJob, NoticeReleased, Processes, StartJob, SupervisorMessage
from .record import Job, JobState, NoticeState
from .registry import JobRegistry

ROUTER_ADDRESS: Final = "router"

STANDSTILL_MS: Final = 5_000
"""A timer that comes later than this says that the host did not run."""

NOTICE_RETRY_MS: Final = 1_000
"""When a notice that the router refused is offered again."""

STALL_REASON: Final = "cli:watchdog:stall"
"""The reason of a silent turn's wake, as OpenClaw gives it."""

TAIL_UNITS: Final = 2_000
"""How much of the end of the output a notice is made from, in UTF-16 code units (OpenClaw's ``tail``)."""

_QUIET_REASONS: Final = frozenset({ExitReason.HOST_STOPPED, ExitReason.LEFT_RUNNING})


@final
@frozen
class _Timeout:
    job_id: str


@final
@frozen
class _CheckSilence:
    job_id: str


@final
@frozen
class _OfferNotice:
    job_id: str


@final
@frozen
class _Sweep:
    pass


@final
@define(eq=False)
class _NoticeRefused:
    job_id: str
    notice: Notice


_Timer = _Timeout | _CheckSilence | _OfferNotice | _NoticeRefused | _Sweep


@final
@define(eq=False)
class JobsSupervisor:
    """The behaviour at address ``exec``."""

    _ctx: Context
    _processes: Processes
    _registry: JobRegistry

    def __attrs_post_init__(self) -> None:
        """Take up what a supervisor before this one has left: its timers died with it."""
        for job in self._registry.live_jobs():
            if job.state is not JobState.ADMITTED:
                self._arm_timeout(job)
                self._arm_silence(job)
        for job_id in self._registry.unsent:
            self._ctx.set_timer(("offer", job_id), self._ctx.now_ms() + NOTICE_RETRY_MS, _OfferNotice(job_id))
        self._sweep()

    def receive(self, message: object) -> None:
        """Handle one message; anything that is not one of :data:`.exec_port.SupervisorMessage` is a mistake.

        Raises:
            TypeError: The message is none of the supervisor's.
        """
        match message:
            case _Timeout() | _CheckSilence() | _OfferNotice() | _NoticeRefused() | _Sweep():
                self._on_timer(message)
            case StartJob() | KillJob() | JobStarted() | JobExited() | ExitSeen() | NoticeReleased():
                self._on_message(message)
            case _:
                raise TypeError(f"exec: cannot handle {message!r}")

    def _on_message(self, message: SupervisorMessage) -> None:
        match message:
            case StartJob():
                self._start(message.job)
            case JobStarted():
                self._started(message)
            case JobExited():
                self._exited(message)
            case KillJob():
                self._kill(message)
            case ExitSeen():
                self._seen(message.job_id)
            case NoticeReleased():
                self._release(message.job_id)
            case _:
                assert_never(message)

    def _on_timer(self, message: _Timer) -> None:
        match message:
            case _Timeout():
                self._end(message.job_id, ExitReason.OVERALL_TIMEOUT)
            case _CheckSilence():
                self._check_silence(message.job_id)
            case _NoticeRefused():
                self._offer_later(message.job_id, message.notice)
            case _OfferNotice():
                self._offer_again(message.job_id)
            case _Sweep():
                self._sweep()
            case _:
                assert_never(message)

    # Starting and ending

    def _start(self, job: Job) -> None:
        job.started_ms = job.silent_since_ms = self._ctx.now_ms()
        self._arm_timeout(job)
        self._arm_silence(job)
        self._processes.start(job)

    def _arm_timeout(self, job: Job) -> None:
        if job.spec.timeout_ms is not None:
            self._ctx.set_timer(("timeout", job.id), job.started_ms + job.spec.timeout_ms, _Timeout(job.id))

    def _started(self, message: JobStarted) -> None:
        job = self._registry.get(message.job_id)
        if job is not None:
            job.pid = message.pid
            if job.state is JobState.ADMITTED:
                job.state = JobState.RUNNING
            job.changed()

    def _kill(self, message: KillJob) -> None:
        self._end(message.job_id, ExitReason.MANUAL_CANCEL, message.grace_ms)

    def _end(self, job_id: str, reason: ExitReason, grace_ms: int | None = None) -> None:
        job = self._registry.get(job_id)
        if job is None or job.state is JobState.EXITED:
            return
        job.state = JobState.STOPPING
        self._processes.terminate(job_id, reason, job.spec.grace_ms if grace_ms is None else grace_ms)
        job.changed()

    def _exited(self, message: JobExited) -> None:
        job = self._registry.get(message.job_id)
        assert job is not None, f"exit of an unknown job: {message.job_id}"
        assert job.exit is None, f"second exit of {job.id}: {message.exit}"
        now_ms = self._ctx.now_ms()
        job.exit, job.ended_ms, job.state = message.exit, now_ms, JobState.EXITED
        job.input.discard()
        self._ctx.cancel_timer(("timeout", job.id))
        self._ctx.cancel_timer(("silence", job.id))
        self._registry.finish(job, now_ms)
        self._announce(job)
        self._sweep()
        job.changed()

    # Announcing

    def _announce(self, job: Job) -> None:
        if job.observed or not job.backgrounded:
            job.notice = NoticeState.SETTLED
        elif job.waiting_count:
            job.notice = NoticeState.HELD
        else:
            self._send(job)

    def _send(self, job: Job) -> None:
        job.notice = NoticeState.SETTLED
        message = exit_message(job)
        if message is not None:
            job.notice = NoticeState.SENT
            message.is_seen = lambda: job.observed
            message.settle = lambda answer: self._answered(job.id, message, answer)
            self._offer(job.id, message)

    def _answered(self, job_id: str, message: Notice, answer: object) -> None:
        """A sender that lives can try again; a child that is dead cannot, so its exit waits here for room."""
        if isinstance(answer, Full) or (isinstance(answer, Receipt) and answer.refusal is Refusal.FULL):
            self._ctx.tell(self._ctx.address, _NoticeRefused(job_id, message))

    def _offer(self, job_id: str, message: Notice) -> None:
        receipt = cast("Callable[[str, object], Receipt | None]", self._ctx.tell)(ROUTER_ADDRESS, message)
        if receipt is not None and not receipt:
            self._offer_later(job_id, message)

    def _offer_later(self, job_id: str, message: Notice) -> None:
        self._registry.unsent[job_id] = message
        self._ctx.set_timer(("offer", job_id), self._ctx.now_ms() + NOTICE_RETRY_MS, _OfferNotice(job_id))

    def _offer_again(self, job_id: str) -> None:
        message = self._registry.unsent.pop(job_id, None)
        if message is not None:
            self._offer(job_id, message)

    def _release(self, job_id: str) -> None:
        job = self._registry.get(job_id)
        if job is not None and job.notice is NoticeState.HELD and not job.waiting_count and not job.observed:
            self._send(job)

    def _seen(self, job_id: str) -> None:
        job = self._registry.get(job_id)
        if job is None or job.notice not in {NoticeState.HELD, NoticeState.SENT}:
            return
        if job.notice is NoticeState.SENT and self._registry.unsent.pop(job_id, None) is None:
            self._take_back(job)
        job.notice = NoticeState.SETTLED

    def _take_back(self, job: Job) -> None:
        message = exit_message(job, again=True)
        if message is not None and message.context_key is not None:
            seen = NoticeSeen(message.session_key, message.context_key, message.agent_id)
            self._ctx.tell(ROUTER_ADDRESS, seen)

    # Silence

    def _arm_silence(self, job: Job) -> None:
        due_ms: list[int] = []
        if job.spec.no_output_timeout_ms is not None:
            due_ms.append(job.silent_since_ms + job.spec.no_output_timeout_ms)
        if job.spec.silence_notice_ms is not None:
            is_reported = job.reported_bytes == job.output_bytes
            since_ms = self._ctx.now_ms() if is_reported else job.silent_since_ms  # reported: look for output again
            due_ms.append(since_ms + job.spec.silence_notice_ms)
        if due_ms:
            job.check_due_ms = min(due_ms)
            self._ctx.set_timer(("silence", job.id), job.check_due_ms, _CheckSilence(job.id))

    def _check_silence(self, job_id: str) -> None:
        job = self._registry.get(job_id)
        if job is None or job.state not in {JobState.ADMITTED, JobState.RUNNING}:
            return
        now_ms = self._ctx.now_ms()
        if now_ms - job.check_due_ms > STANDSTILL_MS:
            job.silent_since_ms = now_ms
        job.silent_since_ms = max(job.silent_since_ms, job.last_output_ms or 0)
        silent_ms = now_ms - job.silent_since_ms
        limit_ms = job.spec.no_output_timeout_ms
        if limit_ms is not None and silent_ms >= limit_ms:
            self._end(job_id, ExitReason.NO_OUTPUT_TIMEOUT)
            return
        self._report_silence(job, silent_ms)
        self._arm_silence(job)

    def _report_silence(self, job: Job, silent_ms: int) -> None:
        after_ms = job.spec.silence_notice_ms
        if after_ms is None or silent_ms < after_ms or job.reported_bytes == job.output_bytes:
            return
        job.reported_bytes = job.output_bytes
        if job.backgrounded and job.contract.reports_silence:
            message = silence_message(job, silent_ms, self._ctx.now_ms())
            if message is not None:
                self._ctx.tell(ROUTER_ADDRESS, message)

    def _sweep(self) -> None:
        next_ms = self._registry.sweep(self._ctx.now_ms())
        if next_ms is not None:
            self._ctx.set_timer("sweep", next_ms, _Sweep())


def exit_message(job: Job, *, again: bool = False) -> Notice | None:
    """The notice of a job's exit, or ``None`` when its contract wants none.

    A key without an owner is not decided here: it goes to the router as it is, which knows the configured owner and the
    dead letters.

    Args:
        job: The ended job.
        again: The notice has been sent; say what it was.
    """
    if job.exit is None or job.exit.reason in _QUIET_REASONS:
        return None
    finished = finished_job(job, observed=job.observed and not again)
    try:
        notice = exec_notice(finished)
    except InvalidSessionKeyError:
        return _unowned(job, exit_text(finished))
    return None if notice is None else notice.message()


def silence_message(job: Job, silent_ms: int, now_ms: int) -> Notice | None:
    """What the owner of a silent child is told. Routed exactly as its exit would be."""
    text = silence_text(
        f"Turn silent ({job.spec.title})" if job.contract.is_turn else f"Exec silent ({job.id[:8]})",
        silent_ms=silent_ms,
        takes_input=job.spec.takes_input and not job.input.closed,
        next_limit=_next_limit(job, silent_ms, now_ms),
    )
    message = _routed(job, text)
    if message is not None:
        message.source = job.contract.silence_source
        if job.contract.is_turn:
            message.reason, message.context_key = STALL_REASON, f"{message.source}:{job.id}"
        else:
            message.context_key = f"exec:{job.id}:silent"
    return message


def _routed(job: Job, text: str) -> Notice | None:
    """A text on the way that the exit of the job would take; ``None`` when the job is nobody's."""
    failed = FinishedJob(
        id=job.id,
        status=JobStatus.FAILED,  # the status that no rule suppresses; its text is replaced
        session_key=job.contract.session_key,
        agent_id=job.contract.agent_id,
        routing=job.contract.routing,
        delivery=job.contract.delivery,
    )
    try:
        notice = exec_notice(failed)
    except InvalidSessionKeyError:
        return _unowned(job, text)
    return None if notice is None else evolve(notice, event=evolve(notice.event, text=text)).message()


def _next_limit(job: Job, silent_ms: int, now_ms: int) -> str | None:
    limits: list[tuple[int, str]] = []
    if job.spec.no_output_timeout_ms is not None:
        limits.append((job.spec.no_output_timeout_ms - silent_ms, "no-output timeout"))
    if job.spec.timeout_ms is not None:
        name = "turn timeout" if job.contract.is_turn else "overall timeout"
        limits.append((job.started_ms + job.spec.timeout_ms - now_ms, name))
    if not limits:
        return None
    in_ms, name = min(limits)
    return limit_text(name, in_ms)


def finished_job(job: Job, *, observed: bool = False) -> FinishedJob:
    """What the notice of an ended job depends on."""
    assert job.exit is not None
    status = JobStatus(job.exit.status.value)
    return FinishedJob(
        id=job.id,
        status=status,
        session_key=job.contract.session_key,
        agent_id=job.contract.agent_id,
        backgrounded=job.backgrounded,
        notify_on_exit=job.contract.notify_on_exit,
        notify_on_exit_empty_success=job.contract.notify_on_exit_empty_success,
        terminal_poll_observed=observed,
        exit_reason=job.exit.reason,
        finalization_failed=job.exit.cleanup_failure is not None,
        exit_code=job.exit.exit_code,
        exit_signal=job.exit.exit_signal,
        tail=_tail_text(job),
        routing=job.contract.routing,
        delivery=job.contract.delivery,
    )


def _tail_text(job: Job) -> str:
    tail = job.output.tail_text(TAIL_UNITS)
    if job.errors is not None and job.errors.total_bytes:
        tail = f"{tail}\n{job.errors.tail_text(TAIL_UNITS)}"
    return tail


def _unowned(job: Job, text: str) -> Notice:
    return Notice(
        session_key=job.contract.session_key or "",
        text=text,
        source=Source.EXEC_EVENT,
        intent=Intent.EVENT,
        reason=Source.EXEC_EVENT.value,
        agent_id=job.contract.agent_id,
        context_key=f"exec:{job.id}".lower(),
        delivery=job.contract.delivery,
    )
