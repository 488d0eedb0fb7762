"""Reads a child's output as fast as it comes, and writes its input as fast as the child takes it.

The reader is not a Trio stream. It reads into one buffer that all children share, without a checkpoint for each piece,
and lets others run after a bounded number of bytes. So a child that writes without end costs copies, not memory, and
the host stays responsive.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

import trio

from ...protocols.jobs.input import InputQueue
from ...protocols.jobs.output import OutputBuffer
from .spill import Spill

_READ_BYTES: Final = 262_144
_SHARE_BYTES: Final = 2 * _READ_BYTES
"""How many bytes are read from one child before others may run. Copying them takes some 0.2 ms."""

_FULL_PIPE_BYTES: Final = 65_536
"""The size of a pipe when it is made (pipe(7)). A child that fills its pipe gets a bigger one, so that it waits for us
less often. The others do not, because that takes 40 us, some 4 % of a start.
"""

_LAST_BYTES_MAX: Final = 4 * _READ_BYTES
"""How much is still read after the child is gone, if another process keeps the pipe open."""

_END_OF_TERMINAL: Final = b"\x04"

_scratch = memoryview(bytearray(_READ_BYTES))
"""Between a read and the copy out of it no other task runs, so one buffer is enough for all children of one event loop.
That does not hold for two event loops in two threads: ``readv`` lets other threads run.
"""


@final
class PipeReader:
    """Reads one stream to its end, or until :meth:`stop` says that the child is gone."""

    def __init__(self, fd: int, buffer: OutputBuffer, now_ms: Callable[[], int], spill: Spill | None) -> None:
        self._fd = fd
        self._buffer = buffer
        self._now_ms = now_ms
        self._spill = spill
        # Only stop() ends the reading: what a child writes while the host is being cancelled is still told.
        self._scope = trio.CancelScope(shield=True)
        self._done = trio.Event()
        self._is_grown = False

    async def read_inline(self) -> None:
        """Read until the end of the stream, in the caller's task. After a cancellation, :meth:`run` goes on."""
        await self._read_to_end()
        self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether the end has been reached."""
        return self._done.is_set()

    async def run(self) -> None:
        """Read until the end of the stream. The descriptor stays the caller's."""
        try:
            with self._scope:
                await self._read_to_end()
            # The end has not come: take what is in the pipe at this moment.
            if self._scope.cancelled_caught:
                self._read_the_last()
        finally:
            self._done.set()

    async def stop(self, patience: float) -> None:
        """The child is gone: wait ``patience`` seconds for the end, then take what is there and read no more."""
        # A process that does not belong to the child may hold the other end for ever.
        if not self._done.is_set():
            with trio.move_on_after(patience):
                await self._done.wait()
            self._scope.cancel()
            await self._done.wait()

    async def _read_to_end(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            taken = 0
            # No checkpoint for each piece. After its share the reader waits again, and others run.
            while taken < _SHARE_BYTES:
                count = self._read_once()
                if count == 0:
                    return
                if count is None:
                    break
                taken += count
                if self._spill is not None:
                    await self._spill.write(bytes(_scratch[:count]))
                if count < _READ_BYTES:
                    break  # most likely there is no more now, and to find that out is a system call

    def _read_once(self) -> int | None:
        """Read one piece. Returns its length; 0 at the end of the stream; ``None`` if nothing can be read now."""
        try:
            # Into the buffer that is there: os.read would allocate a quarter of a megabyte for each piece.
            count = os.readv(self._fd, [_scratch])
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:  # the last holder of the terminal has closed it
                return 0
            raise
        if count:
            self._buffer.append(_scratch[:count], self._now_ms())
        if count >= _FULL_PIPE_BYTES and not self._is_grown:
            self._is_grown = True
            with suppress(OSError):  # a terminal, or beyond the user's share of pipe memory
                fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _READ_BYTES)
        return count

    def _read_the_last(self) -> None:
        taken = 0
        # Bounded, because the process that keeps the pipe open may write without end.
        while taken < _LAST_BYTES_MAX and (count := self._read_once()):
            taken += count


@final
class PipeWriter:
    """Writes an input queue to a child, until the queue is closed, the child reads no more, or it is stopped."""

    def __init__(self, fd: int, queue: InputQueue, *, terminal: bool, close: Callable[[], None]) -> None:
        """Args: ``close`` closes the descriptor, which is how the end of file reaches the child."""
        self._fd = fd
        self._queue = queue
        self._terminal = terminal
        self._close = close
        self._wake = trio.Event()
        self._scope = trio.CancelScope(shield=True)
        self._done = trio.Event()
        queue.listener = self._on_input

    def _on_input(self) -> None:
        self._wake.set()

    async def stop(self) -> None:
        """Write no more, because the child is gone."""
        self._scope.cancel()
        await self._done.wait()

    async def run(self) -> None:
        """Write until the queue is closed and empty, or the child reads no more."""
        try:
            with self._scope, suppress(OSError):  # a closed pipe or terminal: the child reads no more
                await self._write_all()
        finally:
            # Whatever ended the writing: nothing more is taken, and the child is told so by the end of its input.
            self._queue.listener = None
            self._queue.discard()  # later input is refused, instead of being accepted for a child that cannot read it
            self._close()
            self._done.set()

    async def _write_all(self) -> None:
        while True:
            data = self._queue.take()
            if data:
                await self._write(data)
            elif self._queue.closed:
                if self._terminal:  # to close our end would not be an end of file, because we still read from it
                    await self._write(_END_OF_TERMINAL)
                return
            else:
                self._wake = trio.Event()
                # Nothing can be queued between take() and this wait, because there is no checkpoint in between.
                await self._wake.wait()

    async def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                # A pipe that is nearly full takes a part only.
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd)
        # A child that reads as fast as this writes would otherwise keep the event loop busy.
        await trio.lowlevel.checkpoint()
