"""Starting and listing jobs: what a host calls, and how the process shell and the supervisors meet.

The way of an exit: the shell's child has an :class:`~wakeward.protocols.jobs.exit.Exit`, and reports it as a
:class:`~wakeward.protocols.jobs.messages.JobExited` (:meth:`Jobs.deliver`) to the supervisor of the agent, whose
``Notice`` becomes an ``Event`` of the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, final

import trio

from ...protocols.effects import CLOSE_CHILD, DROP_JOB, END_CHILD, SHOW_JOB, START_CHILD
from ...protocols.errors import HostClosedError
from ...protocols.jobs.exit import Exit, ExitReason
from ...protocols.jobs.messages import JobExited, ShellFact, StartJob, supervisor_address
from ...protocols.jobs.record import Audience, Contract
from ...protocols.jobs.sinks import Sinks
from ...protocols.jobs.spec import DEFAULT_YIELD_AFTER_MS, JobSpec
from ...protocols.sessions.locate import Location
from ...protocols.wakes.wake import Source
from ..kernel import Performer
from .handle import JobHandle
from .options import NO_OPTIONS, Command, JobOptions
from .streams import JobStreams
from .table import JobTable


class Shell(Protocol):
    """The process shell. Its calls return at once; what comes of them is delivered."""

    def start(self, job_id: str, spec: JobSpec, sinks: Sinks) -> None:
        """Spawn a child. Exactly one ``JobExited`` follows, also when it cannot be spawned."""
        ...

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        """End the child and its whole tree: SIGTERM, ``grace_ms``, SIGKILL. The first reason counts. Nothing happens
        when the child has exited.
        """
        ...


@final
class Jobs:
    """All jobs of a host: starts them, lists them, and passes on what the shell and the supervisors say."""

    def __init__(self, table: JobTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    # For the host's callers

    async def exec(
        self,
        owner: Location,
        command: Command,
        options: JobOptions = NO_OPTIONS,
        *,
        source: Source = Source.EXEC_EVENT,
    ) -> JobHandle:
        """Run a command for a session.

        Args:
            owner: What ``locate`` found for the session. Its exit is told there.
            command: What to run.
            options: How.
            source: Who reports a silence. ``CLI_WATCHDOG`` where the child is the turn itself; its silence is then
                told also without ``notify_on_exit``.

        Raises:
            InvalidInputError: The command or an environment variable cannot be used.
            TooManyJobsError: The agent has too many live children.
            HostClosedError: The host takes no more work.

        Cancellation: a child that is still waited for is ended, silently.
        """
        return await self.run(options.spec(command), options.contract(owner, source), yield_after_ms=options.wait_ms)

    async def run(
        self, spec: JobSpec, contract: Contract, *, yield_after_ms: int | None = DEFAULT_YIELD_AFTER_MS
    ) -> JobHandle:
        """Start a child and wait for it, but not for ever.

        Args:
            spec: What to run.
            contract: Whose it is, and how its exit is told.
            yield_after_ms: After so long it goes on in the background; 0 at once, ``None`` never.

        Returns:
            A handle. Its ``exit`` is set when the child ended in time.

        Raises:
            The same as :meth:`start`.

        Cancellation: a child that is still waited for is ended, silently.
        """
        handle = self.start(spec, contract, background=yield_after_ms == 0)
        if yield_after_ms == 0:
            # A call that can wait is a checkpoint in every case, as in Trio itself.
            await trio.lowlevel.checkpoint()
        else:
            await handle.wait_foreground(yield_after_ms)
        return handle

    def start(self, spec: JobSpec, contract: Contract, *, background: bool = True) -> JobHandle:
        """Start a child and return at once. Its exit is announced unless somebody has been shown it before.

        Args:
            spec: What to run.
            contract: Whose it is, and how its exit is told. A snapshot.
            background: Whether the exit is for the owner. Otherwise the caller goes on with
                :meth:`JobHandle.wait_foreground`, and gets it there.

        Raises:
            TooManyJobsError: The agent has too many live children.
            HostClosedError: The host takes no more work.
        """
        audience = Audience.OWNER if background else Audience.CALLER
        # Admitted first: the supervisor can take the message in the same step, and then the job has to be there.
        streams = self._table.admit(spec, contract.agent_id, audience)
        message = StartJob(streams.job_id, spec, contract, audience)
        receipt = self._table.signal(supervisor_address(contract.agent_id), message)
        if not receipt:
            # No supervisor has the job, so nobody else would give its place back.
            self._table.discard(streams)
            raise HostClosedError(f"exec {spec.title!r} for agent {contract.agent_id!r}: {receipt.detail or 'refused'}")
        return self._handle(streams)

    def list(self, agent_id: str) -> list[JobHandle]:
        """The owner's jobs, the newest first: those that run, and those that ended and are kept."""
        return [self._handle(streams) for streams in self._table.jobs_of(agent_id)]

    def _handle(self, streams: JobStreams) -> JobHandle:
        return JobHandle(streams, self._table, self._now_ms)

    # For the process shell and the kernel

    def deliver(self, fact: ShellFact) -> None:
        """Pass a fact of the process shell on to the supervisor of the job. Synchronous; it works while cancelled."""
        streams = self._table.live(fact.job_id)
        assert streams is not None, f"a fact of a job that is not outstanding: {fact!r}"
        # By the control lane, which is never full: an exit cannot be refused for want of room.
        self._table.signal(supervisor_address(streams.agent_id), fact)

    def performers(self, shell: Shell) -> Mapping[int, Performer]:
        """What performs the effects of the supervisors, by operation."""
        table = self._table

        def start_child(_address: str, job_id: str, spec: JobSpec, _c: object) -> None:
            # The effect only names the job: effects are data, and buffers are not.
            streams = table.live(job_id)
            assert streams is not None, f"start of a job that is not outstanding: {job_id}"
            shell.start(job_id, spec, streams.sinks)

        def end_child(_address: str, job_id: str, reason: ExitReason, grace_ms: int) -> None:
            shell.terminate(job_id, reason, grace_ms)

        return {
            START_CHILD: start_child,
            END_CHILD: end_child,
            CLOSE_CHILD: lambda _address, job_id, _b, _c: table.close(job_id),
            SHOW_JOB: lambda _address, record, _b, _c: table.show(record),
            DROP_JOB: lambda _address, job_id, _b, _c: table.drop(job_id),
        }

    def give_up(self, message: object, why: str) -> None:
        """A message to a supervisor became a dead letter: let nobody wait for what will not come of it.

        Args:
            message: Any dead letter; nothing happens unless a job depends on it.
            why: For people.
        """
        if isinstance(message, StartJob):
            self._table.give_up(message.job_id, Exit(ExitReason.SPAWN_ERROR, detail=f"not started: {why}"))
        elif isinstance(message, JobExited):
            # The child has ended, so its true exit is shown, and not one that is made up.
            self._table.give_up(message.job_id, message.exit)
