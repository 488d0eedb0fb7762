"""One job: a child process with its owner, its contract, its output and its state."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import final

from attrs import define, field, frozen

from ...protocols.jobs.exit import Exit
from ...protocols.jobs.input import InputQueue
from ...protocols.jobs.notice import JobRouting
from ...protocols.jobs.output import OutputBuffer
from ...protocols.jobs.spec import JobSpec
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.wake import Source


class JobState(enum.Enum):
    """Where a job is. ``ADMITTED`` has no process yet."""

    ADMITTED = "admitted"
    RUNNING = "running"
    STOPPING = "stopping"
    EXITED = "exited"


class NoticeState(enum.Enum):
    """What has become of the one notice that an exit may cause."""

    NONE = "none"
    HELD = "held"
    SENT = "sent"
    SETTLED = "settled"


@final
@frozen
class Contract:
    """Under which terms a job was started. A snapshot: a later change of configuration or route does not touch it.

    Attributes:
        session_key: Of the session that started it; ``None`` for nobody's.
        agent_id: The owner. Only the owner sees the job in the registry.
        notify_on_exit: Whether its exit is told at all.
        notify_on_exit_empty_success: Whether a success without output is told.
        routing: Main key, scope and main peer as they were.
        delivery: Where an answer to the notice goes.
        silence_source: Who reports a silence. ``CLI_WATCHDOG`` where the child is the turn itself.
    """

    session_key: str | None
    agent_id: str
    notify_on_exit: bool = True
    notify_on_exit_empty_success: bool = False
    routing: JobRouting = field(factory=JobRouting)
    delivery: DeliveryContext | None = None
    silence_source: Source = Source.EXEC_EVENT

    @property
    def is_turn(self) -> bool:
        """Whether the child is a turn of its session, and not something that a turn has started."""
        return self.silence_source is Source.CLI_WATCHDOG

    @property
    def reports_silence(self) -> bool:
        """A child whose end nobody is to hear of is left alone; the end of a turn is told as its outcome."""
        return self.notify_on_exit or self.is_turn


@final
@define(eq=False)
class Job:
    """A job's record. The supervisor alone changes its state; handles read it, and share its output and input.

    Attributes:
        backgrounded: Whether its caller went on without it. Only such a job announces its exit.
        observed: Whether somebody has been shown the exit.
        silent_since_ms: The instant from which silence counts: the last output, moved on by any standstill of the host.
        errors: stderr, where it is kept apart.
    """

    id: str
    spec: JobSpec
    contract: Contract
    admitted_ms: int
    output: OutputBuffer
    input: InputQueue
    errors: OutputBuffer | None = None
    backgrounded: bool = False
    state: JobState = JobState.ADMITTED
    started_ms: int = 0
    pid: int | None = None
    exit: Exit | None = None
    ended_ms: int | None = None
    notice: NoticeState = NoticeState.NONE
    observed: bool = False
    waiting_count: int = 0
    silent_since_ms: int = 0
    check_due_ms: int = 0
    reported_bytes: int | None = None
    _watchers: list[Callable[[], None]] = field(factory=list[Callable[[], None]])

    @property
    def output_bytes(self) -> int:
        """How much it has said so far, on both streams."""
        return self.output.total_bytes + (self.errors.total_bytes if self.errors else 0)

    @property
    def kept_bytes(self) -> int:
        """How much memory its output takes."""
        return self.output.kept_bytes + (self.errors.kept_bytes if self.errors else 0)

    @property
    def last_output_ms(self) -> int | None:
        """When it last said something."""
        both = (self.output.last_output_ms, self.errors.last_output_ms if self.errors else None)
        return max((at for at in both if at is not None), default=None)

    @contextmanager
    def watched(self, on_change: Callable[[], None]) -> Generator[None]:
        """Within the block, call ``on_change`` at every change of state and at every output."""
        self._watchers.append(on_change)
        self._listen()
        try:
            yield
        finally:
            self._watchers.remove(on_change)
            self._listen()

    def changed(self) -> None:
        """Tell the watchers. Their callbacks must not raise, and must not wait."""
        for watcher in tuple(self._watchers):
            watcher()

    def _listen(self) -> None:
        listener = self.changed if self._watchers else None
        self.output.listener = listener
        if self.errors is not None:
            self.errors.listener = listener
