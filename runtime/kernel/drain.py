"""Drain: the orderly end of a system, in four phases.

1. Close admission: messages from outside are refused; actors may still tell each other what they need to finish.
2. Freeze timers: no actor's timer fires any more. Backoffs still end, because messages may wait behind them.
3. Finish: within the grace, until nothing is ready, no asynchronous message is being handled, no commit is in flight,
   and no message waits for a restart.
4. Cancel: what is being handled is cancelled, and nothing asynchronous begins; then the host's own hook ends what the
   host owns (children: TERM, then KILL), whose last signals still reach their actors; then every actor ends, and what
   is left is reported.

It runs in a task of the system, so it goes on when the caller is cancelled, and a second caller waits for the same end.
A second call with a shorter grace shortens it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, final

import trio
from attrs import define, field, frozen
from loguru import logger

from ...protocols.actor import Cause
from . import lifecycle
from .cell import Cell
from .commits import Commits
from .dead_letters import DeadLetter
from .kernel import Kernel

# Bounded: actors that tell each other for ever would keep the drain from its end.
SETTLE_S: Final = 1.0
"""How long, in phase 4, actors may go on telling each other things."""

CancelHook = Callable[[], Awaitable[None]]


@final
@frozen
class SystemDrainReport:
    """What became of a system's last work.

    Attributes:
        in_time: Everything accepted was handled within the grace.
        undelivered: What waited and was not handled.
        handlings_cancelled: The actors that were still handling an asynchronous message when the grace was over.
        handlings_stuck: Of these, those that ignored the cancellation. Leaving the system's block waits for them, as a
            nursery must.
        timers_frozen: Address, key and instant of every timer that was armed.
        elapsed_ms: How long the drain took.
    """

    in_time: bool
    undelivered: tuple[DeadLetter, ...]
    handlings_cancelled: tuple[str, ...]
    handlings_stuck: tuple[str, ...]
    timers_frozen: tuple[tuple[str, object, int], ...]
    elapsed_ms: int


@final
@define(eq=False, repr=False)
class SystemDrain:
    """The one drain of a system."""

    kernel: Kernel[Cell]
    commits: Commits | None
    hook: CancelHook | None
    report: SystemDrainReport | None = None
    _begun_ms: int = 0
    _begun: bool = False
    _grace: trio.CancelScope = field(factory=trio.CancelScope)
    _done: trio.Event = field(factory=trio.Event)

    async def run(self, grace_ms: int) -> SystemDrainReport:
        """Begin, or shorten the grace, and wait for the end. See :meth:`.ActorSystem.drain`."""
        kernel = self.kernel
        if not self._begun:
            self._begun = True
            self._begun_ms = kernel.clock.now_ms()
            # In a task of its own, so that it goes on when this caller is cancelled.
            kernel.nursery.start_soon(self._phases, name=f"drain of {kernel.name}")
            kernel.close_admission()
        deadline = kernel.clock.deadline_s(kernel.clock.now_ms() + grace_ms)
        # A second call can shorten the grace and never lengthens it.
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
            # Asked again: the grace may end in the very step in which the last work does.
            in_time = kernel.quiet()
            kernel.letters.collect_drained()  # from here on, so that letters of the cancel phase are reported as well
            cancelled = await self._cancel()
            stuck = [cell.address for cell in kernel.handlings]
            if stuck:
                logger.warning("{}: these actors ignore the cancellation: {}", kernel.name, stuck)
            undelivered = self._end_all()
            self.report = SystemDrainReport(
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
        kernel.handlings_allowed = False  # before the cancel: a message behind a cancelled one must not begin
        cancelled = [cell.address for cell in kernel.handlings]
        for cell in list(kernel.handlings):
            assert cell.life is not None
            assert cell.life.handling is not None
            cell.life.handling.cancel("drain")
        if self.hook is not None:
            try:
                await self.hook()
            except Exception as error:  # noqa: BLE001  the rest must be ended too
                logger.opt(exception=error).error("the cancel hook of {} failed", kernel.name)
        with trio.move_on_after(SETTLE_S):
            await kernel.wait_until(kernel.quiet)
        return cancelled

    def _end_all(self) -> list[DeadLetter]:
        """End every actor that has lived, and close. Returns what the drain left undelivered."""
        kernel = self.kernel
        collected = kernel.letters.collect_drained()
        kernel.close()
        if self.commits is not None:
            self.commits.close()  # before the actors end: no restart must wait for a commit any more
        for cell in list(kernel.cells.values()):
            # The others hold nothing to report, and there may be a million of them.
            if cell.life or cell.has_mail or cell.extras:
                lifecycle.kill(cell, Cause.DRAINED)
        kernel.wake()  # the dispatcher sees that the kernel is closed, and ends
        return collected
