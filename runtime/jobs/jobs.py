"""Starting and finding jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import final

import trio

from ...actors.jobs.ports import StartJob
from ...actors.jobs.record import Contract, Job
from ...actors.jobs.registry import SUPERVISOR_ADDRESS, JobRegistry
from ...protocols.errors import HostClosedError
from ...protocols.jobs.env_guard import check_overrides, sanitize_env
from ...protocols.jobs.spec import DEFAULT_YIELD_AFTER_MS, JobSpec
from .handle import JobHandle, Tell


def child_environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: the host's, as far as it may be inherited, then the overrides.

    Raises:
        InvalidInputError: An override is refused. The message names the variable.
    """
    check_overrides(overrides)
    return dict(sanitize_env(os.environ, overrides).env)


@final
class Jobs:
    """All jobs of a host, seen by whoever may start and look up jobs for an agent."""

    def __init__(self, registry: JobRegistry, tell: Tell, now_ms: Callable[[], int]) -> None:
        """Args: ``tell`` sends to an address; it is synchronous and works while cancelled."""
        self._registry = registry
        self._tell = tell
        self._now_ms = now_ms

    def start(self, spec: JobSpec, contract: Contract, *, backgrounded: bool = True) -> JobHandle:
        """Start a child and return at once. Its exit is announced unless somebody has been shown it before.

        Args:
            spec: What to run.
            contract: Whose it is, and how its exit is told. A snapshot.
            backgrounded: Whether the exit is announced at all: false while a caller waits for it.

        Raises:
            InvalidSessionKeyError: The contract's session has no queue.
            TooManyJobsError: The agent has too many live children.
            HostClosedError: The host takes no more work.
        """
        job = self._registry.admit(spec, contract, self._now_ms(), backgrounded=backgrounded)
        receipt = self._tell(SUPERVISOR_ADDRESS, StartJob(job))
        if not receipt:
            self._registry.discard(job)
            raise HostClosedError(f"exec {spec.title!r} for agent {contract.agent_id!r}: {receipt.detail or 'refused'}")
        return JobHandle(job, self._registry, self._tell, self._now_ms)

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
        handle = self.start(spec, contract, backgrounded=yield_after_ms == 0)
        if yield_after_ms == 0:
            await trio.lowlevel.checkpoint()
        else:
            await handle.wait_foreground(yield_after_ms)
        return handle

    def get(self, agent_id: str, job_id: str) -> JobHandle:
        """The owner's job.

        Raises:
            UnknownJobError: There is none.
        """
        return self._handle(self._registry.find(agent_id, job_id))

    def list(self, agent_id: str) -> list[JobHandle]:
        """The owner's jobs, the newest first: those that run, and those that ended and are kept."""
        return [self._handle(job) for job in self._registry.jobs_of(agent_id)]

    def _handle(self, job: Job) -> JobHandle:
        return JobHandle(job, self._registry, self._tell, self._now_ms)
