"""Keyed timers of all actors, in one heap.

A task per timer costs 26 us and 3 KB to arm; a heap entry 0.3 us and a few hundred bytes. Arming again is lazy: a later
instant only moves two numbers in the :class:`Timer`, and the heap entry, when it is popped too early, is filed again.
An earlier instant files a second entry, and the first is passed over when popped, because the timer no longer points to
it. Entries that are passed over are counted, and swept out when they are most of the heap.

No stale message: a timer's message waits in the mailbox together with its timer, and is handed over only if the present
life of the actor still holds that very timer under its key. Arming again, cancelling, a restart and a stop all break
that link, so there is no moment at which a message already on its way could slip through.

At equal instants messages arrive in the order of arming, so arming again for the same instant goes to the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import ClassVar, Final, Protocol, final

from attrs import define, field

from .sender import Sender

_SWEEP_MIN: Final = 64
"""Heaps with fewer passed-over entries than this are not worth a sweep."""

Entry = tuple[int, int, "Timer | Alarm"]


class TimerOwner(Protocol):
    """A life of an actor, as far as its timers need it."""

    timers: Timer | dict[Hashable, Timer] | None

    def timer_label(self) -> str:
        """The address of the actor."""
        ...

    def timer_fired(self, timer: Timer) -> None:
        """Put the timer's message into the mailbox, whatever its capacity: there is at most one per key."""
        ...

    def timer_claimed(self) -> None:
        """The message of a timer has left the mailbox."""
        ...


@final
@define(eq=False, repr=False, weakref_slot=False)
class Timer(Sender):
    """One actor's timer under one key. Beside its message in the mailbox, it is the message's sender."""

    special: ClassVar[bool] = True
    exempt: ClassVar[bool] = True

    owner: TimerOwner
    key: Hashable
    at_ms: int
    seq: int
    message: object
    entry: Entry | None = None

    def __repr__(self) -> str:
        return f"<Timer {self.key!r} of {self.label()} at {self.at_ms} ms>"

    def label(self) -> str:
        """Who armed it."""
        return self.owner.timer_label()

    def fire(self) -> None:
        """The instant has come."""
        self.owner.timer_fired(self)

    def claim(self) -> bool:
        """Take the timer off its key. False for a stale message."""
        self.owner.timer_claimed()
        return release_timer(self)


@final
@define(eq=False, repr=False, weakref_slot=False)
class Alarm:
    """The kernel's own timer: backoff, passivation, the deadline of requests."""

    at_ms: int
    seq: int
    action: Callable[[], None]
    entry: Entry | None = None

    def fire(self) -> None:
        """The instant has come."""
        self.action()


@final
@define(eq=False, repr=False)
class Timers:
    """The heap.

    Attributes:
        on_earliest: Called with the instant of an entry that is now the first of all, so that the one who waits
            can wait less.
        frozen: No actor's timer fires any more.
    """

    on_earliest: Callable[[int], None]
    frozen: bool = False
    _heap: list[Entry] = field(factory=list[Entry])
    _seq: int = 0
    _passed_over: int = 0

    def arm(self, owner: TimerOwner, key: Hashable, at_ms: int, message: object) -> None:
        """Arm, or arm again, the timer of ``owner`` under ``key``."""
        self._seq = seq = self._seq + 1
        timers = owner.timers
        timer = timers.get(key) if isinstance(timers, dict) else find_timer(owner, key)
        if timer is None or timer.entry is None:  # new, or its message is on its way and becomes stale
            timer = Timer(owner, key, at_ms, seq, message)
            _hold_timer(timer)
            self._file(timer)
            return
        timer.message, timer.at_ms, timer.seq = message, at_ms, seq
        if at_ms < timer.entry[0]:  # for later, the entry in the heap is right: it is filed again when it is popped
            self.disarm(timer)
            self._file(timer)

    def cancel(self, owner: TimerOwner, key: Hashable) -> None:
        """Disarm the timer under ``key``, if there is one; a message on its way does not arrive."""
        timer = find_timer(owner, key)
        if timer is not None:
            release_timer(timer)
            self.disarm(timer)

    def arm_alarm(self, at_ms: int, action: Callable[[], None]) -> Alarm:
        """Call ``action`` at ``at_ms``, from the dispatcher."""
        self._seq += 1
        alarm = Alarm(at_ms, self._seq, action)
        self._file(alarm)
        return alarm

    def disarm(self, timer: Timer | Alarm) -> None:
        """It does not fire. The caller takes a :class:`Timer` off its key."""
        if timer.entry is not None:
            timer.entry = None
            self._pass_over()

    def next_ms(self) -> int | None:
        """When to look again; may be early, is never late."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ms: int) -> Timer | Alarm | None:
        """The next one whose instant has come, in the order of instants and of arming."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            entry = heapq.heappop(heap)
            timer = entry[2]
            if timer.entry is not entry:
                self._passed_over -= 1
            elif timer.seq != entry[1]:  # armed again for later, or for the same instant
                self._push(timer)
            elif self.frozen and isinstance(timer, Timer):
                continue
            else:
                timer.entry = None
                return timer
        return None

    def freeze(self) -> list[Timer]:
        """From now on no actor's timer fires; the kernel's own still do. Returns those that were armed."""
        self.frozen = True
        # By instant and arming, not in the order of the heap, which is none.
        return [t for *_, t in sorted(self._heap, key=lambda e: e[:2]) if isinstance(t, Timer) and t.entry is not None]

    @property
    def armed_count(self) -> int:
        """How many are armed, the kernel's own included."""
        return len(self._heap) - self._passed_over

    def _file(self, timer: Timer | Alarm) -> None:
        self._push(timer)
        if self._heap[0] is timer.entry:
            self.on_earliest(timer.at_ms)

    def _push(self, timer: Timer | Alarm) -> None:
        timer.entry = entry = (timer.at_ms, timer.seq, timer)
        heapq.heappush(self._heap, entry)

    def _pass_over(self) -> None:
        self._passed_over += 1
        if self._passed_over > _SWEEP_MIN and self._passed_over * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].entry is entry]
            heapq.heapify(self._heap)
            self._passed_over = 0


def find_timer(owner: TimerOwner, key: Hashable) -> Timer | None:
    """The timer under ``key``: armed, or with its message on the way."""
    timers = owner.timers
    if timers is None:
        return None
    if isinstance(timers, Timer):
        return timers if timers.key == key else None
    return timers.get(key)


def release_timer(timer: Timer) -> bool:
    """Take a timer off its key. False when it is not there (any more)."""
    owner = timer.owner
    if find_timer(owner, timer.key) is not timer:
        return False
    if isinstance(owner.timers, dict):
        del owner.timers[timer.key]
    else:
        owner.timers = None
    return True


def all_timers(owner: TimerOwner) -> list[Timer]:
    """Every timer of a life, in the order of first arming."""
    timers = owner.timers
    if timers is None:
        return []
    return [timers] if isinstance(timers, Timer) else list(timers.values())


def _hold_timer(timer: Timer) -> None:
    timers = timer.owner.timers
    if timers is None:
        timer.owner.timers = timer
    elif isinstance(timers, Timer):
        timer.owner.timers = timer if timers.key == timer.key else {timers.key: timers, timer.key: timer}
    else:
        timers[timer.key] = timer
