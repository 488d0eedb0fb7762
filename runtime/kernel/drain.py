"""Drain: the orderly end of a system, in four phases.

1. Close admission: messages from outside are refused; actors may still tell each other what finishing takes.
2. Freeze timers: no actor's timer fires any more. Backoffs still end, because mail may wait behind them.
3. Finish: within the grace, until nothing is ready, no turn runs and no mail waits.
4. Cancel: turns are cancelled and none begins; then the host's own hook ends what it owns (children: TERM, then KILL),
   whose last news still reach their actors by the control lane; then every actor ends, and what is left is reported.

It runs in a task of the system, so it goes on when whoever asked for it is cancelled, and whoever asks again waits for
the same end. To ask again with a shorter grace hastens it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

import trio
from attrs import define, field, frozen
from loguru import logger

from ...protocols.actor import Cause
from . import lifecycle
from .dead_letters import DeadLetter

if TYPE_CHECKING:
    from .kernel import Kernel

SETTLE_S: Final = 1.0
"""How long, in phase 4, actors may go on telling each other things."""

CancelHook = Callable[[], Awaitable[None]]


@final
@frozen
class DrainReport:
    """What became of a system's last work.

    Attributes:
        in_time: Everything accepted was handled within the grace.
        undelivered: What waited and was not handled.
        turns_cancelled: The actors whose turns were still running when the grace was over.
        turns_stuck: Of these, those that ignored it: leaving the system's block waits for them, as a nursery must.
        timers_frozen: Address, key and instant of every timer that was armed.
        elapsed_ms: How long the drain took.
    """

    in_time: bool
    undelivered: tuple[DeadLetter, ...]
    turns_cancelled: tuple[str, ...]
    turns_stuck: tuple[str, ...]
    timers_frozen: tuple[tuple[str, object, int], ...]
    elapsed_ms: int


@final
@define(eq=False, repr=False)
class Drain:
    """The one drain of a system."""

    kernel: Kernel
    hook: CancelHook | None
    report: DrainReport | None = None
    _begun_ms: int = 0
    _begun: bool = False
    _grace: trio.CancelScope = field(factory=trio.CancelScope)
    _done: trio.Event = field(factory=trio.Event)

    async def run(self, grace_ms: int) -> DrainReport:
        """Begin, or hasten, and wait for the end. See :meth:`.ActorSystem.drain`."""
        kernel = self.kernel
        if not self._begun:
            self._begun = True
            self._begun_ms = kernel.clock.now_ms()
            kernel.nursery.start_soon(self._phases, name=f"drain of {kernel.name}")
            kernel.close_admission()
        deadline = kernel.clock.deadline_s(kernel.clock.now_ms() + grace_ms)
        self._grace.deadline = min(self._grace.deadline, deadline)
        await self._done.wait()
        assert self.report is not None
        return self.report

    async def _phases(self) -> None:
        kernel = self.kernel
        with trio.CancelScope(shield=True):
            frozen_timers = kernel.timers.freeze()
            with self._grace:
                await kernel.wait_until(kernel.quiet)
            in_time = kernel.quiet()
            kernel.letters.collect_drained()
            cancelled = await self._cancel()
            stuck = [cell.address for cell in kernel.turns]
            if stuck:
                logger.warning("{}: turns that ignore their cancellation: {}", kernel.name, stuck)
            undelivered = _end_all(kernel)
            self.report = DrainReport(
                in_time and not undelivered,
                tuple(undelivered),
                tuple(cancelled),
                tuple(stuck),
                tuple((t.label(), t.key, t.at_ms) for t in frozen_timers),
                kernel.clock.now_ms() - self._begun_ms,
            )
            self._done.set()

    async def _cancel(self) -> list[str]:
        kernel = self.kernel
        kernel.turns_allowed = False
        cancelled = [cell.address for cell in kernel.turns]
        for turn in list(kernel.turns.values()):
            turn.cancel("drain")
        if self.hook is not None:
            try:
                await self.hook()
            except Exception as error:  # noqa: BLE001  the rest must be ended too
                logger.opt(exception=error).error("the cancel hook of {} failed", kernel.name)
        with trio.move_on_after(SETTLE_S):
            await kernel.wait_until(kernel.quiet)
        return cancelled


def _end_all(kernel: Kernel) -> list[DeadLetter]:
    """End every actor that has lived, and close. Returns what the drain left undelivered."""
    collected = kernel.letters.collect_drained()
    kernel.close()
    for cell in list(kernel.cells.values()):
        if cell.life or cell.queue or cell.control or cell.book:
            lifecycle.kill(cell, Cause.DRAINED)
    kernel.wake()
    return collected
