"""What the supervisor of an agent's jobs is told.

All of it goes by the control lane. The order in which a caller leaves a job and the job ends decides whether the exit
is announced, so the two must not overtake each other; and each message is bounded, by the children that were admitted.
"""

from __future__ import annotations

from typing import Final, final

from attrs import define

from .exit import Exit
from .record import Audience, Contract
from .spec import JobSpec

JOBS_KIND: Final = "jobs"
"""The kind of actor that supervises the jobs of one agent."""


def supervisor_address(agent_id: str) -> str:
    """Where the supervisor of an agent's jobs is."""
    return f"{JOBS_KIND}:{agent_id}"


@final
@define(eq=False)
class StartJob:
    """Start an admitted job. The one message that holds the whole specification, secrets included."""

    job_id: str
    spec: JobSpec
    contract: Contract
    audience: Audience


@final
@define(eq=False)
class KillJob:
    """End a job for its owner. ``grace_ms`` overrules the job's own."""

    job_id: str
    grace_ms: int | None = None


@final
@define(eq=False)
class DiscardJob:
    """End a job if it runs, tell nobody, and forget it when it has ended."""

    job_id: str


@final
@define(eq=False)
class BackgroundJob:
    """The caller goes on without the job: its exit is for the owner from now on."""

    job_id: str


@final
@define(eq=False)
class ExitSeen:
    """Somebody has been shown the exit. What is announced of it is to be taken back."""

    job_id: str


@final
@define(eq=False)
class NoticeReleased:
    """Those who waited for the exit have gone without having seen it. Announce it after all."""

    job_id: str


@final
@define(eq=False)
class JobStarted:
    """The process shell: the child runs."""

    job_id: str
    pid: int


@final
@define(eq=False)
class JobExited:
    """The process shell: the child has ended. Told exactly once per child, and safe to tell while cancelled.

    Attributes:
        tail: The end of the output, fit to be read: what a notice is made from.
    """

    job_id: str
    exit: Exit
    tail: str


ShellFact = JobStarted | JobExited
"""What the process shell reports."""

SupervisorMessage = StartJob | KillJob | DiscardJob | BackgroundJob | ExitSeen | NoticeReleased | ShellFact
