"""The port between a behaviour and whatever drives it.

A behaviour is a class with a synchronous ``receive``. All it wants done it asks of a :class:`Context`, so that one and
the same behaviour runs on Trio's real clock, on a virtual clock, under a plain discrete-event loop, and in a test that
records what was asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from typing import Protocol, TypeVar, final

from attrs import frozen

from .receipt import Receipt

M_contra = TypeVar("M_contra", contravariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


class Behaviour(Protocol):
    """An actor's reaction to one message. Runs to completion; never awaits; an exception is a crash."""

    def receive(self, message: object, /) -> None:
        """Handle one message."""
        ...


class Receiver(Protocol[M_contra]):
    """A behaviour that says which messages it takes, so that a type checker refuses the others.

    ``receive`` handles a message at once and returns ``None``, or returns a coroutine (``async def receive`` does): the
    message is then a *turn*, which may await. A driver without an event loop takes synchronous ones only. A behaviour
    may also have ``on_stop(self) -> None``, called once when it is let go in an orderly way: stopped, passivated or
    drained, not after a crash or a kill.
    """

    def receive(self, message: M_contra, /) -> object:
        """Handle one message; a returned coroutine runs as a turn."""
        ...


class Reply(Protocol[T_contra]):
    """Where the answer to one request goes. One-shot: the second call, or a late one, is counted and harmless."""

    def __call__(self, value: T_contra, /) -> bool:
        """Answer. True when somebody was still waiting."""
        ...

    def fail(self, error: Exception, /) -> bool:
        """Let the asker's ``ask`` raise ``error``. True when somebody was still waiting."""
        ...


class Cause(enum.Enum):
    """Why an actor is no more."""

    STOPPED = "stopped"
    KILLED = "killed"
    CRASHED = "crashed"
    DRAINED = "drained"
    UNKNOWN = "unknown"


@final
@frozen
class Terminated:
    """What a watcher gets, once, ahead of its other messages; at once when the actor was dead already.

    Attributes:
        address: The actor that was watched.
        error: What it crashed of, when ``cause`` is CRASHED.
    """

    address: str
    cause: Cause
    error: BaseException | None = None


class Context(Protocol):
    """What every driver offers to a behaviour. Bound to one actor; valid as long as that actor lives."""

    @property
    def address(self) -> str:
        """The actor's own address, ``kind:key`` (for example ``agent:ops``)."""
        ...

    def now_ms(self) -> int:
        """The host's timeline: monotonic, anchored to the wall clock once."""
        ...

    def tell(self, to: str, message: object) -> Receipt:
        """Send a message. Synchronous, never blocks, never raises for flow control."""
        ...

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        """Deliver ``message`` to this actor at ``at_ms``. One timer per key: arming again replaces, stale ticks cannot
        arrive. Lost on restart and stop.
        """
        ...

    def cancel_timer(self, key: Hashable) -> None:
        """Disarm; nothing happens when the key is not armed."""
        ...

    def watch(self, address: str) -> None:
        """Get :class:`Terminated` when that actor ends, at once when it is dead already. Lost on restart."""
        ...

    def unwatch(self, address: str) -> None:
        """Take the watch back; a :class:`Terminated` that was not yet handled does not arrive."""
        ...

    def stop(self) -> None:
        """Take no more messages, finish the accepted ones, then end."""
        ...
