"""Keyed timers of all actors, in one heap.

A task per timer costs 26 us and 3 KB to arm; a heap entry 0.3 us and a few hundred bytes. Re-arming is lazy: a later
instant only moves two numbers in the :class:`Timer`, and the heap entry, when it is popped too early, is filed again.
An earlier instant files a second entry, and the first is passed over when popped, because the timer no longer points to
it. Entries that are passed over are counted, and swept out when they are most of the heap.

No stale tick: a tick waits in the mailbox together with its timer, and is handed over only if the actor's present
incarnation still holds that very timer under its key. Arming again, cancelling, a restart and a stop all break that
link, so there is no moment at which a tick already on its way could slip through.

At equal instants ticks arrive in the order of arming, so re-arming to the same instant goes to the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, ClassVar, Final, final

from attrs import define, field

from .sender import Sender

if TYPE_CHECKING:
    from .incarnation import Incarnation

_SWEEP_MIN: Final = 64
"""Heaps with fewer passed-over entries than this are not worth a sweep."""

Entry = tuple[int, int, "Timer | Alarm"]


@final
@define(eq=False, repr=False, weakref_slot=False)
class Timer(Sender):
    """One actor's timer under one key; beside its tick in the mailbox, it is the tick's sender."""

    special: ClassVar[bool] = True
    exempt: ClassVar[bool] = True

    owner: Incarnation
    key: Hashable
    at_ms: int
    seq: int
    message: object
    entry: Entry | None = None

    def __repr__(self) -> str:
        return f"<Timer {self.key!r} of {self.label()} at {self.at_ms} ms>"

    def label(self) -> str:
        """Who armed it."""
        return self.owner.cell.address

    def fire(self) -> None:
        """Put the tick into the owner's mailbox, whatever its capacity: there is at most one per key."""
        self.owner.cell.put_tick(self.message, self)

    def claim(self) -> bool:
        """Take the timer off its key. False for a stale tick."""
        self.owner.cell.ticks -= 1
        return self.owner.release_timer(self)

    def lost(self, detail: str, error: BaseException | None) -> None:
        """Nobody waits for a tick."""


@final
@define(eq=False, repr=False, weakref_slot=False)
class Alarm:
    """The kernel's own timer: backoff, passivation, the deadline of requests."""

    at_ms: int
    seq: int
    action: Callable[[], None]
    entry: Entry | None = None

    def fire(self) -> None:
        """Do it."""
        self.action()


@final
@define(eq=False, repr=False)
class Timers:
    """The heap.

    Attributes:
        on_earliest: Told the instant of an entry that is now the first of all, so that whoever waits can wait less.
    """

    on_earliest: Callable[[int], None]
    frozen: bool = False
    _heap: list[Entry] = field(factory=list[Entry])
    _seq: int = 0
    _passed_over: int = 0

    def arm(self, owner: Incarnation, key: Hashable, at_ms: int, message: object) -> None:
        """Arm, or arm again, the timer of ``owner`` under ``key``."""
        self._seq = seq = self._seq + 1
        timer = owner.find_timer(key)
        if timer is None or timer.entry is None:  # new, or its tick is on its way and becomes stale
            timer = Timer(owner, key, at_ms, seq, message)
            owner.hold_timer(timer)
            self._file(timer)
            return
        timer.message, timer.at_ms, timer.seq = message, at_ms, seq
        if at_ms < timer.entry[0]:
            self.disarm(timer)
            self._file(timer)

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
