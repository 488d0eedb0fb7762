"""The mailbox: two lanes, what is taken and what is refused, and what happens to one message too many.

A lane of user messages is a bare :class:`collections.deque` in which each message is followed by its sender. It is made
at the first message and let go when it is empty: an empty deque is 780 bytes, and most actors are idle. To take a
message out costs two ``popleft``, no more than to swap a list out and to iterate over it, and nothing that was accepted
is ever outside the mailbox: capacity, dropping, merging, crash and kill see one exact queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from itertools import chain, islice
from typing import Any, Generic, final

from attrs import define, field

from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from .dead_letters import DeadReason
from .kernel import C, Kernel
from .sender import Sender
from .spec import UNDEFINED, ActorSpec, MailboxOverflow, MailboxSpec, Merge

Entry = tuple[Any, Sender]


@final
@define(eq=False, repr=False)
class MergingQueue:
    """A lane in which a message can be found by its key. The part of a deque that the kernel uses."""

    _entries: OrderedDict[Hashable, Entry] = field(factory=OrderedDict[Hashable, Entry])
    _halves: deque[Any] = field(factory=deque[Any])

    def extend(self, entry: Entry) -> None:
        """Put a message and its sender at the end, under no key."""
        self._entries[object()] = entry

    def extendleft(self, entry: tuple[Sender, Any]) -> None:
        """Put a sender and its message at the head, under no key: a deque takes them in this order."""
        anonymous = object()  # equal to nothing, so it never merges
        self._entries[anonymous] = (entry[1], entry[0])
        self._entries.move_to_end(anonymous, last=False)

    def popleft(self) -> Any:
        """The message at the head; the next time, its sender."""
        # The dispatcher takes a message and its sender by two popleft, as from a deque; the second one waits here.
        if not self._halves:
            self._halves.extend(self._entries.popitem(last=False)[1])
        return self._halves.popleft()

    def find(self, key: Hashable) -> Entry | None:
        """What waits under ``key``."""
        return self._entries.get(key)

    def put(self, key: Hashable, entry: Entry) -> None:
        """Put it at its place if ``key`` waits already, else at the end."""
        self._entries[key] = entry

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return 2 * len(self._entries) + len(self._halves)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._entries.values())


# Not a tuple per message: a million that wait would make a million tuples for the garbage collector to walk over, which
# cost more than half of the rate with ten thousand actors.
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


# The base of a cell and not a part of it: one more object per actor costs 100 bytes, and each tell one more step.
@define(eq=False, repr=False, weakref_slot=False)
class Mailbox(Sender, ABC, Generic[C]):
    """Takes messages, or says why not.

    Attributes:
        room: How long the fast path of ``tell`` may let the user lane become, two places per message. Above 0 only
            while messages are taken and the overflow policy has no say; with 0 every message takes the long way through
            :meth:`offer`.
        timer_messages: How many of the waiting messages came from timers. They do not count for the capacity.
    """

    address: str
    kernel: Kernel[C]
    spec: ActorSpec
    room: int
    timer_messages: int = 0
    queue: Queue | None = None
    control: deque[Entry] | None = None

    @abstractmethod
    def arrived(self) -> None:
        """A message waits. Sees to it that it is handled."""

    @abstractmethod
    def refusal(self, sender: Sender) -> Refusal | None:
        """Why nothing of ``sender`` is taken into the user lane at present, whatever the room."""

    @abstractmethod
    def control_refusal(self) -> Refusal | None:
        """Why nothing is taken into the control lane at present."""

    @abstractmethod
    def present(self) -> Mailbox[C]:
        """The actor that has this address now: another one, when a ref has outlived the one it was made for."""

    @property
    def known(self) -> bool:
        """Whether this actor exists or did exist."""
        return self.spec is not UNDEFINED

    @property
    def has_mail(self) -> bool:
        """Whether a message waits, in one lane or the other."""
        return bool(self.queue or self.control)

    def offer(self, message: Any, sender: Sender) -> Receipt:
        """Take a message into the user lane, or say why not. What ``tell`` does when nothing waits, or too much."""
        if self.queue is None and self.room:  # the common case: it takes messages, and is idle
            self.queue = deque((message, sender))
            self.arrived()
            return ACCEPTED
        refusal = self.refusal(sender)
        if refusal is not None:
            present = self.present()
            # A ref may have outlived its actor: when another one has the address now, that one takes the message or
            # refuses it.
            return self._refused(refusal, message, sender) if present is self else present.offer(message, sender)
        if not self.put(message, sender):
            return self._refused(Refusal.FULL, message, sender)
        return ACCEPTED

    def signal(self, message: Any, sender: Sender) -> Receipt:
        """Take a message into the control lane: ahead of the user lane, never full, also while stopping or draining."""
        refusal = self.control_refusal()
        if refusal is not None:
            present = self.present()
            return self._refused(refusal, message, sender) if present is self else present.signal(message, sender)
        if self.control is None:
            self.control = deque()
        self.control.append((message, sender))
        self.arrived()
        return ACCEPTED

    def put(self, message: Any, sender: Sender) -> bool:
        """Put a message into the user lane as the overflow policy says. False: there is no room for it."""
        queue = self.queue
        if queue is None:
            queue = self.queue = _new_queue(self.spec.mailbox)
        if isinstance(queue, MergingQueue):
            taken = self._merge(queue, message, sender)
        else:
            taken = self._make_room(queue)
            if taken:
                # One extend: a Ctrl-C between two appends would leave the lane out of step for ever.
                queue.extend((message, sender))
        if taken:
            self.arrived()
        return taken

    def put_timer_message(self, message: Any, timer: Sender) -> None:
        """Take the message of a timer into the user lane, whatever the room."""
        if self.queue is None:
            self.queue = _new_queue(self.spec.mailbox)
        # Never refused: there is one per key at most, which bounds them.
        self.queue.extend((message, timer))
        self.timer_messages += 1
        self.arrived()

    def put_back(self, entries: list[Entry], *, control: bool) -> None:
        """Put messages that were taken out to the head of their lane again, in this order. Nobody is woken for it."""
        if control:
            if self.control is None:
                self.control = deque()
            # extendleft reverses what it is given, and entries must keep their order.
            self.control.extendleft(reversed(entries))
            return
        if self.queue is None:
            self.queue = _new_queue(self.spec.mailbox)
        for message, sender in reversed(entries):
            self.queue.extendleft((sender, message))

    def empty(self) -> list[Entry]:
        """Take everything out; without the messages of timers, which nobody misses. The control lane comes first."""
        left = [*(self.control or ()), *waiting(self.queue)]
        for lane in (self.control, self.queue):
            if lane is not None:  # cleared, not replaced: the dispatcher may be in the middle of this very lane
                lane.clear()
        self.timer_messages = 0
        return [entry for entry in left if not entry[1].exempt]

    def refused(self, refusal: Refusal) -> Receipt:
        """The receipt that says why."""
        return Receipt(refusal, f"{self.address}: {self._explain(refusal)}")

    def _refused(self, refusal: Refusal, message: Any, sender: Sender) -> Receipt:
        self.kernel.dead_letter(self.address, message, sender, DeadReason(refusal.value))
        return self.refused(refusal)

    def _explain(self, refusal: Refusal) -> str:
        match refusal:
            case Refusal.FULL:
                return f"the mailbox is full ({self.spec.mailbox.capacity} waiting)"
            case Refusal.STOPPED:
                return "the system is closed" if self.kernel.closed else "stopped, or about to"
            case Refusal.DRAINING:
                return "the system is draining and takes nothing from outside"
            case Refusal.UNKNOWN:
                return f"no such actor, and no such kind among {self.kernel.kind_names()}"
            case Refusal.UNAVAILABLE | Refusal.INVALID:
                raise AssertionError(f"{refusal}: a mailbox refuses nothing for that")

    def _make_room(self, queue: deque[Any]) -> bool:
        room = self.spec.room
        while len(queue) - 2 * self.timer_messages >= room:
            if self.spec.mailbox.overflow is MailboxOverflow.REJECT:
                return False
            # LATEST has room for one message, so to drop the oldest is to replace it.
            self._drop_oldest(queue)
        return True

    def _drop_oldest(self, queue: deque[Any]) -> None:
        # Linear in the messages of timers at the head, of which there is one per key at most.
        senders = islice(queue, 1, None, 2)
        oldest = 2 * next(nth for nth, sender in enumerate(senders) if not sender.exempt)
        message, sender = queue[oldest], queue[oldest + 1]
        del queue[oldest]
        del queue[oldest]
        self.kernel.dead_letter(self.address, message, sender, DeadReason.DROPPED)

    def _merge(self, queue: MergingQueue, message: Any, sender: Sender) -> bool:
        merge = self.spec.mailbox.overflow
        assert isinstance(merge, Merge)
        full = waiting_count(queue) - self.timer_messages >= self.spec.mailbox.capacity
        if sender.special:  # a request is answered by itself
            if not full:
                queue.extend((message, sender))
            return not full
        key = merge.key(message)
        older = queue.find(key)
        # Also when the mailbox is full: to merge takes no room.
        if older is not None:
            queue.put(key, (merge.combine(older[0], message), sender))
            self.kernel.merged += 1
            return True
        if not full:
            queue.put(key, (message, sender))
        return not full


def _new_queue(spec: MailboxSpec) -> Queue:
    return MergingQueue() if isinstance(spec.overflow, Merge) else deque[Any]()
