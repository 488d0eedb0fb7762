"""Which jobs there are. The book that the supervisor keeps and the handles read; it survives the supervisor's restart.

A job is admitted at once or refused at once, within a bound for each owner. Finished background jobs stay readable
until they are too old, too many or too big; the oldest go first. Each look-up is scoped: to anybody but its owner, a
job does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from attrs import field, frozen

from ...protocols.errors import InvalidInputError, WakewardError
from ...protocols.jobs.input import InputQueue
from ...protocols.jobs.name import new_job_id
from ...protocols.jobs.output import OutputBuffer
from ...protocols.jobs.spec import JobSpec
from ...protocols.sessions.route import queue_key
from ...protocols.wakes.messages import Notice
from .record import Contract, Job, JobState

SUPERVISOR_ADDRESS: Final = "exec"
_USED_IDS_MAX: Final = 20_000


class TooManyJobsError(WakewardError):
    """The agent has as many live children as it may have."""


class UnknownJobError(InvalidInputError):
    """The agent has no such job: never had, or it is finished and gone."""


@final
@frozen
class JobLimits:
    """How much is kept, and for how long.

    Attributes:
        live_count_max: Children of one agent at a time.
        finished_ttl_ms: How long a finished background job stays readable.
        finished_count_max: How many of them are kept for each agent.
        finished_bytes_max: How much of their output is kept for all agents together.
    """

    live_count_max: int = 1_000
    finished_ttl_ms: int = 1_800_000
    finished_count_max: int = 50
    finished_bytes_max: int = 32_000_000


@final
class JobRegistry:
    """All jobs of one host.

    Attributes:
        unsent: By job, notices that the router has yet to take. The supervisor's.
    """

    def __init__(self, choose: Callable[[int], int], limits: JobLimits | None = None) -> None:
        """Args: ``choose`` draws an index below its argument at random, for the names of jobs."""
        self._choose = choose
        self._limits = limits or JobLimits()
        self._jobs: dict[str, Job] = {}
        self._finished: dict[str, Job] = {}  # in the order in which they ended
        self._live_count: dict[str, int] = {}
        self._finished_bytes = 0
        self._used_ids: dict[str, None] = {}
        self.unsent: dict[str, Notice] = {}

    def admit(self, spec: JobSpec, contract: Contract, now_ms: int, *, backgrounded: bool = False) -> Job:
        """Make a job's record and reserve its place.

        Raises:
            InvalidSessionKeyError: Its notice would have no queue to go to.
            TooManyJobsError: The agent has as many live children as it may have.
        """
        if contract.session_key is not None:
            queue_key(contract.session_key, contract.agent_id)
        live_count = self._live_count.get(contract.agent_id, 0)
        if live_count >= self._limits.live_count_max:
            raise TooManyJobsError(
                f"agent {contract.agent_id!r} has {live_count} children running, at most "
                f"{self._limits.live_count_max} are allowed: wait for one, or kill one"
            )
        job = self._new_job(spec, contract, now_ms)
        job.backgrounded = backgrounded
        self._jobs[job.id] = job
        self._live_count[contract.agent_id] = live_count + 1
        return job

    def _new_job(self, spec: JobSpec, contract: Contract, now_ms: int) -> Job:
        def buffer() -> OutputBuffer:
            return OutputBuffer(spec.head_bytes, spec.tail_bytes)

        return Job(
            id=self._new_id(),
            spec=spec,
            contract=contract,
            admitted_ms=now_ms,
            output=buffer(),
            input=InputQueue(spec.stdin, stay_open=spec.takes_input),
            errors=buffer() if spec.separate_stderr else None,
            silent_since_ms=now_ms,
        )

    def _new_id(self) -> str:
        """A name that no job has and none had lately: notices are told apart by it, also those that still wait."""
        job_id = new_job_id(self._choose, lambda name: name in self._used_ids or name in self._jobs)
        self._used_ids[job_id] = None
        if len(self._used_ids) > _USED_IDS_MAX:
            del self._used_ids[next(iter(self._used_ids))]
        return job_id

    def discard(self, job: Job) -> None:
        """Give back an admission that came to nothing: the supervisor did not take the job."""
        assert job.state is JobState.ADMITTED, f"discard of {job.id} in state {job.state}"
        self._close(job)
        del self._jobs[job.id]

    def get(self, job_id: str) -> Job | None:
        """The job, whoever owns it. For the supervisor."""
        return self._jobs.get(job_id)

    def find(self, agent_id: str, job_id: str) -> Job:
        """The owner's job.

        Raises:
            UnknownJobError: There is none.
        """
        job = self._jobs.get(job_id)
        if job is None or job.contract.agent_id != agent_id:
            raise UnknownJobError(f"agent {agent_id!r} has no job {job_id!r}: it never had, or it is gone")
        return job

    def jobs_of(self, agent_id: str) -> list[Job]:
        """The owner's jobs, the newest first."""
        return [job for job in reversed(self._jobs.values()) if job.contract.agent_id == agent_id]

    def live_jobs(self) -> list[Job]:
        """All jobs that have not ended."""
        return [job for job in self._jobs.values() if job.exit is None]

    def finish(self, job: Job, now_ms: int) -> None:
        """Note that the job has ended; keep it if somebody may come back to it."""
        self._close(job)
        if not job.backgrounded:
            del self._jobs[job.id]
            return
        self._finished[job.id] = job
        self._finished_bytes += job.kept_bytes
        self.sweep(now_ms)
        self._trim(job.contract.agent_id)

    def remove(self, job: Job) -> None:
        """Forget a finished job; nothing happens when it is gone already."""
        if self._finished.pop(job.id, None) is not None:
            self._finished_bytes -= job.kept_bytes
            del self._jobs[job.id]

    def sweep(self, now_ms: int) -> int | None:
        """Forget what is too old. Returns when the next one will be, ``None`` when nothing is kept."""
        for job in tuple(self._finished.values()):
            assert job.ended_ms is not None
            expires_ms = job.ended_ms + self._limits.finished_ttl_ms
            if expires_ms > now_ms:
                return expires_ms
            self.remove(job)
        return None

    def statistics(self) -> JobStatistics:
        """A snapshot of the counts."""
        return JobStatistics(
            live_count=sum(self._live_count.values()),
            finished_count=len(self._finished),
            finished_bytes=self._finished_bytes,
        )

    def _trim(self, agent_id: str) -> None:
        own = [job for job in self._finished.values() if job.contract.agent_id == agent_id]
        for job in own[: max(0, len(own) - self._limits.finished_count_max)]:
            self.remove(job)
        for job in tuple(self._finished.values())[:-1]:  # the newest stays, however big
            if self._finished_bytes <= self._limits.finished_bytes_max:
                break
            self.remove(job)

    def _close(self, job: Job) -> None:
        agent_id = job.contract.agent_id
        self._live_count[agent_id] -= 1
        if not self._live_count[agent_id]:
            del self._live_count[agent_id]


@final
@frozen
class JobStatistics:
    """How many jobs there are. ``live_count`` includes those that are being started or ended."""

    live_count: int = field()
    finished_count: int = field()
    finished_bytes: int = field()
