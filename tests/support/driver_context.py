"""One life of an actor under the driver: its context, and what belongs to that life alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from attrs import define, field, frozen
from wakeward.protocols.actor import (
    CANCEL_TIMER,
    SET_TIMER,
    SIGNAL,
    STOP,
    TELL,
    UNWATCH,
    WATCH,
    Context,
    Effect,
    Receiver,
)

Factory = Callable[[Context], Receiver[Any]]


@frozen
class DeadLetter:
    """A message that was not handled. ``reason`` is one of the kernel's words: unknown, full, stopped, crashed ..."""

    to: str
    message: Any
    reason: str
    sender: str


@frozen
class Crash:
    """An actor that raised."""

    address: str
    message: Any
    error: Exception


@define(eq=False)
class Timer:
    """Armed, or its message is on the way, as long as its actor holds it under its key."""

    key: Hashable
    at_ms: int
    message: object


@define(eq=False)
class DriverContext:
    """The context of one life of one actor.

    Attributes:
        clock: The driver's present instant.
        release: Commit the records that wait, then perform these effects.
        batch: What the present message asks for; ``None`` while no message is being handled.
        records: Records that are not committed yet, each with its owner.
        timers: Those that are armed, and those whose message is on the way.
        watching: Whose end it is to be told.
        over: The actor has ended, or has a later life. Nothing can be armed or watched any more.
    """

    address: str
    clock: Callable[[], int]
    release: Callable[[DriverContext, list[Effect]], object]
    batch: list[Effect] | None = field(factory=list[Effect])
    records: list[tuple[str, object]] = field(factory=list[tuple[str, object]])
    timers: dict[Hashable, Timer] = field(factory=dict[Hashable, Timer])
    watching: set[str] = field(factory=set[str])
    over: bool = False

    def now_ms(self) -> int:
        return self.clock()

    def tell(self, to: str, message: object) -> None:
        self._ask((TELL, to, message, None))

    def signal(self, to: str, message: object) -> None:
        self._ask((SIGNAL, to, message, None))

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        self._ask((SET_TIMER, key, at_ms, message))

    def cancel_timer(self, key: Hashable) -> None:
        self._ask((CANCEL_TIMER, key, None, None))

    def watch(self, address: str) -> None:
        self._ask((WATCH, address, None, None))

    def unwatch(self, address: str) -> None:
        self._ask((UNWATCH, address, None, None))

    def stop(self) -> None:
        self._ask((STOP, None, None, None))

    def save(self, owner: str, record: object) -> None:
        assert all(other == owner for other, _ in self.records), f"{self.address}: one message, records of two owners"
        self.records.append((owner, record))
        if self.batch is None:
            self.release(self, [])

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        self._ask((op, a, b, c))

    def end(self) -> None:
        """This life is over, with everything that belongs to it."""
        self.over = True
        self.batch = None
        self.records.clear()
        self.timers.clear()
        self.watching.clear()

    def _ask(self, effect: Effect) -> None:
        if self.batch is None:
            self.release(self, [effect])
        else:
            self.batch.append(effect)


@define(eq=False)
class Actor:
    """An actor that lives: its mailbox with both lanes, which survives a restart, and its present life."""

    address: str
    factory: Factory
    context: DriverContext
    behaviour: Receiver[Any]
    control: deque[tuple[object, str]] = field(factory=deque[tuple[object, str]])
    mailbox: deque[tuple[object, str]] = field(factory=deque[tuple[object, str]])
    stopping: bool = False

    @property
    def is_idle(self) -> bool:
        return not (self.control or self.mailbox)
