"""The port between an actor and whatever drives it.

An actor is a class with a synchronous ``receive``. It changes its own state, and asks for everything else through its
:class:`Context`. What it asks for is collected in one ordered *batch* per message: records for the journal, and
effects. The driver hands the records to the journal, and performs the effects when they are committed. So an exception
in the middle of a message has done nothing to the outside, and the state can be taken from the last commit.

An effect is a plain tuple ``(op, a, b, c)`` with a small number ``op``, the cheapest form of data in Python. The kernel
knows the operations below :data:`HOST_OPS`; a host brings its own from there on (:mod:`.effects`).

Prior art: websockets' ``Protocol`` and httpcore's connection pool, in which the core collects what is to be done and
the shell does it, so that one core runs under several drivers: here Trio's clock, a virtual clock, and a plain loop.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from typing import Any, Final, Protocol, TypeVar, final

from attrs import frozen

M_contra = TypeVar("M_contra", contravariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

TELL: Final = 0
"""``(TELL, address, message, None)``"""
SIGNAL: Final = 1
"""``(SIGNAL, address, message, None)``: the same, by the control lane."""
SET_TIMER: Final = 2
"""``(SET_TIMER, key, at_ms, message)``"""
CANCEL_TIMER: Final = 3
"""``(CANCEL_TIMER, key, None, None)``"""
WATCH: Final = 4
"""``(WATCH, address, None, None)``"""
UNWATCH: Final = 5
"""``(UNWATCH, address, None, None)``"""
STOP: Final = 6
"""``(STOP, None, None, None)``"""
SAVE: Final = 7
"""``(SAVE, owner, record, None)``: no effect, but a record. It stands in the batch with the effects of its message."""
HOST_OPS: Final = 8
"""The first number that a host may use for an operation of its own."""

# An object of its own class costs 5 to 15 % more per message (measured). A function in the place of the number is
# slower, and is not data: a test could not look at it.
Effect = tuple[int, Any, Any, Any]
"""An operation and its three arguments, ``None`` where it has fewer."""


class Receiver(Protocol[M_contra]):
    """A behaviour that says which messages it takes, so that a type checker refuses the others.

    ``receive`` handles a message at once and returns ``None``, or returns a coroutine (``async def receive`` does): the
    message is then handled in a task of its own, which may await. A driver without an event loop takes synchronous ones
    only. A behaviour may also have ``on_stop(self) -> None``, called once when it is let go in an orderly way: stopped,
    passivated or drained, not after a crash or a kill.
    """

    # Positional only, so that a behaviour may call its argument as it likes.
    def receive(self, message: M_contra, /) -> object:
        """Handle one message. An exception is a crash of the actor."""
        ...


class Reply(Protocol[T_contra]):
    """Gives the answer to one request. It works once: a second or a late call is counted, and does no harm.

    An answer is no effect of the batch: the asker gets it at once, whatever becomes of the message. What must wait for
    a commit is answered by a ticket and an operation of the host.
    """

    def __call__(self, value: T_contra, /) -> bool:
        """Give the answer. Returns true if the asker was still waiting."""
        ...

    def fail(self, error: Exception, /) -> bool:
        """Make the asker's ``ask`` raise ``error``. Returns true if the asker was still waiting."""
        ...


class Cause(enum.Enum):
    """Why an actor has ended."""

    STOPPED = "stopped"
    KILLED = "killed"
    CRASHED = "crashed"
    DRAINED = "drained"
    UNKNOWN = "unknown"


@final
@frozen
class Terminated:
    """Tells a watcher, once and ahead of its other messages, that an actor has ended or had ended already.

    Attributes:
        address: The actor that was watched.
        error: The exception that it crashed with, if ``cause`` is CRASHED.
    """

    address: str
    cause: Cause
    # BaseException: what ended an actor may be a group of exceptions.
    error: BaseException | None = None


class Context(Protocol):
    """What every driver offers to an actor. A context belongs to one life of one actor.

    Called within ``receive`` or within the factory, the methods that ask for something only note it: it happens when
    the message has been handled and its records are committed, in the order in which it was asked for, and not at all
    when the message raises. Called from elsewhere (a coroutine of the actor, ``on_stop``), it happens at once.
    """

    @property
    def address(self) -> str:
        """The actor's own address, ``kind:key`` (for example ``agent:ops``)."""
        ...

    def now_ms(self) -> int:
        """The host's timeline, in milliseconds: monotonic, anchored to the wall clock once."""
        ...

    # No receipt: in a batch nothing is known yet when it is called. What is refused becomes a dead letter.
    def tell(self, to: str, message: object) -> None:
        """Send a message. What is refused (no such actor, no room) becomes a dead letter that names this actor."""
        ...

    def signal(self, to: str, message: object) -> None:
        """Send a message by the control lane: ahead of the others, and never refused because the mailbox is full.

        It is for messages whose number is bounded by what they tell, such as the one exit of a child.
        """
        ...

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        """Deliver ``message`` to this actor at ``at_ms``. A restart or a stop of the actor removes the timer.

        There is one timer per key. To set it again replaces it, and the message of the earlier one cannot arrive.
        """
        ...

    def cancel_timer(self, key: Hashable) -> None:
        """Remove a timer. Nothing happens if there is none under this key."""
        ...

    def watch(self, address: str) -> None:
        """Get :class:`Terminated` when that actor ends, or now if it has ended. A restart removes the watch."""
        ...

    def unwatch(self, address: str) -> None:
        """Take the watch back; a :class:`Terminated` that was not yet handled does not arrive."""
        ...

    def stop(self) -> None:
        """Take no more messages, finish the accepted ones, then end."""
        ...

    def save(self, owner: str, record: object) -> None:
        """Put a record into the batch of this message.

        Args:
            owner: Whose durable state the record belongs to. It is the same for all records of one life.
            record: An immutable value that the system's journal knows how to apply and to store.

        Raises:
            InvalidInputError: No message is being handled (a coroutine, ``on_stop``), the system has no journal, or
                this life has saved for another owner.
        """
        ...

    # Any, because the kernel does not know what a host's operations take.
    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        """Ask for an operation of the host (:data:`HOST_OPS` and above)."""
        ...
