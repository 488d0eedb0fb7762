"""The actor system: what people open, define actors in, and drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, final

import trio

from ...protocols.actor import Context, Receiver, Terminated
from ...protocols.errors import InvalidInputError
from ...protocols.receipt import Receipt
from ...protocols.restart import RestartSpec, Strategy
from ..clock import Clock
from . import lifecycle, watch
from .cell import Cell, State
from .dead_letters import DeadLetter
from .drain import Drain, DrainReport
from .dump import dump
from .errors import AddressError
from .kernel import Kernel
from .ref import ActorRef, Kind
from .spec import UNDEFINED, ActorSpec, MailboxSpec
from .statistics import ActorStatistics, SystemStatistics, actor_statistics, system_statistics
from .supervision import Group

M = TypeVar("M")


_DEFAULT_MAILBOX: Final = MailboxSpec()
_DEFAULT_RESTART: Final = RestartSpec()


@final
class ActorSystem:
    """Actors by address, and everything that happens to all of them together. Made by :func:`open_system`."""

    def __init__(self, kernel: Kernel, drain: Drain, drain_grace_ms: int) -> None:
        """See :func:`open_system`."""
        self._kernel = kernel
        self._drain = drain
        self._drain_grace_ms = drain_grace_ms
        self._token = trio.lowlevel.current_trio_token()

    @property
    def name(self) -> str:
        """For logs and task names."""
        return self._kernel.name

    @property
    def clock(self) -> Clock:
        """The timeline."""
        return self._kernel.clock

    # Actors

    def define(
        self,
        kind: str,
        factory: Callable[[Context], Receiver[M]],
        *,
        mailbox: MailboxSpec = _DEFAULT_MAILBOX,
        restart: RestartSpec = _DEFAULT_RESTART,
        passivate_after_ms: int | None = None,
    ) -> Kind[M]:
        """Say how the actors ``kind:...`` are made. None is made before it has something to do.

        Raises:
            AddressError: The kind is empty, contains a colon, or is defined already.
        """
        if not kind or ":" in kind:
            raise AddressError(f"kind {kind!r}: a name without a colon is accepted")
        if kind in self._kernel.kinds:
            raise AddressError(f"kind {kind!r} is defined already")
        self._kernel.kinds[kind] = ActorSpec(kind, factory, mailbox, restart, passivate_after_ms)
        return Kind(kind, self.ref)

    def ref(self, address: str) -> ActorRef[Any]:
        """The ref to an actor, which need not exist yet. An actor of a defined kind is registered, not activated; any
        other address is looked up again at every message.
        """
        if not address:
            raise AddressError(f"address {address!r}: a name, or kind:key, is accepted")
        cell = self._kernel.resolve(address)
        if cell is None:
            cell = Cell(address, self._kernel, UNDEFINED, 0, State.STOPPED)
        return ActorRef(cell)

    def spawn(
        self,
        address: str,
        factory: Callable[[Context], Receiver[M]],
        *,
        mailbox: MailboxSpec = _DEFAULT_MAILBOX,
        restart: RestartSpec = _DEFAULT_RESTART,
        passivate_after_ms: int | None = None,
    ) -> ActorRef[M]:
        """Make one actor of its own kind, and activate it.

        Raises:
            AddressError: The address is empty, or somebody alive answers to it.
            InvalidInputError: The system is draining.
        """
        kernel = self._kernel
        present = kernel.cells.get(address)
        if not address or (present is not None and present.state is not State.STOPPED):
            raise AddressError(f"address {address!r}: one that nobody alive answers to is accepted")
        if not kernel.open:
            raise InvalidInputError(f"spawn of {address!r}: {kernel.name} is {kernel.phase}, takes no new actors")
        spec = ActorSpec(address, factory, mailbox, restart, passivate_after_ms)
        cell = kernel.cells[address] = Cell(address, kernel, spec, spec.room)
        kernel.schedule(cell)
        return ActorRef(cell)

    def group(self, strategy: Strategy, *members: str) -> None:
        """Restart these actors together, in this order.

        Raises:
            AddressError: One of them is unknown, or in a group already.
        """
        cells = [self._require(address) for address in members]
        for cell in cells:
            if cell.book is not None and cell.book.group is not None:
                raise AddressError(f"{cell.address!r} is in a group already")
        group = Group(strategy, cells)
        for cell in cells:
            cell.the_book().group = group

    def perform(
        self, performers: Mapping[int, Callable[[str, Any, Any, Any], None]], record: Callable[[str, object], None]
    ) -> None:
        """Say how the host's operations are performed, and who takes the records."""
        self._kernel.perform.update(performers)
        self._kernel.record = record

    def revive(self, address: str) -> bool:
        """Let an actor that has ended begin anew, as if it had never lived. False when it has not ended."""
        cell = self._kernel.cells.get(address)
        if cell is None or cell.state is not State.STOPPED or not self._kernel.open:
            return False
        successor = self._kernel.cells[address] = Cell(address, self._kernel, cell.spec, cell.spec.room)
        if cell.book is not None and cell.book.group is not None:
            cell.book.group.replace(cell, successor)
        return True

    # Messages and verbs by address

    def tell(self, address: str, message: object) -> Receipt:
        """``ref(address).tell(message)``."""
        return self.ref(address).tell(message)

    def signal(self, address: str, message: object) -> Receipt:
        """``ref(address).signal(message)``."""
        return self.ref(address).signal(message)

    def tell_from_thread(self, address: str, message: object) -> None:
        """The way in from other threads, and from signal handlers: sends the message soon, in order, and returns at
        once. What is refused goes to the dead letters.

        Raises:
            trio.RunFinishedError: Trio is no longer running.
        """
        self._token.run_sync_soon(self.tell, address, message)

    def passivate(self, address: str) -> bool:
        """Put an idle actor to sleep now. False when it is not idle, or not awake."""
        cell = self._kernel.cells.get(address)
        return cell is not None and lifecycle.passivate(cell)

    async def wait_stopped(self, address: str) -> Terminated:
        """Wait until an actor has ended; returns at once when it has, or never was."""
        await trio.lowlevel.checkpoint()
        cell = self._kernel.resolve(address)
        if cell is None:
            return watch.obituary(Cell(address, self._kernel, UNDEFINED, 0))
        if cell.state is not State.STOPPED:
            book = cell.the_book()
            book.end_event = book.end_event or trio.Event()
            await book.end_event.wait()
        return watch.obituary(cell)

    async def wait_idle(self) -> None:
        """Wait until nothing can be done now: no message is ready and no turn runs. Timers may be armed."""
        await self._kernel.wait_until(self._kernel.idle)

    async def drain(self, *, grace_ms: int | None = None) -> DrainReport:
        """End in four phases: refuse what comes from outside, freeze timers, finish within the grace, cancel the rest.

        Again and again it waits for the same end and returns the same report; a shorter grace hastens it.

        Cancellation: the drain goes on without the caller.
        """
        return await self._drain.run(self._drain_grace_ms if grace_ms is None else grace_ms)

    # Looking at it

    def statistics(self) -> SystemStatistics:
        """Counts of the whole system. Walks over every registered actor."""
        return system_statistics(self._kernel)

    def actor_statistics(self, address: str) -> ActorStatistics:
        """Counts of one actor.

        Raises:
            AddressError: Nobody answers to that address.
        """
        return actor_statistics(self._require(address))

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The latest ones, oldest first. :meth:`statistics` counts all."""
        return tuple(self._kernel.letters.ring)

    def dump(self) -> str:
        """Who is doing what: a page for the person in front of a stuck host."""
        return dump(self._kernel)

    def _require(self, address: str) -> Cell:
        cell = self._kernel.resolve(address)
        if cell is None:
            raise AddressError(f"{address!r}: no such actor, and no such kind among {self._kernel.kind_names()}")
        return cell
