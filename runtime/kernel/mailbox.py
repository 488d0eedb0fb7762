"""The user lane of a mailbox: what waits, in what order, and what happens to one message too many.

A lane is a bare :class:`collections.deque` in which each message is followed by its sender. It is made at the first
message and let go when it is empty: an empty deque is 780 bytes, and most actors are idle. Nothing is allocated per
message, so a million that wait do not make a million tuples for the garbage collector to walk over, which cost more
than half of the rate with ten thousand actors. To take a message out costs two ``popleft``, no more than to swap a
list out and to iterate over it, and nothing that was accepted is ever outside the mailbox: capacity, dropping, merging,
crash and kill see one exact queue. A message and its sender go in by one ``extend``: a Ctrl-C between two ``append``
would leave the lane out of step for ever.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, final

from attrs import define, field

from .dead_letters import DeadReason
from .sender import Sender
from .spec import MailboxSpec, Merge, Overflow

if TYPE_CHECKING:
    from .cell import Cell

Entry = tuple[Any, Sender]


@final
@define(eq=False, repr=False)
class MergingQueue:
    """A lane in which a message can be found by its key. The part of a deque that the kernel uses."""

    _entries: OrderedDict[Hashable, Entry] = field(factory=OrderedDict[Hashable, Entry])
    _halves: deque[Any] = field(factory=deque[Any])

    def extend(self, entry: Entry) -> None:
        """A message and its sender at the end, under no key."""
        self._entries[object()] = entry

    def extendleft(self, entry: tuple[Sender, Any]) -> None:
        """A sender and its message at the head, under no key: a deque takes them in this order."""
        anonymous = object()
        self._entries[anonymous] = (entry[1], entry[0])
        self._entries.move_to_end(anonymous, last=False)

    def popleft(self) -> Any:
        """The message at the head; the next time, its sender."""
        if not self._halves:
            self._halves.extend(self._entries.popitem(last=False)[1])
        return self._halves.popleft()

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
        return 2 * len(self._entries) + len(self._halves)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._entries.values())


Queue = deque[Any] | MergingQueue
"""Message, sender, message, sender, ..."""


def waiting(queue: Queue | None) -> list[Entry]:
    """The messages of a lane, each with its sender."""
    if queue is None:
        return []
    halves = iter(queue)
    return list(zip(halves, halves, strict=True))


def waiting_count(queue: Queue | None) -> int:
    """How many messages wait in a lane."""
    return 0 if queue is None else len(queue) // 2


def new_queue(spec: MailboxSpec) -> Queue:
    """An empty user lane."""
    return MergingQueue() if isinstance(spec.overflow, Merge) else deque[Any]()


def put(cell: Cell, queue: Queue, message: Any, sender: Sender) -> bool:
    """Put a message into a lane as the overflow policy says. False: there is no room for it."""
    spec = cell.spec.mailbox
    if isinstance(spec.overflow, Merge):
        assert isinstance(queue, MergingQueue)
        return _merge(cell, queue, spec.overflow, message, sender)
    assert isinstance(queue, deque)
    room = cell.spec.room
    if len(queue) - 2 * cell.ticks >= room:
        if spec.overflow is Overflow.REJECT:
            return False
        while len(queue) - 2 * cell.ticks >= room:
            _drop_oldest(cell, queue)
    queue.extend((message, sender))
    return True


def _merge(cell: Cell, queue: MergingQueue, merge: Merge, message: Any, sender: Sender) -> bool:
    full = waiting_count(queue) - cell.ticks >= cell.spec.mailbox.capacity
    if sender.special:  # a request is answered by itself
        if not full:
            queue.extend((message, sender))
        return not full
    key = merge.key(message)
    older = queue.find(key)
    if older is not None:
        queue.put(key, (merge.combine(older[0], message), sender))
        cell.kernel.merged += 1
        return True
    if not full:
        queue.put(key, (message, sender))
    return not full


def _drop_oldest(cell: Cell, queue: deque[Any]) -> None:
    senders = islice(queue, 1, None, 2)
    oldest = 2 * next(nth for nth, sender in enumerate(senders) if not sender.exempt)
    message, sender = queue[oldest], queue[oldest + 1]
    del queue[oldest]
    del queue[oldest]
    cell.kernel.bury(cell, message, sender, DeadReason.DROPPED)
