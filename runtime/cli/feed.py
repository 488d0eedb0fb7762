"""What a host tells whoever prints, in order and bounded.

The ledger calls its watchers in the middle of a decision, so a watcher must neither raise nor wait. Printing does both. So the
watcher only queues, and a task of its own prints.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar, final

import trio

T = TypeVar("T")

FEED_MAX: Final = 50_000
"""Items that wait to be printed. Beyond it the newest are left out and counted: a stuck terminal does not eat the memory."""


@final
class Feed(Generic[T]):
    """A queue from callbacks to one task.

    Attributes:
        omitted_count: Items that found the queue full.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        self._send, self._receive = trio.open_memory_channel[T](math.inf)
        self.omitted_count = 0

    def put(self, item: T) -> None:
        """Queue an item. Never raises, never waits; also after :meth:`end`, when it does nothing."""
        if self._send.statistics().current_buffer_used >= FEED_MAX:
            self.omitted_count += 1
            return
        try:
            self._send.send_nowait(item)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            self.omitted_count += 1

    def end(self) -> None:
        """Nothing more comes: the iteration ends after what is queued."""
        self._send.close()

    async def __aiter__(self) -> AsyncIterator[T]:
        """The items, as they come. For one task."""
        async for item in self._receive:
            yield item
