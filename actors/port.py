"""The port between a behaviour and whatever drives it.

A behaviour is a class with a synchronous ``receive``. All it wants done it asks of a :class:`Context`, so that one and
the same behaviour runs on Trio's real clock, on a virtual clock, under a plain discrete-event loop, and in a test that
records what was asked for.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from ..protocols.receipt import Receipt


class Behaviour(Protocol):
    """An actor's reaction to one message. Runs to completion; never awaits; an exception is a crash."""

    def receive(self, message: object, /) -> None:
        """Handle one message."""
        ...


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
