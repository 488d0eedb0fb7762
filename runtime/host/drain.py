"""The drain of a host: its turns and children end, in order, within a grace that can be shortened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import trio

from ..process import ProcessShell
from .outstanding import Outstanding
from .statistics import DrainReport
from .tickets import Tickets
from .turn_runner import INTERRUPTED, TurnRunner

CANCEL_GRACE_MS: Final = 5_000
"""How long, when the grace of a drain is over, children have between SIGTERM and SIGKILL."""
COMMIT_GRACE_MS: Final = 1_000
"""How long after that the drain waits for the ends of turns and children to be committed."""


@final
class HostDrain:
    """One drain. It runs in a task of the host, so it goes on when the caller who asked for it is cancelled."""

    def __init__(
        self,
        nursery: trio.Nursery,
        outstanding: Outstanding,
        turns: TurnRunner,
        shell: ProcessShell,
        tickets: Tickets,
        events_retained: Callable[[], dict[str, int]],
        grace_ms: int,
    ) -> None:
        """Begin. Nothing new is taken any more, and no turn starts."""
        self._outstanding = outstanding
        self._turns = turns
        self._shell = shell
        self._tickets = tickets
        self._events_retained = events_retained
        # The scope is made here and not in the task, so that shorten() has it before the task has run.
        self._grace = trio.CancelScope(deadline=trio.current_time() + grace_ms / 1000)
        self._done = trio.Event()
        self._report: DrainReport | None = None
        nursery.start_soon(self._run, name="drain of the host")

    def shorten(self, grace_ms: int) -> None:
        """Let the grace end no later than ``grace_ms`` from now."""
        self._grace.deadline = min(self._grace.deadline, trio.current_time() + grace_ms / 1000)

    async def wait(self) -> DrainReport:
        """Wait for the end. Cancellation leaves the drain going."""
        await self._done.wait()
        assert self._report is not None
        return self._report

    async def _run(self) -> None:
        with trio.CancelScope(shield=True):
            with self._grace:
                await self._outstanding.wait_quiet()
            interrupted = self._interrupt_turns()
            children = await self._end_children()
            # After the turns: a wake whose turn has ended still gets its outcome, the others are told of the drain.
            self._tickets.close()
            self._outstanding.abandon()
            self._report = DrainReport(
                in_time=self._outstanding.is_quiet and not interrupted and not children,
                turns_interrupted=interrupted,
                children_ended=children,
                events_retained=self._events_retained(),
            )
            self._done.set()

    def _interrupt_turns(self) -> tuple[str, ...]:
        """Cancel every turn that runs; its events are kept. Returns the sessions whose turns those are."""
        running = self._turns.running
        for turn in running:
            self._turns.interrupt(turn.turn_id, INTERRUPTED)
        return tuple(turn.session_key for turn in running)

    async def _end_children(self) -> int:
        """End every child with its tree (those started detached excepted), and wait for it. Returns how many."""
        children = self._outstanding.children
        self._shell.stop_all(CANCEL_GRACE_MS)
        # An end is dealt with when it is committed. A journal that does not answer must not keep the host from closing:
        # what it has not committed, the next host finds as it was before.
        with trio.move_on_after((CANCEL_GRACE_MS + COMMIT_GRACE_MS) / 1000):
            await self._outstanding.wait_quiet()
        return children
