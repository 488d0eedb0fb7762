"""An actor that records what it gets and does what it is told, for tests of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from attrs import define, field
from wakeward.protocols.actor import Context, Terminated
from wakeward.runtime.kernel import ActorSystem, DeadReason


@define(eq=False)
class Probe:
    """Raises an exception it is sent, calls a callable with itself (an async one is a turn), records anything else."""

    context: Context
    journal: Journal

    def receive(self, message: Message) -> object:
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            result = message(self)
            return cast("object", result) if isinstance(result, Coroutine) else None
        self.journal.entries.append((self.context.address, message))
        self.journal.instants_ms.append(self.context.now_ms())
        return None

    def on_stop(self) -> None:
        self.journal.stopped.append(self.context.address)


Message = Callable[[Probe], object] | BaseException | Terminated | str | int | tuple[object, ...]


@define(eq=False)
class Journal:
    """What the probes of one test went through, in order."""

    entries: list[tuple[str, Any]] = field(factory=list[tuple[str, Any]])
    instants_ms: list[int] = field(factory=list[int])
    born: list[str] = field(factory=list[str])
    stopped: list[str] = field(factory=list[str])
    at_birth: Callable[[Context], None] = lambda _context: None

    def probe(self, context: Context) -> Probe:
        """The factory."""
        self.born.append(context.address)
        self.at_birth(context)
        return Probe(context, self)

    @property
    def messages(self) -> list[Any]:
        """Everything recorded, whoever got it."""
        return [message for _, message in self.entries]

    def of(self, address: str) -> list[Any]:
        """What one actor recorded."""
        return [message for at, message in self.entries if at == address]


def dead(system: ActorSystem) -> list[tuple[str, Any, DeadReason]]:
    """The dead letters: to whom, what, why."""
    return [(letter.to, letter.message, letter.reason) for letter in system.dead_letters()]
