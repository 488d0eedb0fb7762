"""The actor system: what people open, define actors in, and drain."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, TypeVar, cast, final

import trio

from ...actors.port import Context, Receiver, Terminated
from ...protocols.errors import InvalidInputError
from ...protocols.receipt import Receipt
from ...protocols.restart import RestartSpec, Strategy
from ..clock import Clock
from . import lifecycle, watch
from .cell import Cell, State
from .deadletters import DeadLetter
from .dispatch import run_dispatcher
from .drain import CancelHook, Drain, DrainReport
from .errors import AddressError
from .kernel import Kernel, seeded_roll
from .observer import Observer
from .ref import ActorRef, Kind
from .spec import UNDEFINED, ActorSpec, MailboxSpec
from .stall import StallGuard
from .statistics import ActorStatistics, SystemStatistics, actor_statistics, dump, system_statistics
from .supervision import Group

M = TypeVar("M")

ASK_DEADLINE_MS: Final = 30_000
DRAIN_GRACE_MS: Final = 10_000

_REAL_CLOCK: Final = "SystemClock"
"""The class of Trio's own clock, which it does not export. Importing ``trio.testing`` to ask for the other would import
pytest, where that is installed.
"""

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


def open_system(
    *,
    name: str = "wakeward",
    clock: Clock | None = None,
    observer: Observer | None = None,
    seed: int | None = None,
    ask_deadline_ms: int = ASK_DEADLINE_MS,
    drain_grace_ms: int = DRAIN_GRACE_MS,
    on_cancel: CancelHook | None = None,
) -> AbstractAsyncContextManager[ActorSystem]:
    """Open an actor system; leaving the block drains it.

    Left normally, it drains with ``drain_grace_ms``; left by an exception or a cancel, without a grace: turns are
    cancelled, what was accepted is handled or reported. An exception of the block's body leaves it unwrapped.

    Args:
        name: For logs and task names.
        clock: The timeline; by default one that reads 0 now.
        observer: Called at the edges of actors' lives.
        seed: For the jitter of restarts, to repeat a run.
        ask_deadline_ms: When a request without a nearer cancel scope fails.
        drain_grace_ms: How long accepted work may take when the block is left normally.
        on_cancel: Awaited in the last phase of a drain, to end what else the host owns; what that signals to actors is
            still handled.

    Raises:
        BaseExceptionGroup: An actor escalated; its exceptions.
    """
    return _Opening(name, clock, observer, seed, ask_deadline_ms, drain_grace_ms, on_cancel)


@final
class _Opening(AbstractAsyncContextManager[ActorSystem]):
    """The nursery around the body. By hand, because a nursery would wrap the body's exception into a group."""

    def __init__(
        self,
        name: str,
        clock: Clock | None,
        observer: Observer | None,
        seed: int | None,
        ask_deadline_ms: int,
        drain_grace_ms: int,
        on_cancel: CancelHook | None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._observer = observer
        self._roll = seeded_roll(seed)
        self._ask_deadline_ms = ask_deadline_ms
        self._drain_grace_ms = drain_grace_ms
        self._on_cancel = on_cancel
        self._nursery_manager = trio.open_nursery()

    async def __aenter__(self) -> ActorSystem:
        nursery = await self._nursery_manager.__aenter__()
        realtime = type(trio.lowlevel.current_clock()).__name__ == _REAL_CLOCK
        self._kernel = kernel = Kernel(
            self._name,
            self._clock or Clock.start(),
            nursery,
            realtime,
            self._observer,
            self._ask_deadline_ms,
            self._roll,
        )
        self._drain = Drain(kernel, self._on_cancel)
        self._guard = StallGuard(kernel) if realtime else None
        contextvars.Context().run(_start_dispatcher, kernel)
        if self._guard is not None:
            self._guard.start()
        return ActorSystem(kernel, self._drain, self._drain_grace_ms)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with trio.CancelScope(shield=True):
            await self._drain.run(self._drain_grace_ms if error is None else 0)
        if self._guard is not None:
            self._guard.stop()
        if error is None or _only_cancelled(error):
            suppressed = await self._nursery_manager.__aexit__(kind, error, trace)  # noqa: ASYNC102  ends what it has
            if self._kernel.failure is not None:
                raise self._kernel.failure
            return suppressed
        try:
            await self._nursery_manager.__aexit__(None, None, None)  # noqa: ASYNC102  ends what it has
        except BaseException as late:  # noqa: ASYNC103  the body's error goes before a cancel of the turns
            if not _only_cancelled(late):
                raise
        if self._kernel.failure is not None:
            raise BaseExceptionGroup(f"{self._name}: an actor and the body failed", [self._kernel.failure, error])
        return False


def _start_dispatcher(kernel: Kernel) -> None:
    kernel.nursery.start_soon(run_dispatcher, kernel, name=f"dispatcher of {kernel.name}")


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
