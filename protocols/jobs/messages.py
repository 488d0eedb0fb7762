"""The messages to the supervisor of an agent's jobs.

All of them use the control lane. A caller can leave a job in the instant in which the job ends, and the order of the
two messages decides whether the exit is announced. In one lane they cannot overtake each other. The control lane
refuses nothing; this is safe here, because the number of messages is bounded by the number of admitted children.
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
    """The address of the supervisor of an agent's jobs."""
    return f"{JOBS_KIND}:{agent_id}"


@final
@define(eq=False)
class StartJob:
    """Start an admitted job. No other message holds the whole specification, which can contain secrets."""

    job_id: str
    # The secrets end here: the record, which is stored, keeps only what kept_spec takes from the specification.
    spec: JobSpec
    contract: Contract
    audience: Audience


@final
@define(eq=False)
class KillJob:
    """End a job because its owner asks for it. ``grace_ms``, if given, replaces the grace of the job."""

    job_id: str
    grace_ms: int | None = None


@final
@define(eq=False)
class DiscardJob:
    """End a job if it still runs. Its exit is told to nobody, and the job is forgotten when it has ended."""

    job_id: str


@final
@define(eq=False)
class BackgroundJob:
    """The caller goes on without the job: its exit is for the owner from now on."""

    job_id: str


@final
@define(eq=False)
class ExitSeen:
    """Somebody has been shown the exit. If its notice is on the way already, it is taken back."""

    job_id: str


@final
@define(eq=False)
class NoticeReleased:
    """Those who waited for the exit have gone without having seen it. Announce it after all."""

    job_id: str


@final
@define(eq=False)
class JobStarted:
    """The process shell reports that the child runs."""

    job_id: str
    pid: int


@final
@define(eq=False)
class JobExited:
    """The process shell reports that the child has ended: exactly once per child, also during a cancellation.

    Attributes:
        tail: The end of the output as readable text. The notice is made from it.
    """

    job_id: str
    exit: Exit
    # Sent with the exit, and stored: after a restart the buffers are gone, and the notice may still have to be told.
    tail: str


ShellFact = JobStarted | JobExited
"""A fact that the process shell reports."""

SupervisorMessage = StartJob | KillJob | DiscardJob | BackgroundJob | ExitSeen | NoticeReleased | ShellFact
