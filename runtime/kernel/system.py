"""The actor system: what people open, define actors in, and drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, final

import trio

from ...protocols.actor import HOST_OPS, Context, Receiver, Terminated
from ...protocols.errors import InvalidInputError
from ...protocols.receipt import Receipt
from ...protocols.restart import RestartSpec, Strategy
from ..clock import Clock
from . import lifecycle, watch
from .cell import Cell, State, new_cell, unknown_cell
from .dead_letters import DeadLetter
from .drain import SystemDrain, SystemDrainReport
from .dump import dump
from .errors import AddressError
from .group import Group
from .kernel import Kernel, Performer
from .ref import ActorRef, Kind
from .spec import ActorSpec, MailboxSpec
from .statistics import ActorStatistics, SystemStatistics, actor_statistics, system_statistics

M = TypeVar("M")


# One object for all kinds that say nothing. Specifications are frozen, so it can be shared.
_DEFAULT_MAILBOX: Final = MailboxSpec()
_DEFAULT_RESTART: Final = RestartSpec()


@final
class ActorSystem:
    """Actors by address, and everything that happens to all of them together. Made by :func:`open_system`."""

    def __init__(self, kernel: Kernel[Cell], drain: SystemDrain, drain_grace_ms: int) -> None:
        """See :func:`open_system`."""
        self._kernel = kernel
        self._drain = drain
        self._drain_grace_ms = drain_grace_ms
        # Kept from here: tell_from_thread is called where there is no Trio to ask.
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
        """Say how the actors ``kind:...`` are made. Each is made when its first message is handled.

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
        return ActorRef(self._kernel.resolve(address) or unknown_cell(self._kernel, address))

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
            AddressError: The address is empty, or a living actor has it.
            InvalidInputError: The system is draining.
        """
        kernel = self._kernel
        present = kernel.cells.get(address)
        if not address or (present is not None and present.state is not State.STOPPED):
            raise AddressError(f"address {address!r}: one that no living actor has is accepted")
        if not kernel.open:
            raise InvalidInputError(f"spawn of {address!r}: {kernel.name} is {kernel.phase}, takes no new actors")
        spec = ActorSpec(address, factory, mailbox, restart, passivate_after_ms)
        cell = kernel.cells[address] = new_cell(kernel, address, spec)
        # Scheduled without a message: what is spawned is made at once.
        cell.arrived()
        return ActorRef(cell)

    def group(self, strategy: Strategy, *members: str) -> None:
        """Restart these actors together, in this order.

        Raises:
            AddressError: One of them is unknown, or in a group already.
        """
        # All are checked before any is changed: a group is made whole or not at all.
        cells = [self._require(address) for address in members]
        for cell in cells:
            if cell.extras is not None and cell.extras.group is not None:
                raise AddressError(f"{cell.address!r} is in a group already")
        group = Group(strategy, cells)
        for cell in cells:
            cell.need_extras().group = group

    def revive(self, address: str) -> bool:
        """Make an actor that has ended as good as new: its next message begins a life. False when it has not ended."""
        cell = self._kernel.cells.get(address)
        if cell is None or cell.state is not State.STOPPED or not self._kernel.open:
            return False
        # A new cell, not the old one again: STOPPED has no way out, and a task that still holds the old one must not
        # act on it.
        successor = self._kernel.cells[address] = new_cell(self._kernel, address, cell.spec)
        if cell.extras is not None and cell.extras.group is not None:
            group = successor.need_extras().group = cell.extras.group
            group.replace(cell, successor)
        return True

    def perform_with(self, performers: Mapping[int, Performer]) -> None:
        """Say who performs the operations of the host, before the first message that asks for one.

        Args:
            performers: By operation (:data:`~wakeward.protocols.actor.HOST_OPS` and above). Each is called with the
                address of the actor and the three arguments of the effect, after the message and its commit. It must be
                quick and synchronous; an exception is logged.

        Raises:
            InvalidInputError: An operation is one of the kernel's.
        """
        if taken := [op for op in performers if op < HOST_OPS]:
            raise InvalidInputError(f"operations {taken}: {HOST_OPS} and above are accepted")
        self._kernel.performers.update(performers)

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
        # A ref is looked up in Trio's thread: here even the registry may be in the middle of a change.
        self._token.run_sync_soon(self.tell, address, message)

    def is_active(self, address: str) -> bool:
        """Whether an actor has a behaviour at present: it was made, and is neither passivated nor ended."""
        cell = self._kernel.cells.get(address)
        return cell is not None and cell.life is not None

    def passivate(self, address: str) -> bool:
        """End the life of an idle actor now; its next message begins another. False when it is not idle."""
        cell = self._kernel.cells.get(address)
        return cell is not None and lifecycle.passivate(cell)

    async def wait_stopped(self, address: str) -> Terminated:
        """Wait until an actor has ended; returns at once when it has, or never was."""
        await trio.lowlevel.checkpoint()
        cell = self._kernel.resolve(address)
        if cell is None:
            return watch.terminated(unknown_cell(self._kernel, address))
        if cell.state is not State.STOPPED:
            # One event for all who wait; it is set once, at the end, and never reset.
            extras = cell.need_extras()
            if extras.end_event is None:
                extras.end_event = trio.Event()
            await extras.end_event.wait()
        return watch.terminated(cell)

    async def wait_idle(self) -> None:
        """Wait until nothing can be done now: no message is ready or being handled, no commit is in flight.

        Timers may be armed.
        """
        await self._kernel.wait_until(self._kernel.idle)

    async def drain(self, *, grace_ms: int | None = None) -> SystemDrainReport:
        """End in four phases: refuse what comes from outside, freeze timers, finish within the grace, cancel the rest.

        Each call waits for the same end and returns the same report. A second call with a shorter grace shortens it.

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
            AddressError: No actor has that address.
        """
        return actor_statistics(self._require(address))

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The latest ones, oldest first. :meth:`statistics` counts all."""
        return tuple(self._kernel.letters.ring)

    def dump(self) -> str:
        """Who is doing what: a page for the person in front of a host that does not go on."""
        return dump(self._kernel)

    def _require(self, address: str) -> Cell:
        cell = self._kernel.resolve(address)
        if cell is None:
            raise AddressError(f"{address!r}: no such actor, and no such kind among {self._kernel.kind_names()}")
        return cell
