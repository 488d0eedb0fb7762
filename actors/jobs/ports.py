"""What the exec supervisor asks of the world, and what the world tells it.

A job's bytes do not travel through mailboxes: its output buffer and its input queue are shared between whoever reads or
writes them and the process shell. Messages carry only what changes the job's state.
"""

from __future__ import annotations

from typing import Protocol, final

from attrs import define

from ...protocols.jobs.exit import Exit, ExitReason
from .record import Job


class Processes(Protocol):
    """The process shell. Its calls return at once; whatever comes of them is told to the supervisor."""

    def start(self, job: Job) -> None:
        """Spawn the job's child. Exactly one :class:`JobExited` follows, also when it cannot be spawned."""
        ...

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        """End the child and its whole tree: SIGTERM, ``grace_ms``, SIGKILL. The first reason given is the one that
        counts. Nothing happens when the child has exited.
        """
        ...


@final
@define(eq=False)
class StartJob:
    """Start an admitted job."""

    job: Job


@final
@define(eq=False)
class KillJob:
    """End a job for its owner's sake. ``grace_ms`` overrules the job's own."""

    job_id: str
    grace_ms: int | None = None


@final
@define(eq=False)
class JobStarted:
    """The shell: the child runs."""

    job_id: str
    pid: int


@final
@define(eq=False)
class JobExited:
    """The shell: the child has ended. Told exactly once per job, safe to tell while cancelled."""

    job_id: str
    exit: Exit


@final
@define(eq=False)
class ExitSeen:
    """A handle: its caller has been shown the exit. What is announced of it is to be taken back."""

    job_id: str


@final
@define(eq=False)
class NoticeReleased:
    """A handle: who waited for the exit has gone without seeing it. Announce it after all."""

    job_id: str


SupervisorMessage = StartJob | KillJob | JobStarted | JobExited | ExitSeen | NoticeReleased
