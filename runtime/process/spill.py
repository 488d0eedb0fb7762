"""Writes a child's output to a file, up to a bound. A failure of the file harms neither the child nor its result."""

from __future__ import annotations

import os
from typing import Final, final

import trio

# Output can hold secrets.
_MODE: Final = 0o600


@final
class Spill:
    """An open spill file. ``problem`` says what went wrong, if anything did; nothing is written after that."""

    def __init__(self, path: str | os.PathLike[str], max_bytes: int) -> None:
        """Create the file, or empty it.

        Raises:
            OSError: It cannot be written.
        """
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        self._room_bytes = max_bytes
        self.problem: str | None = None

    async def write(self, data: bytes) -> None:
        """Append as many bytes as the bound allows. The rest is left out."""
        data = data[: self._room_bytes]
        # After a failure no more is tried: a file with a hole in it would be taken for the whole output.
        if not data or self.problem is not None:
            return
        # Before the write: both streams of a child share the file, and the other may come here meanwhile.
        self._room_bytes -= len(data)
        try:
            # Not by the threads that start children: a slow disk must not hold up the starts.
            await trio.to_thread.run_sync(self._write_all, data)
        except OSError as error:
            self.problem = f"output file: {error.strerror or error}"

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
