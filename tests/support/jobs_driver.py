"""The supervisor of one agent's jobs under the driver, with a real table of jobs and a shell that only notes."""

from __future__ import annotations

import random
from typing import Any

from attrs import define, field
from support.driver import Driver
from wakeward.actors.jobs.supervisor import JobsSupervisor
from wakeward.protocols.actor import Context
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.limits import JobLimits
from wakeward.protocols.jobs.messages import JobExited, JobStarted
from wakeward.protocols.jobs.record import Contract, JobRecord
from wakeward.protocols.jobs.sinks import Sinks
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.journal.records import JobForgotten
from wakeward.runtime.jobs.handle import JobHandle
from wakeward.runtime.jobs.jobs import Jobs
from wakeward.runtime.jobs.streams import JobStreams
from wakeward.runtime.jobs.table import JobTable

MAIN = Contract("ops", "agent:ops:main")
SUPERVISOR = "jobs:ops"
PLAIN = JobSpec("make", silence_notice_ms=None)


@define
class NotedShell:
    """A process shell that only notes what it was asked for."""

    started: list[str] = field(factory=list[str])
    ended: list[tuple[str, ExitReason, int]] = field(factory=list[tuple[str, ExitReason, int]])

    def start(self, job_id: str, spec: JobSpec, sinks: Sinks) -> None:
        del spec, sinks
        self.started.append(job_id)

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        self.ended.append((job_id, reason, grace_ms))


def jobs_in(records: list[Any]) -> dict[str, JobRecord]:
    """The jobs that these records leave."""
    jobs: dict[str, JobRecord] = {}
    for record in records:
        if isinstance(record, JobForgotten):
            del jobs[record.job_id]
        else:
            jobs[record.id] = record
    return jobs


class Stage:
    """One run of a host, as far as jobs are concerned. ``records`` of another stage are those of an earlier run."""

    def __init__(
        self, limits: JobLimits | None = None, *, boot: str = "boot", records: dict[str, list[Any]] | None = None
    ) -> None:
        self.limits = limits or JobLimits()
        self.boot = boot
        self.driver = Driver(records=records)
        self.router = self.driver.listen("router")
        self.shell = NotedShell()
        self.outstanding = 0
        self.table = JobTable(self.driver.signal, random.Random(1).randrange, limits=self.limits, count=self._count)
        self.jobs = Jobs(self.table, lambda: self.driver.now_ms)
        self.driver.perform.update(self.jobs.performers(self.shell))
        self.driver.spawn(SUPERVISOR, self._supervisor)
        self.driver.run()

    def _count(self, change: int) -> None:
        self.outstanding += change

    def _supervisor(self, ctx: Context) -> JobsSupervisor:
        return JobsSupervisor(ctx, "ops", self.stored, self.table, boot=self.boot, limits=self.limits)

    @property
    def stored(self) -> dict[str, JobRecord]:
        """The committed jobs."""
        return jobs_in(self.driver.records["ops"])

    def start(self, spec: JobSpec = PLAIN, contract: Contract = MAIN, *, background: bool = True) -> JobStreams:
        """Start a job; its child runs."""
        handle = self.jobs.start(spec, contract, background=background)
        self.driver.run()
        self.tell(JobStarted(handle.id, 100))
        job = self.table.live(handle.id)
        assert job is not None
        return job

    def exit(self, job: JobStreams, ended: Exit | None = None, output: bytes = b"done\n") -> list[Any]:
        """End a job; what the router is told."""
        if output:
            job.sinks.output.append(output, self.driver.now_ms)
        self.tell(JobExited(job.job_id, ended or Exit(ExitReason.EXIT, 0), job.sinks.tail_text()))
        return self.take()

    def handle(self, job: JobStreams) -> JobHandle:
        """A handle on a job, which may be no longer listed."""
        return JobHandle(job, self.table, lambda: self.driver.now_ms)

    def tell(self, message: object) -> None:
        """Tell the supervisor, and let everything happen that follows."""
        self.driver.signal(SUPERVISOR, message)
        self.driver.run()

    def take(self) -> list[Any]:
        """What the router was told since the last take."""
        told, self.router[:] = list(self.router), []
        return told

    def listed(self) -> list[str]:
        """The jobs that the owner finds, the newest first."""
        return [job.job_id for job in self.table.jobs_of("ops")]
