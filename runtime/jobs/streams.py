"""One job as far as it is memory only: its buffers, who watches it, who waits for its exit, and who has seen it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import final

from attrs import define, field

from ...protocols.jobs.exit import Exit
from ...protocols.jobs.record import JobRecord, JobState, NoticeState
from ...protocols.jobs.sinks import Sinks
from ...protocols.jobs.spec import JobSpec


@final
@define(eq=False)
class JobStreams:
    """What handles share with the process shell, beside the record that the supervisor keeps.

    Attributes:
        spec: What was to be run. Of a job of an earlier run of the host, as far as it is stored.
        record: The job as its supervisor has last shown it; ``None`` before it has taken the job.
        is_backgrounded: Whether the caller went on without the job.
        is_seen: Whether somebody has been shown the exit.
        waiting_count: How many wait for the exit.
        given_up: The exit of a job that its supervisor will never show.
    """

    job_id: str
    agent_id: str
    spec: JobSpec
    sinks: Sinks
    is_backgrounded: bool
    record: JobRecord | None = None
    is_seen: bool = False
    waiting_count: int = 0
    given_up: Exit | None = None
    _watchers: list[Callable[[], None]] = field(factory=list[Callable[[], None]])

    @property
    def state(self) -> JobState:
        """Where the job is."""
        if self.given_up is not None:
            return JobState.EXITED
        return JobState.ADMITTED if self.record is None else self.record.state

    @property
    def exit(self) -> Exit | None:
        """How it ended, if it has."""
        # First, because no record comes any more once a job is given up.
        return self.given_up or (None if self.record is None else self.record.exit)

    @property
    def notice(self) -> NoticeState:
        """What has become of the notice of its exit."""
        return NoticeState.NONE if self.record is None else self.record.notice

    @contextmanager
    def watched(self, on_change: Callable[[], None]) -> Generator[None]:
        """Within the block, call ``on_change`` at every change of the record and at every output."""
        self._watchers.append(on_change)
        self._listen()
        try:
            yield
        finally:
            self._watchers.remove(on_change)
            self._listen()

    def changed(self) -> None:
        """Call the watchers. They must not raise, and must not wait."""
        # A copy: a watcher may leave while it is called.
        for watcher in tuple(self._watchers):
            watcher()

    def _listen(self) -> None:
        # The buffers call for every piece of output, so they have a listener only while somebody watches.
        listener = self.changed if self._watchers else None
        self.sinks.output.listener = listener
        if self.sinks.errors is not None:
            self.sinks.errors.listener = listener
