"""What an actor is given: its :class:`~wakeward.protocols.actor.Context`, which is the actor's present life.

So what a behaviour holds is good for its own life only: after a restart, a closure that survived it can neither arm a
timer nor stop its successor.

While the actor handles a message, ``batch`` is the list in which its effects are noted; else they are performed at
once. The dispatcher sets it at the beginning of an activation and resets it at the end, not for each message.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, final

from attrs import define

from ...protocols.actor import (
    CANCEL_TIMER,
    SAVE,
    SET_TIMER,
    SIGNAL,
    STOP,
    TELL,
    UNWATCH,
    WATCH,
)
from ...protocols.errors import InvalidInputError
from .cell import Life
from .effects import perform


@final
@define(eq=False, repr=False, weakref_slot=False)
class ActorContext(Life):
    """See the port for what the methods do."""

    def __repr__(self) -> str:
        return f"<Context of {self.cell.address}>"

    @property
    def address(self) -> str:
        """The actor's own address."""
        return self.cell.address

    def now_ms(self) -> int:
        """The system's timeline."""
        return self.cell.kernel.clock.now_ms()

    def tell(self, to: str, message: object) -> None:
        """Send a message."""
        batch = self.batch
        if batch is None:
            perform(self, [(TELL, to, message, None)])
        else:
            batch.append((TELL, to, message, None))

    def signal(self, to: str, message: object) -> None:
        """Send a message by the control lane."""
        batch = self.batch
        if batch is None:
            perform(self, [(SIGNAL, to, message, None)])
        else:
            batch.append((SIGNAL, to, message, None))

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        """Arm, or arm again. Nothing happens when this life is over."""
        batch = self.batch
        if batch is None:
            perform(self, [(SET_TIMER, key, at_ms, message)])
        else:
            batch.append((SET_TIMER, key, at_ms, message))

    def cancel_timer(self, key: Hashable) -> None:
        """Disarm; a message on its way does not arrive."""
        self.emit(CANCEL_TIMER, key)

    def watch(self, address: str) -> None:
        """Get a message when that actor ends."""
        self.emit(WATCH, address)

    def unwatch(self, address: str) -> None:
        """Take that back."""
        self.emit(UNWATCH, address)

    def stop(self) -> None:
        """Finish what was accepted, then end."""
        self.emit(STOP)

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        """Note an effect, or perform it."""
        batch = self.batch
        if batch is None:
            perform(self, [(op, a, b, c)])
        else:
            batch.append((op, a, b, c))

    def save(self, owner: str, record: object) -> None:
        """Put a record into the batch."""
        batch = self.batch
        if batch is None:
            raise InvalidInputError(f"{self.address} saves for {owner!r}: only while it handles a message, in receive")
        if self.owner != owner:
            self._bind(owner)
        batch.append((SAVE, owner, record, None))
        self.saving = True

    def _bind(self, owner: str) -> None:
        if not self.cell.kernel.has_journal:
            raise InvalidInputError(f"{self.address} saves for {owner!r}: the system was opened without a journal")
        if self.owner is not None:
            # The unit of rollback is the owner: a life with two of them could be taken back by half.
            raise InvalidInputError(f"{self.address} saves for {owner!r}: it has saved for {self.owner!r}")
        self.owner = self.cell.need_extras().owner = owner
