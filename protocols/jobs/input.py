"""What is written to a child while it runs: a bounded queue between the writers and the pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

# A child that never reads must not make the host grow.
INPUT_MAX_BYTES: Final = 1_048_576
"""How much input may wait for a child that does not read."""


@final
class InputQueue:
    """The bytes that wait to be written to a child's stdin, in order. ``put`` never waits: it accepts or refuses."""

    __slots__ = ("_pending", "_size", "closed", "listener")

    def __init__(self, first: bytes = b"", *, stay_open: bool) -> None:
        """Begin with ``first``; the end of file follows it unless ``stay_open``."""
        # A list, joined once when it is taken: adding to one bytes object would copy all of it each time.
        self._pending: list[bytes] = [first] if first else []
        self._size = len(first)
        self.closed = not stay_open
        self.listener: Callable[[], None] | None = None

    def put(self, data: bytes) -> bool:
        """Queue ``data``; false when the queue is closed or has no room for all of it."""
        # All of it or nothing: half a line that a program reads is worse than a refusal.
        if self.closed or self._size + len(data) > INPUT_MAX_BYTES:
            return False
        if data:
            self._pending.append(data)
            self._size += len(data)
            self._changed()
        return True

    def close(self) -> None:
        """Accept no more input. The child gets an end of file after what is queued."""
        # Only the first call is a change; the writer at the pipe need not wake for another.
        if not self.closed:
            self.closed = True
            self._changed()

    def discard(self) -> None:
        """Drop what is queued and refuse all further input, because the child reads no more."""
        self._pending.clear()
        self._size = 0
        # Closed too, so that a later put is refused at once, instead of queueing for nobody.
        self.close()

    def take(self) -> bytes:
        """Remove all that is queued, and return it in one piece (empty if nothing is queued)."""
        data = b"".join(self._pending)
        self._pending.clear()
        self._size = 0
        return data

    def _changed(self) -> None:
        if self.listener is not None:
            self.listener()
