"""Handles on jobs: how a turn or a host looks after the children that it started, and ends them.

A job belongs to an agent; handles are made for its owner only. A handle reads the record that the supervisor has last
shown, and the buffers. It acts on the buffers directly, because that is harmless (output is read, input is queued), and
by a message to the supervisor where the job itself changes.

A caller that is shown an exit has seen it: a poll that returns one, or :meth:`JobHandle.wait_exit`, settles the exit's
notice in the same synchronous step in which it decides to return. There is no await in between, so cancellation can
neither lose an exit nor announce it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, final

import trio
from attrs import frozen

from ...protocols.jobs.exit import Exit
from ...protocols.jobs.messages import BackgroundJob, DiscardJob, ExitSeen, KillJob, supervisor_address
from ...protocols.jobs.output import LogPage, NewOutput, OutputReader, page_lines
from ...protocols.jobs.record import JobState, NoticeState
from ...protocols.jobs.spec import JobSpec
from ...protocols.jobs.terminal_keys import encode_keys, encode_paste
from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from .streams import JobStreams
from .table import JobTable

POLL_WAIT_MAX: Final = 120.0
"""How long a poll waits at most, in seconds."""


@final
@frozen
class Poll:
    """What a poll shows.

    Attributes:
        output: What is new since the handle's last poll.
        errors: The same of stderr, where it is kept apart.
        exit: Set when the job has ended.
        silent_ms: For how long the job has written nothing.
        takes_input: Whether something can be written to it; if it is silent, it may be waiting for that.
    """

    output: NewOutput
    errors: NewOutput | None
    exit: Exit | None
    silent_ms: int
    takes_input: bool


@final
class JobHandle:
    """One job in its owner's hands. Each handle polls for itself: what is new to one may be old to another."""

    def __init__(self, streams: JobStreams, table: JobTable, now_ms: Callable[[], int]) -> None:
        self._streams = streams
        self._table = table
        self._now_ms = now_ms
        sinks = streams.sinks
        self._output = OutputReader(sinks.output)
        self._errors = OutputReader(sinks.errors) if sinks.errors is not None else None

    @property
    def id(self) -> str:
        """Its name, such as ``amber-reef``."""
        return self._streams.job_id

    @property
    def spec(self) -> JobSpec:
        """What was to be run."""
        return self._streams.spec

    @property
    def pid(self) -> int | None:
        """The child's process id, once it has one."""
        record = self._streams.record
        return None if record is None else record.pid

    @property
    def state(self) -> JobState:
        """Where it is."""
        return self._streams.state

    @property
    def is_backgrounded(self) -> bool:
        """Whether nobody waits for it."""
        return self._streams.is_backgrounded

    @property
    def exit(self) -> Exit | None:
        """How it ended, if it has. Looking here does not count as having been shown it."""
        return self._streams.exit

    async def poll(self, wait: float = 0) -> Poll:
        """What is new. With ``wait``, wait up to so many seconds for output or for the exit.

        A poll that shows the exit consumes its notice.

        Cancellation: nothing has been shown, nothing is consumed.
        """
        # Cancelled before anything is shown, or not at all: once an exit is shown, its notice is gone.
        with self._waiting() as changed, trio.move_on_after(min(wait, POLL_WAIT_MAX)):
            await trio.lowlevel.checkpoint_if_cancelled()
            # Asked again after each change: a change of the record need not be an exit or output.
            while not self._has_news and self._streams.exit is None:
                await changed.wait_next()
            return self._show()
        # Still within this step of the scheduler: what came with the timeout is shown, too.
        await trio.lowlevel.checkpoint_if_cancelled()
        return self._show()

    async def wait_exit(self) -> Exit:
        """Wait until the job has ended. Its caller is shown the exit, so it is not announced.

        Cancellation: the exit will be announced.
        """
        with self._waiting() as changed:
            await trio.lowlevel.checkpoint_if_cancelled()
            while (ended := self._streams.exit) is None:
                await changed.wait_next()
            return self._see(ended)

    async def wait_foreground(self, yield_after_ms: int | None) -> None:
        """Wait for the exit as the caller that started it; after ``yield_after_ms`` let it go to the background.

        Cancellation: the child is ended, silently.
        """
        try:
            with self._waiting() as changed, trio.move_on_after(_seconds(yield_after_ms)):
                while self._streams.exit is None:
                    await changed.wait_next()
        except BaseException:
            # Nobody has the handle yet, so nobody could look after the child.
            self._tell(DiscardJob(self.id))
            raise
        # One step from here on: the exit comes before the look below, and is seen, or after the message, and is told.
        ended = self._streams.exit
        if ended is None:
            # At once, and not when the supervisor has taken the message: the caller looks at it on return.
            self._streams.is_backgrounded = True
            self._tell(BackgroundJob(self.id))
        else:
            self._see(ended)

    def log(self, *, offset: int | None = None, limit: int | None = None) -> LogPage:
        """Lines of the kept output: ``limit`` from ``offset`` on, without an offset the last ones."""
        return page_lines(self.text(), offset=offset, limit=limit)

    def text(self) -> str:
        """All of the output that is kept, fit to be read."""
        return self._streams.sinks.output.text()

    def error_text(self) -> str:
        """The same of stderr, where it is kept apart; else empty."""
        errors = self._streams.sinks.errors
        return errors.text() if errors is not None else ""

    def write(self, data: str | bytes, *, eof: bool = False) -> Receipt:
        """Queue something for the child to read, and close its input after it with ``eof``.

        Refused when its input is closed, or when too much waits for it already.
        """
        queue = self._streams.sinks.input
        if queue.closed:
            # Not FULL, because another try would find it closed too.
            return Receipt(Refusal.STOPPED, f"job {self.id}: its input is closed")
        if not queue.put(data.encode() if isinstance(data, str) else data):
            return Receipt(Refusal.FULL, f"job {self.id}: it has not read what was written before")
        # After the put: a write that was refused leaves the input open for another try.
        if eof:
            queue.close()
        return ACCEPTED

    def send_keys(self, *keys: str) -> Receipt:
        """Press keys: ``enter``, ``C-c``, ``up``, ``x``.

        Raises:
            InvalidInputError: There is no such key.
        """
        return self.write(encode_keys(keys))

    def submit(self, text: str = "") -> Receipt:
        """Write a line: ended as the enter key ends it on a terminal, else by a line feed."""
        return self.write(text + ("\r" if self.spec.pty else "\n"))

    def paste(self, text: str) -> Receipt:
        """Paste a text into a terminal."""
        return self.write(encode_paste(text) if self.spec.pty else text)

    def kill(self, *, grace_ms: int | None = None) -> Receipt:
        """Order its end: SIGTERM, grace, SIGKILL, to the whole tree. Its exit is not announced, being asked for."""
        return self._tell(KillJob(self.id, grace_ms))

    def remove(self) -> None:
        """Forget a finished job; one that runs is ended first, and is forgotten when it has."""
        self._tell(DiscardJob(self.id))
        if self._streams.exit is not None:
            self._table.drop(self.id)  # at once, so that the caller finds it gone

    @property
    def _has_news(self) -> bool:
        return self._output.has_news or (self._errors is not None and self._errors.has_news)

    def _tell(self, message: object) -> Receipt:
        return self._table.signal(supervisor_address(self._streams.agent_id), message)

    def _show(self) -> Poll:
        streams, sinks = self._streams, self._streams.sinks
        ended = self._see(streams.exit) if streams.exit is not None else None
        # No more output comes after an exit, so an unfinished character need not be kept for the next poll.
        is_last = ended is not None
        # A job that has written nothing is silent since the instant that its supervisor counts from.
        begun_ms = streams.record.silent_since_ms if streams.record is not None else self._now_ms()
        since_ms = max(begun_ms, sinks.last_output_ms or 0)
        return Poll(
            output=self._output.read_new(final=is_last),
            errors=self._errors.read_new(final=is_last) if self._errors is not None else None,
            exit=ended,
            silent_ms=0 if is_last else max(0, self._now_ms() - since_ms),
            takes_input=not sinks.input.closed,
        )

    def _see(self, ended: Exit) -> Exit:
        if not self._streams.is_seen:
            self._table.see(self._streams)
            # A notice that is not made yet needs no message: its supervisor asks the table whether the exit was seen.
            if self._streams.notice not in {NoticeState.NONE, NoticeState.SETTLED}:
                self._tell(ExitSeen(self.id))
        return ended

    @contextmanager
    def _waiting(self) -> Generator[_Changes]:
        """While the block runs, an exit is held for it; if nobody was shown the exit at its end, it is announced."""
        changes = _Changes()
        self._streams.waiting_count += 1
        try:
            with self._streams.watched(changes.note):
                yield changes
        finally:
            # Also when it was shown: release_if_unseen() does nothing then.
            self._streams.waiting_count -= 1
            self._table.release_if_unseen(self._streams)


@final
class _Changes:
    """Wakes its one waiter at the next change."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def note(self) -> None:
        self._event.set()

    async def wait_next(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


def _seconds(milliseconds: int | None) -> float:
    return float("inf") if milliseconds is None else milliseconds / 1000
