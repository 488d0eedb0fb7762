"""The stall guard: names the handler that blocks the event loop.

A thread looks, a few times a second, whether the dispatcher is still busy with the same actor and has counted nothing
since. While asynchronous messages are being handled it also asks the event loop for a sign of life, because such a task
can block the loop as well; an idle system is never woken for this. The line it logs, once per stall, has the stack of
the blocked thread.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from types import FrameType
from typing import Final, final

import trio
from attrs import define, field
from loguru import logger

from .cell import Cell
from .handling import run_handling
from .kernel import Kernel
from .sender import OUTSIDE

STALL_S: Final = 1.0
LOOK_S: Final = 0.2


@final
@define(eq=False)
class StallGuard:
    """Watches one system from a daemon thread, between :meth:`start` and :meth:`stop`."""

    kernel: Kernel[Cell]
    _thread_id: int = field(factory=threading.get_ident)
    _token: trio.lowlevel.TrioToken = field(factory=trio.lowlevel.current_trio_token)
    _stopped: threading.Event = field(factory=threading.Event)
    _answered: bool = True
    _seen: tuple[object, int] | None = None
    _since_s: float = 0.0
    _reported: bool = False

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._look, name=f"stall guard of {self.kernel.name}", daemon=True).start()

    def stop(self) -> None:
        """Stop the thread. Does not wait for it."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_S):
            seen = self._activity()
            now_s = time.monotonic()
            # The count is part of what is seen: an actor that handles many quick messages is busy, not stuck.
            if seen is None or seen != self._seen:
                self._seen, self._since_s, self._reported = seen, now_s, False
            elif now_s - self._since_s >= STALL_S and not self._reported:
                self._reported = True
                self._report(now_s - self._since_s)

    def _activity(self) -> tuple[object, int] | None:
        """What is going on; the same twice means that nothing moved. ``None``: nothing that could be stuck."""
        kernel = self.kernel
        if kernel.current is not OUTSIDE:
            return kernel.current, kernel.handled
        if not kernel.handlings:
            return None
        # Only while somebody could block the loop: an idle system is never woken by its guard.
        if self._answered:
            self._answered = False
            try:
                self._token.run_sync_soon(self._answer)
            except trio.RunFinishedError:
                self._stopped.set()
            return None
        return "the event loop", kernel.handled

    def _answer(self) -> None:
        self._answered = True

    def _report(self, blocked_s: float) -> None:
        frame = sys._current_frames().get(self._thread_id)  # pyright: ignore[reportPrivateUsage]  made for this use
        who = self.kernel.current.label() if self.kernel.current is not OUTSIDE else _handling_in(frame)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "no stack"
        logger.warning("{} has blocked the event loop for {:.1f} s:\n{}", who, blocked_s, stack, actor=who)


def _handling_in(frame: FrameType | None) -> str:
    while frame is not None:
        if frame.f_code is run_handling.__code__:
            return str(frame.f_locals["handling"].cell.address)
        frame = frame.f_back
    return "a task that is no actor"
