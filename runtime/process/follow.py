"""The output of a detached child: a file that is read as it grows, because no pipe outlives the host."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Final, final

import trio

from ...protocols.jobs.output import OutputBuffer

# By time, because epoll takes no regular files (epoll_ctl(2)).
_INTERVAL: Final = 0.1
_READ_BYTES: Final = 262_144
# As mkstemp has it: output can hold secrets.
_MODE: Final = 0o600


@final
class FileFollower:
    """Reads a file while a child writes it."""

    def __init__(self, path: str | os.PathLike[str] | None, buffer: OutputBuffer, now_ms: Callable[[], int]) -> None:
        """Open the file, a temporary one where ``path`` is ``None``.

        Raises:
            OSError: It cannot be made.
        """
        self._temporary: str | None = None
        if path is None:
            self.write_fd, self._temporary = tempfile.mkstemp(prefix="wakeward-", suffix=".log")
            path = self._temporary
        else:
            self.write_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, _MODE)
        # A descriptor of our own for reading: the child's has another mode, and a file offset that the child moves.
        self._read_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._buffer = buffer
        self._now_ms = now_ms
        self._scope = trio.CancelScope(shield=True)
        self._done = trio.Event()

    async def run(self) -> None:
        """Read until stopped."""
        try:
            with self._scope:
                while True:
                    await self._read()
                    await trio.sleep(_INTERVAL)
        finally:
            self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether nothing is read any more."""
        return self._done.is_set()

    async def stop(self, patience: float) -> None:
        """The child is gone: read the rest."""
        del patience  # all that it wrote is in the file
        self._scope.cancel()
        await self._done.wait()
        await self._read()

    def close(self, *, keep: bool) -> None:
        """Close both ends. A temporary file is removed unless a running child still writes it."""
        os.close(self._read_fd)
        os.close(self.write_fd)
        if self._temporary is not None and not keep:
            os.unlink(self._temporary)  # noqa: PTH108 - a plain name from mkstemp

    async def _read(self) -> None:
        while data := os.read(self._read_fd, _READ_BYTES):
            self._buffer.append(data, self._now_ms())
            # A file that grows faster than we read it is taken in pieces, with room for others in between.
            await trio.lowlevel.checkpoint()
