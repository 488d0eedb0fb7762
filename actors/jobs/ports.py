"""What a supervisor of jobs asks of its host beside its context. All of it answers at once, from memory.

The bytes of a job do not travel through mailboxes: handles and the process shell share its output buffer and its input
queue. So what depends on them is asked, by the id of the job.
"""

from __future__ import annotations

from typing import Protocol

from ...protocols.jobs.silence import OutputMark


class JobsView(Protocol):
    """The jobs of this run of the host, as far as they are memory only."""

    def is_outstanding(self, job_id: str) -> bool:
        """Whether the job was admitted by this run of the host, and its exit has yet to be dealt with."""
        ...

    def is_awaited(self, job_id: str) -> bool:
        """Whether somebody waits for the exit now."""
        ...

    def is_seen(self, job_id: str) -> bool:
        """Whether somebody has been shown the exit."""
        ...

    def output_of(self, job_id: str) -> OutputMark:
        """What the job has written so far; nothing for a job that is not known."""
        ...

    def takes_input(self, job_id: str) -> bool:
        """Whether something can be written to the job now."""
        ...
