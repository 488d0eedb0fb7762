"""What a host tells whoever prints: in order, and bounded.

The ledger calls its watchers in the middle of a decision, so a watcher must neither raise nor wait. Printing may do
both. So the watcher only queues, and a task of its own prints.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar, final

import trio

T = TypeVar("T")

FEED_MAX: Final = 50_000
"""Items that wait to be printed. One more is left out and counted, so that a stuck terminal does not eat the memory."""


@final
class Feed(Generic[T]):
    """A queue from callbacks to one task.

    Attributes:
        items: What was put, in order; iterate over it in one task.
        omitted_count: Items that found the queue full.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        self._send: trio.MemorySendChannel[T]
        self.items: trio.MemoryReceiveChannel[T]
        self._send, self.items = trio.open_memory_channel(FEED_MAX)
        self.omitted_count = 0

    def put(self, item: T) -> None:
        """Queue an item. Never raises, never waits; nothing happens after :meth:`end`."""
        try:
            self._send.send_nowait(item)
        except trio.WouldBlock:
            self.omitted_count += 1
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            pass  # nobody prints any more

    def end(self) -> None:
        """Nothing more comes: the iteration ends after what is queued."""
        self._send.close()
