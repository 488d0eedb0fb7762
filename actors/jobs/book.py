"""The records of one agent's jobs: the whole state of their supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from ...protocols.actor import Context
from ...protocols.effects import HostEffects
from ...protocols.jobs.limits import JobLimits
from ...protocols.jobs.notice import exit_notice_text
from ...protocols.jobs.record import JobRecord, NoticeState
from ...protocols.journal.records import JobForgotten
from ...protocols.wakes.decision import Decision, DecisionKind
from ...protocols.wakes.wake import Source
from .finished import FinishedJobs


@final
class JobBook:
    """Every change of a record is saved, and then shown to the handles of the job."""

    def __init__(self, ctx: Context, agent_id: str, jobs: Mapping[str, JobRecord], limits: JobLimits) -> None:
        """Begin with the committed records."""
        self._ctx = ctx
        self._effects = HostEffects(ctx)
        self._agent_id = agent_id
        self._jobs = dict(jobs)
        self._finished = FinishedJobs(limits)

    def get(self, job_id: str) -> JobRecord | None:
        """The job, ended or not."""
        return self._jobs.get(job_id)

    def live(self, job_id: str) -> JobRecord | None:
        """The job, if it has not ended."""
        record = self._jobs.get(job_id)
        return None if record is None or record.is_ended else record

    def put(self, record: JobRecord) -> None:
        """The job is as this record says."""
        self._jobs[record.id] = record
        self._ctx.save(self._agent_id, record)
        # An effect, so handles see a record when it is committed and not before.
        self._effects.show_job(record)

    def finish(self, job_id: str) -> None:
        """The job has ended, and its owner may look at it again: keep it for a time."""
        self._finished.add(job_id)

    def forget(self, job_id: str) -> None:
        """The job is no longer kept."""
        # The effect waits for the commit of the deletion: a job cannot come back after the host said that it was gone.
        del self._jobs[job_id]
        self._finished.discard(job_id)
        self._ctx.save(self._agent_id, JobForgotten(job_id))
        self._effects.drop_job(job_id)

    def sweep(self) -> int | None:
        """Let finished jobs go that are too old or too many. Returns when to sweep again."""
        swept = self._finished.sweep(self._jobs, self._ctx.now_ms())
        for job_id in swept.unlisted:
            # Listed no more, but its record stays until nothing can come of its notice.
            self._effects.drop_job(job_id)
        for job_id in swept.forgotten:
            self._report_untold(self._jobs[job_id])
            self.forget(job_id)
        return self._finished.next_sweep_ms(self._jobs)

    def _report_untold(self, record: JobRecord) -> None:
        """An exit is dropped before anybody was told of it. That is said aloud."""
        if record.notice in {NoticeState.HELD, NoticeState.REFUSED}:
            contract = record.contract
            self._effects.decide(
                Decision(
                    self._ctx.now_ms(),
                    DecisionKind.DEAD,
                    contract.agent_id,
                    contract.session_key,
                    Source.EXEC_EVENT,
                    reason=f"too many exits wait for room, {record.id} is the oldest",
                    text=exit_notice_text(record),
                )
            )
