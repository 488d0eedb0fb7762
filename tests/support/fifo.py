"""A named pipe by which a child says that it has come so far."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import trio


class Fifo:
    """The reading end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._said = b""

    async def read_line(self) -> str:
        """The next line that a child says."""
        while b"\n" not in self._said:
            await trio.lowlevel.wait_readable(self._fd)
            self._said += os.read(self._fd, 4096)
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()


@contextmanager
def open_fifo(path: Path) -> Generator[Fifo]:
    """Make a named pipe. It is open for both ends (as Linux allows), so writers may come and go."""
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield Fifo(fd)
    finally:
        os.close(fd)
