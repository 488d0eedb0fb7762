"""A bounded queue between the callbacks of a host and the task that prints.

The ledger calls its watchers in the middle of a decision, so a watcher must neither raise nor wait. Printing may do
both. So the watcher only puts into the queue, and a task of its own prints.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar, final

import trio

T = TypeVar("T")

WAITING_MAX: Final = 50_000
"""Items that may wait to be printed. One more is left out and counted, so a stuck terminal does not fill the memory."""


@final
class PrintQueue(Generic[T]):
    """A queue from callbacks to one task.

    Attributes:
        items: The items in their order; iterate over them in one task.
        omitted_count: Items that found the queue full.
    """

    def __init__(self) -> None:
        """Make an empty queue."""
        self._send: trio.MemorySendChannel[T]
        self.items: trio.MemoryReceiveChannel[T]
        # A bounded channel, and not a list with an event: the reader gets the end of the items from it, too.
        self._send, self.items = trio.open_memory_channel(WAITING_MAX)
        self.omitted_count = 0

    def put(self, item: T) -> None:
        """Queue an item. Never raises and never waits. After :meth:`end` it does nothing."""
        try:
            self._send.send_nowait(item)
        # The newest is left out: what waits already is in order and has no gap.
        except trio.WouldBlock:
            self.omitted_count += 1
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            pass  # the task that prints has ended

    def end(self) -> None:
        """End the iteration after the items that are queued."""
        self._send.close()
