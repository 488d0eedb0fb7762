"""The user lane of a mailbox: what waits, in what order, and what happens to one message too many.

The common mailbox is a bare :class:`collections.deque`, made at the first message and let go when it is empty: an
empty deque is 780 bytes, and most actors are idle. ``append`` and ``popleft`` cost some 50 ns together, no more than
swapping a list out and iterating over it, and nothing that was accepted is ever outside the mailbox: capacity,
dropping, merging, crash and kill see one exact queue.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, final

from attrs import define, field

from .deadletters import DeadReason
from .sender import Sender
from .spec import MailboxSpec, Merge, Overflow

if TYPE_CHECKING:
    from .cell import Cell

Entry = tuple[Any, Sender]


@final
@define(eq=False, repr=False)
class MergingQueue:
    """A queue in which a message can be found by its key. The part of a deque that the kernel uses."""

    _entries: OrderedDict[Hashable, Entry] = field(factory=OrderedDict[Hashable, Entry])

    def append(self, entry: Entry) -> None:
        """At the end, under no key."""
        self._entries[object()] = entry

    def appendleft(self, entry: Entry) -> None:
        """At the head, under no key."""
        anonymous = object()
        self._entries[anonymous] = entry
        self._entries.move_to_end(anonymous, last=False)

    def popleft(self) -> Entry:
        """The head."""
        return self._entries.popitem(last=False)[1]

    def find(self, key: Hashable) -> Entry | None:
        """What waits under ``key``."""
        return self._entries.get(key)

    def put(self, key: Hashable, entry: Entry) -> None:
        """At its place if ``key`` waits already, else at the end."""
        self._entries[key] = entry

    def clear(self) -> None:
        """Nothing waits any more."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())


Queue = deque[Entry] | MergingQueue


def new_queue(spec: MailboxSpec) -> Queue:
    """An empty user lane."""
    return MergingQueue() if isinstance(spec.overflow, Merge) else deque[Entry]()


def put(cell: Cell, queue: Queue, message: Any, sender: Sender) -> bool:
    """Put a message into a lane as the overflow policy says. False: there is no room for it."""
    spec = cell.spec.mailbox
    if isinstance(spec.overflow, Merge):
        assert isinstance(queue, MergingQueue)
        return _merge(cell, queue, spec.overflow, message, sender)
    assert isinstance(queue, deque)
    room = cell.spec.room
    if len(queue) - cell.ticks >= room:
        if spec.overflow is Overflow.REJECT:
            return False
        while len(queue) - cell.ticks >= room:
            _drop_oldest(cell, queue)
    queue.append((message, sender))
    return True


def _merge(cell: Cell, queue: MergingQueue, merge: Merge, message: Any, sender: Sender) -> bool:
    full = len(queue) - cell.ticks >= cell.spec.mailbox.capacity
    if sender.special:  # a request is answered by itself
        if not full:
            queue.append((message, sender))
        return not full
    key = merge.key(message)
    waiting = queue.find(key)
    if waiting is not None:
        queue.put(key, (merge.combine(waiting[0], message), sender))
        cell.kernel.merged += 1
        return True
    if not full:
        queue.put(key, (message, sender))
    return not full


def _drop_oldest(cell: Cell, queue: deque[Entry]) -> None:
    oldest = next(i for i, (_, sender) in enumerate(queue) if not sender.exempt)
    message, sender = queue[oldest]
    del queue[oldest]
    cell.kernel.bury(cell, message, sender, DeadReason.DROPPED)
