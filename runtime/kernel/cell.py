"""The cell: all there is of a registered actor that is idle.

A million of them fit in one process, so a cell is a slotted object with what every actor needs, and the rest hangs on
two records that are made when first needed: :class:`~.incarnation.Incarnation` lives as long as one behaviour, and
:class:`Book` remembers across restarts.

``scheduled`` means that somebody will come back to the cell: the dispatcher's ready-queue, the running turn, or the
alarm that ends a backoff. Whoever makes work for a cell that is not scheduled puts it into the ready-queue. ``queued``
means that it stands in the ready-queue, which it does once at most.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Any, Final, final

from attrs import define, field

from ...protocols.actor import Cause
from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from ...protocols.restart import FRESH, RestartHistory
from .dead_letters import DeadReason
from .mailbox import Entry, Queue, new_queue, put
from .sender import OUTSIDE, Sender
from .spec import UNDEFINED, ActorSpec

if TYPE_CHECKING:
    import trio

    from .ask import Ask
    from .incarnation import Incarnation
    from .kernel import Kernel
    from .supervision import Group
    from .timers import Alarm, Timer


class State(enum.Enum):
    """Where a cell stands."""

    DORMANT = "dormant"
    """No behaviour: never activated, or passivated."""
    ACTIVE = "active"
    TURN = "turn"
    """An asynchronous message is being handled."""
    BACKOFF = "backoff"
    """Crashed; its restart has an instant."""
    RESTARTING = "restarting"
    """That instant has come."""
    STOPPED = "stopped"


class Closing(enum.Enum):
    """How a cell that takes no more messages is going to end."""

    STOP = "stop"
    """When it has finished what it accepted."""
    OWN_STOP = "own-stop"
    """The same, and the actor wanted it so."""
    KILL = "kill"
    """As soon as its cancelled turn is over."""


_STOPPED: Final = State.STOPPED  # cheaper to look up than an enum member


@final
@define(eq=False, repr=False, weakref_slot=False)
class Book:
    """What is remembered of an actor across its restarts."""

    watchers: dict[Cell, None] = field(factory=dict["Cell", None])
    asks: dict[Ask[Any], None] = field(factory=dict["Ask[Any]", None])
    parked: dict[Ask[Any], Any] = field(factory=dict["Ask[Any]", Any])
    group: Group | None = None
    history: RestartHistory = FRESH
    errors: list[BaseException] = field(factory=list[BaseException])
    attempts: int = 0
    crashes: int = 0
    restarts: int = 0
    comeback: Alarm | None = None
    ended: tuple[Cause, BaseException | None] | None = None
    end_event: trio.Event | None = None


@final
@define(eq=False, repr=False, weakref_slot=False)
class Cell(Sender):
    """One actor, by its address.

    Attributes:
        room: How long the fast path of ``tell`` may let the lane become, two places per message. Above 0 only while
            messages are taken and the overflow policy has no say; with 0 every message takes the long way through
            :meth:`offer`.
        ticks: How many of the waiting messages are ticks of timers, which do not count for the capacity.
    """

    address: str
    kernel: Kernel
    spec: ActorSpec
    room: int
    state: State = State.DORMANT
    closing: Closing | None = None
    scheduled: bool = False
    queued: bool = False
    ticks: int = 0
    handled: int = 0
    queue: Queue | None = None
    control: deque[Entry] | None = None
    life: Incarnation | None = None
    book: Book | None = None

    def __repr__(self) -> str:
        return f"<Cell {self.address} {self.state.value}>"

    def label(self) -> str:
        """Its address."""
        return self.address

    def the_book(self) -> Book:
        """The book, made at the first call."""
        if self.book is None:
            self.book = Book()
        return self.book

    def offer(self, message: Any, sender: Sender) -> Receipt:
        """Take a message into the user lane, or say why not. What ``tell`` does when nothing waits, or too much."""
        if self.queue is None and self.room:  # the common case: it takes messages, and is idle
            self.queue = deque((message, sender))
            if not self.scheduled:
                self.kernel.schedule(self)
            return ACCEPTED
        if self.state is _STOPPED or self.closing is not None or not self.kernel.open:
            present = self.present()
            if present is not self:
                return present.offer(message, sender)
            refusal = self.refusal(sender)
            if refusal is not None:
                return self._refused(refusal, message, sender)
            self.room = 0  # keeps the messages from outside off the fast path
        queue = self.queue
        if queue is None:
            queue = self.queue = new_queue(self.spec.mailbox)
        if not put(self, queue, message, sender):
            return self._refused(Refusal.FULL, message, sender)
        if not self.scheduled:
            self.kernel.schedule(self)
        return ACCEPTED

    def signal(self, message: Any, sender: Sender) -> Receipt:
        """Take a message into the control lane: ahead of the user lane, never full, also while stopping or draining."""
        if self.state is State.STOPPED or self.closing is Closing.KILL or self.kernel.closed:
            present = self.present()
            if present is not self:
                return present.signal(message, sender)
            return self._refused(Refusal.STOPPED if self.known else Refusal.UNKNOWN, message, sender)
        if self.control is None:
            self.control = deque()
        self.control.append((message, sender))
        if not self.scheduled:
            self.kernel.schedule(self)
        return ACCEPTED

    def put_tick(self, message: Any, timer: Timer) -> None:
        """Take the tick of a timer into the user lane."""
        if self.queue is None:
            self.queue = new_queue(self.spec.mailbox)
        self.queue.extend((message, timer))
        self.ticks += 1
        if not self.scheduled:
            self.kernel.schedule(self)

    @property
    def known(self) -> bool:
        """Whether this actor exists or did exist."""
        return self.spec is not UNDEFINED

    def refusal(self, sender: Sender) -> Refusal | None:
        """Why nothing is taken at present, whatever the room."""
        if self.state is State.STOPPED:
            return Refusal.STOPPED if self.known else Refusal.UNKNOWN
        if self.closing is not None or self.kernel.closed:
            return Refusal.STOPPED
        if not self.kernel.open and sender is OUTSIDE:
            return Refusal.DRAINING
        return None

    def refused(self, refusal: Refusal) -> Receipt:
        """The receipt that says so."""
        return Receipt(refusal, f"{self.address}: {self._explain(refusal)}")

    def _refused(self, refusal: Refusal, message: Any, sender: Sender) -> Receipt:
        self.kernel.bury(self, message, sender, DeadReason(refusal.value))
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

    def present(self) -> Cell:
        """Who answers to this address now: another cell, when a ref has outlived the one it was made for."""
        if self.state is not State.STOPPED:
            return self
        return self.kernel.resolve(self.address) or self
