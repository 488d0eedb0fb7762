"""All jobs of one run of the host, as far as they are memory only.

Here a job is admitted at once or refused at once, within a bound for each agent, and gets a name that no other job has
or had lately. Here are its buffers, and what its supervisor has last shown of it. The supervisors ask this table who
waits for an exit and who has seen it (:class:`~wakeward.actors.jobs.ports.JobsView`). Each look-up is scoped: to
anybody but its owner, a job does not exist.

Finished output is bounded for all agents together. The oldest goes first and costs the same however many agents there
are: the finished jobs are one queue, and each agent has its own jobs by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from attrs import frozen

from ...protocols.errors import WakewardError
from ...protocols.jobs.exit import Exit
from ...protocols.jobs.limits import JobLimits
from ...protocols.jobs.messages import NoticeReleased, supervisor_address
from ...protocols.jobs.name import new_job_id
from ...protocols.jobs.record import Audience, JobRecord, NoticeState
from ...protocols.jobs.silence import OutputMark
from ...protocols.jobs.sinks import open_sinks
from ...protocols.jobs.spec import JobSpec
from ...protocols.receipt import Receipt
from .streams import JobStreams

Signal = Callable[[str, object], Receipt]
"""Sends a message to an address by the control lane. Synchronous; it works while cancelled."""

USED_IDS_MAX: Final = 20_000
"""How many names of jobs are remembered, so that none is used again soon."""


class TooManyJobsError(WakewardError):
    """The agent has as many live children as it may have."""


@final
@frozen
class JobStatistics:
    """Counts of jobs.

    Attributes:
        live_count: Jobs that were admitted and whose exit has not been dealt with.
        exited_count: Jobs whose exit has been dealt with since the host began.
        finished_count: Finished jobs whose output is kept.
        finished_bytes: How much output that is.
    """

    live_count: int
    exited_count: int
    finished_count: int
    finished_bytes: int


@final
class JobTable:
    """See the module. The view of the supervisors, and what performs the effects :data:`SHOW_JOB`, :data:`DROP_JOB`
    and :data:`CLOSE_CHILD`.
    """

    def __init__(
        self,
        signal: Signal,
        choose: Callable[[int], int],
        *,
        limits: JobLimits = JobLimits(),
        count: Callable[[int], None] = lambda _change: None,
    ) -> None:
        """Begin empty.

        Args:
            signal: How supervisors are told.
            choose: Draws an index below its argument at random, for the names of jobs.
            limits: The bounds.
            count: Called with +1 when a job becomes outstanding work, and with -1 when its exit has been dealt with.
        """
        self.signal = signal
        self._choose = choose
        self._limits = limits
        self._count = count
        self._jobs: dict[str, JobStreams] = {}
        self._live: dict[str, JobStreams] = {}
        self._live_counts: dict[str, int] = {}
        self._listed: dict[str, dict[str, JobStreams]] = {}
        self._finished: dict[str, JobStreams] = {}
        self._finished_bytes = 0
        self._exited_count = 0
        self._seen_by_id: dict[str, bool] = {}

    # Admission

    def admit(self, spec: JobSpec, agent_id: str, audience: Audience) -> JobStreams:
        """Reserve the place of a job, and give it a name and its buffers.

        Raises:
            TooManyJobsError: The agent has as many live children as it may have.
        """
        # Counted for each agent: one that starts children without end leaves the places of the others alone.
        live_count = self._live_counts.get(agent_id, 0)
        if live_count >= self._limits.live_count_max:
            raise TooManyJobsError(
                f"agent {agent_id!r} has {live_count} children running, at most "
                f"{self._limits.live_count_max} are allowed: wait for one, or kill one"
            )
        # Before the supervisor has the job: a fact of it, or a look at the list, finds it from now on.
        job_id = self._new_id()
        streams = JobStreams(job_id, agent_id, spec, open_sinks(spec), is_backgrounded=audience is Audience.OWNER)
        self._list(streams)
        self._live[job_id] = streams
        self._live_counts[agent_id] = live_count + 1
        self._count(1)
        return streams

    def _new_id(self) -> str:
        """A name that no job has and none had lately: notices that still wait are told apart by it."""
        job_id = new_job_id(self._choose, self._seen_by_id.__contains__)
        self._seen_by_id[job_id] = False
        if len(self._seen_by_id) > USED_IDS_MAX:
            # A dict keeps the order of insertion, so its first name is the oldest.
            oldest = next(iter(self._seen_by_id))
            seen = self._seen_by_id.pop(oldest)
            if oldest in self._jobs:
                self._seen_by_id[oldest] = seen  # it is the newest again: as long as the job is known, so is its name
        return job_id

    def discard(self, streams: JobStreams) -> None:
        """Give back an admission that came to nothing: the supervisor did not take the job."""
        self._close(streams)
        self.drop(streams.job_id)

    def give_up(self, job_id: str, ended: Exit) -> None:
        """The supervisor will never show the exit of this job: those who wait for it are shown this one."""
        streams = self._live.get(job_id)
        if streams is not None:
            # Set first: whoever is woken below looks at the exit at once.
            streams.given_up = ended
            self.close(job_id)
            self.drop(job_id)  # no supervisor will; its handles keep what they have
            streams.changed()

    # Looking up

    def jobs_of(self, agent_id: str) -> list[JobStreams]:
        """The agent's jobs, the newest first."""
        return list(reversed(self._listed.get(agent_id, {}).values()))

    def live(self, job_id: str) -> JobStreams | None:
        """A job whose exit has yet to be dealt with, of any owner."""
        return self._live.get(job_id)

    def statistics(self) -> JobStatistics:
        """A snapshot of the counts."""
        return JobStatistics(len(self._live), self._exited_count, len(self._finished), self._finished_bytes)

    # What supervisors ask

    def is_outstanding(self, job_id: str) -> bool:
        """Whether the job was admitted by this run of the host, and its exit has yet to be dealt with."""
        return job_id in self._live

    def is_awaited(self, job_id: str) -> bool:
        """Whether somebody waits for the exit now."""
        streams = self._jobs.get(job_id)
        return streams is not None and streams.waiting_count > 0

    def is_seen(self, job_id: str) -> bool:
        """Whether somebody has been shown the exit. Remembered longer than the job itself."""
        return self._seen_by_id.get(job_id, False)

    def output_of(self, job_id: str) -> OutputMark:
        """What the job has written so far."""
        streams = self._jobs.get(job_id)
        if streams is None:
            return OutputMark(0, None)
        return OutputMark(streams.sinks.total_bytes, streams.sinks.last_output_ms)

    def takes_input(self, job_id: str) -> bool:
        """Whether something can be written to the job now."""
        streams = self._jobs.get(job_id)
        return streams is not None and not streams.sinks.input.closed

    # What handles tell

    def see(self, streams: JobStreams) -> None:
        """Somebody is being shown the exit."""
        streams.is_seen = True
        # A name that has been pushed out is not put back: that would go beyond the bound.
        if streams.job_id in self._seen_by_id:
            self._seen_by_id[streams.job_id] = True

    def release_if_unseen(self, streams: JobStreams) -> None:
        """Let the exit be announced when it is held for a waiter, and none is left."""
        record = streams.record
        if (
            record is not None
            and record.notice is NoticeState.HELD
            and record.audience is Audience.OWNER
            and not streams.is_seen
            and not streams.waiting_count
        ):
            self.signal(supervisor_address(streams.agent_id), NoticeReleased(streams.job_id))

    # What supervisors let happen

    def show(self, record: JobRecord) -> None:
        """The job is as this record says, and that is committed. Wakes those who watch it."""
        streams = self._jobs.get(record.id) or self._restored(record)
        if streams is None:
            return
        streams.record = record
        if record.is_ended:
            # From now on input is refused, instead of being accepted for a child that has gone.
            streams.sinks.input.discard()
            if record.audience is Audience.OWNER:
                # The others have a caller that waited, and it has the output in its handle.
                self._keep_finished(streams)
        streams.changed()
        # A waiter may have left after its supervisor had decided to hold the notice for it.
        self.release_if_unseen(streams)

    def drop(self, job_id: str) -> None:
        """A job is no longer listed; nothing happens when it is not. A handle on it keeps what it has."""
        streams = self._jobs.pop(job_id, None)
        if streams is None:
            return
        if self._finished.pop(job_id, None) is not None:
            # The same number that was added: the output of a finished job does not change.
            self._finished_bytes -= streams.sinks.kept_bytes
        own = self._listed[streams.agent_id]
        del own[job_id]
        # Agents come and go, and an empty entry for each that ever had a job would stay.
        if not own:
            del self._listed[streams.agent_id]

    def close(self, job_id: str) -> None:
        """The exit of a job has been dealt with: it is outstanding work no longer."""
        streams = self._live.get(job_id)
        if streams is not None:
            self._close(streams)
            self._exited_count += 1

    def _restored(self, record: JobRecord) -> JobStreams | None:
        """A place for a job of an earlier run of the host. None for one of this run: it is no longer listed."""
        if record.id in self._seen_by_id:
            return None
        self._seen_by_id[record.id] = False
        # A record holds no command, only a title for people, and a specification refuses an empty command.
        spec = JobSpec(record.spec.title or "?", detach=record.spec.detach)
        streams = JobStreams(record.id, record.contract.agent_id, spec, open_sinks(spec), is_backgrounded=True)
        self._list(streams)
        return streams

    def _keep_finished(self, streams: JobStreams) -> None:
        # A record is shown again when its notice changes. Its bytes are counted once.
        if streams.job_id in self._finished:
            return
        self._finished[streams.job_id] = streams
        self._finished_bytes += streams.sinks.kept_bytes
        while self._finished_bytes > self._limits.finished_bytes_max and len(self._finished) > 1:
            self.drop(next(iter(self._finished)))  # the newest stays, however big

    def _list(self, streams: JobStreams) -> None:
        self._jobs[streams.job_id] = streams
        self._listed.setdefault(streams.agent_id, {})[streams.job_id] = streams

    def _close(self, streams: JobStreams) -> None:
        del self._live[streams.job_id]
        # No entry at zero, for the same reason as in drop().
        left = self._live_counts[streams.agent_id] - 1
        if left:
            self._live_counts[streams.agent_id] = left
        else:
            del self._live_counts[streams.agent_id]
        self._count(-1)
