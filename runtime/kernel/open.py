"""Opening and closing an actor system."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, cast, final

import trio

from ..clock import Clock
from .cell import Cell, new_cell
from .commits import Commits, Recorder
from .dead_letters import DeadLetter
from .dispatch import Dispatcher
from .drain import CancelHook, SystemDrain
from .events import Observer
from .kernel import Kernel, seeded_draw
from .stall import StallGuard
from .system import ActorSystem

ASK_DEADLINE_MS: Final = 30_000


DRAIN_GRACE_MS: Final = 10_000


_REAL_CLOCK: Final = "SystemClock"
"""The class of Trio's own clock, which it does not export. Importing ``trio.testing`` to ask for the other would import
pytest, where that is installed.
"""


def open_system(
    *,
    name: str = "wakeward",
    clock: Clock | None = None,
    journal: Recorder | None = None,
    observer: Observer | None = None,
    on_dead_letter: Callable[[DeadLetter], None] | None = None,
    seed: int | None = None,
    ask_deadline_ms: int = ASK_DEADLINE_MS,
    drain_grace_ms: int = DRAIN_GRACE_MS,
    on_cancel: CancelHook | None = None,
) -> AbstractAsyncContextManager[ActorSystem]:
    """Open an actor system; leaving the block drains it.

    Left normally, it drains with ``drain_grace_ms``; left by an exception or a cancel, without a grace: asynchronous
    messages are cancelled, what was accepted is handled or reported. An exception of the block's body leaves it
    unwrapped.

    Args:
        name: For logs and task names.
        clock: The timeline; by default one that reads 0 now.
        journal: What takes the records that actors save; without one they cannot save.
        observer: Called at the edges of actors' lives.
        on_dead_letter: Called with each message that will not be handled, in the middle of whatever refused it. Must be
            quick, and must not change the system; an exception is logged.
        seed: For the jitter of restarts, to repeat a run.
        ask_deadline_ms: When a request without a nearer cancel scope fails.
        drain_grace_ms: How long accepted work may take when the block is left normally.
        on_cancel: Awaited in the last phase of a drain, to end what else the host owns; what that signals to actors is
            still handled.

    Raises:
        BaseExceptionGroup: An actor escalated; its exceptions.
    """

    def kernel_in(nursery: trio.Nursery) -> Kernel[Cell]:
        # On a virtual clock a run must not depend on how fast the machine is: no slices, no guard.
        realtime = type(trio.lowlevel.current_clock()).__name__ == _REAL_CLOCK
        return Kernel(
            name,
            clock or Clock.start(),
            nursery,
            realtime,
            observer,
            on_dead_letter,
            ask_deadline_ms,
            journal is not None,
            seeded_draw(seed),
            new_cell,
        )

    return _Opening(kernel_in, journal, drain_grace_ms, on_cancel)


@final
class _Opening(AbstractAsyncContextManager[ActorSystem]):
    """The nursery around the body, entered by hand: ``async with`` would wrap the body's exception into a group."""

    def __init__(
        self,
        kernel_in: Callable[[trio.Nursery], Kernel[Cell]],
        journal: Recorder | None,
        drain_grace_ms: int,
        on_cancel: CancelHook | None,
    ) -> None:
        self._kernel_in = kernel_in
        self._journal = journal
        self._drain_grace_ms = drain_grace_ms
        self._on_cancel = on_cancel
        self._nursery_manager = trio.open_nursery()

    async def __aenter__(self) -> ActorSystem:
        nursery = await self._nursery_manager.__aenter__()
        self._kernel = kernel = self._kernel_in(nursery)
        commits = None if self._journal is None else Commits(kernel, self._journal)
        if commits is not None:
            kernel.may_restart = commits.may_restart
            kernel.commit_at_once = commits.recorder.commit_at_once
        self._drain = SystemDrain(kernel, commits, self._on_cancel)
        self._guard = StallGuard(kernel) if kernel.realtime else None
        # In an empty context: what the opener has set must not show in every actor.
        contextvars.Context().run(_start, kernel, Dispatcher(kernel, commits))
        if self._guard is not None:
            self._guard.start()
        return ActorSystem(kernel, self._drain, self._drain_grace_ms)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        # Shielded: a cancel of the block must not cut the drain, whose grace is 0 then.
        with trio.CancelScope(shield=True):
            await self._drain.run(self._drain_grace_ms if error is None else 0)
        if self._guard is not None:
            self._guard.stop()
        if error is None or _only_cancelled(error):
            suppressed = await self._nursery_manager.__aexit__(kind, error, trace)  # noqa: ASYNC102  ends what it has
            if self._kernel.failure is not None:
                raise self._kernel.failure
            return suppressed
        # As if the block had ended normally: a nursery would wrap the body's exception into a group.
        try:
            await self._nursery_manager.__aexit__(None, None, None)  # noqa: ASYNC102  ends what it has
        except BaseException as late:  # noqa: ASYNC103  the body's error goes before a cancel of its handlings
            if not _only_cancelled(late):
                raise
        if self._kernel.failure is not None:
            message = f"{self._kernel.name}: an actor and the body failed"
            raise BaseExceptionGroup(message, [self._kernel.failure, error])
        return False


def _start(kernel: Kernel[Cell], dispatcher: Dispatcher) -> None:
    kernel.nursery.start_soon(dispatcher.run, name=f"dispatcher of {kernel.name}")


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return group.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
