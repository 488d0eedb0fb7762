"""Refs: how an actor is reached.

A ref is good before the actor exists, across restarts and passivation, and after its end, when what is sent is refused.
When another actor has the address later, the ref reaches that one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, final

from ...protocols.receipt import ACCEPTED, Receipt
from . import lifecycle
from .ask import Ask, request
from .cell import Cell
from .current import present_sender

T = TypeVar("T")
M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


@final
class ActorRef(Generic[M_contra]):
    """Reaches one actor; says which messages it takes."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        """Refs come from :meth:`.ActorSystem.ref`, :meth:`.ActorSystem.spawn` and :class:`Kind`."""
        self._cell = cell

    @property
    def address(self) -> str:
        """``kind:key``."""
        return self._cell.address

    def tell(self, message: M_contra, /) -> Receipt:
        """Send a message. Synchronous, never blocks, never raises for flow control: the receipt is falsy when the
        message was refused, and says why. May be called in ``finally`` while cancelled.
        """
        cell = self._cell
        queue = cell.queue
        # The fast path does not ask the context variable whose asynchronous message this task handles: that would cost
        # more than the rest. Only a dead letter shows the sender, and what is refused takes the slow path.
        if queue is None:
            if cell.room:
                return cell.offer(message, cell.kernel.current)
        elif len(queue) < cell.room:
            queue.extend((message, cell.kernel.current))
            return ACCEPTED
        return cell.offer(message, present_sender(cell.kernel))

    def signal(self, message: M_contra, /) -> Receipt:
        """Send a message by the control lane: ahead of the others, never refused for want of room, taken until the
        actor has ended. For messages that are bounded by construction, such as the one exit of a child.
        """
        return self._cell.signal(message, present_sender(self._cell.kernel))

    def ask(self, make: Callable[[Ask[T]], M_contra], /) -> Coroutine[Any, Any, T]:
        """Await this: send the request that ``make`` builds around a reply, and wait for the reply.

        One deadline covers the wait for room in the mailbox and the wait for the reply: the caller's cancel scope, or
        the system's default if that is nearer.

        Raises:
            AskRefusedError: The actor is stopped, draining or unknown.
            AskFailedError: It crashed, ended or lost the request before it answered; its exception is the cause.
            AskTimeoutError: The default deadline passed.
            AskCycleError: It is itself waiting for the asker.

        Cancellation: the request is skipped if it was not handled yet; a late reply is harmless.
        """
        return request(self._cell, make)

    def stop(self) -> bool:
        """Let it take no more messages, finish the accepted ones, and end. False when it is ending already."""
        return lifecycle.stop(self._cell.present())

    def interrupt(self) -> bool:
        """Cancel the handling of its asynchronous message, and nothing else. False when there is none."""
        return lifecycle.interrupt(self._cell.present())

    def kill(self) -> bool:
        """End it now; what waits goes to the dead letters. False when it has ended already."""
        return lifecycle.kill(self._cell.present())

    def __eq__(self, other: object) -> bool:
        # By address, not by cell: a ref is good across the end of its cell and a successor of the same address.
        return isinstance(other, ActorRef) and self.address == other.address and self._cell.kernel is other._cell.kernel

    def __hash__(self) -> int:
        return hash(self.address)

    def __repr__(self) -> str:
        return f"<ActorRef {self.address}>"


@final
class Kind(Generic[M]):
    """The actors of one kind: ``kind("ops")`` is the ref to ``kind:ops``."""

    __slots__ = ("_ref", "name")

    def __init__(self, name: str, ref: Callable[[str], ActorRef[Any]]) -> None:
        """Kinds come from :meth:`.ActorSystem.define`."""
        self.name = name
        self._ref = ref

    def __call__(self, key: str) -> ActorRef[M]:
        """The ref to one of them; registers it, and does not activate it."""
        return self._ref(f"{self.name}:{key}")
