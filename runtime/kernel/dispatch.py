"""The dispatcher: one task that runs every synchronous actor, in the order in which they became ready.

A task per activation would cost 6 to 10 us and buy nothing, because a behaviour does not await; and Trio shuffles its
tasks, while the ready-queue here is first in, first out, so a run can be repeated. A ready cell handles a bounded
number of messages and goes to the end of the queue; after a bounded number of activations, or some milliseconds, the
dispatcher lets Trio's other tasks run.

The dispatcher is shielded: a cancel from outside ends the turns, but what was accepted is still handled or accounted
for, by the drain. It parks with nothing but a rescheduling, and what wakes it early is the deadline of the scope it is
parked in, which is that of the earliest timer.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio
from loguru import logger

from ...protocols.actor import Cause
from . import ask, lifecycle, supervision
from . import handling as turn
from .cell import Cell, Closing, State
from .dead_letters import DeadReason
from .incarnation import Incarnation
from .sender import OUTSIDE, Sender

if TYPE_CHECKING:
    from .kernel import Kernel

BUDGET: Final = 64
"""Messages per activation; then it is the next actor's turn."""
STEP: Final = 8
"""Activations between two looks at the real clock."""
SLICE_STEPS_MAX: Final = 32
SLICE_S: Final = 0.005
"""After so many steps, or so long on the real clock, Trio's other tasks get a turn."""

_ACTIVE, _STOPPED, _BACKOFF = State.ACTIVE, State.STOPPED, State.BACKOFF  # cheaper to look up than enum members
_NOTHING: Final = deque[Any]()


@trio.lowlevel.enable_ki_protection
async def run_dispatcher(kernel: Kernel) -> None:
    """Serve until the kernel is closed. A Ctrl-C goes to the main task and never lands in the middle of this."""
    kernel.dispatcher = trio.lowlevel.current_task()
    try:
        with trio.CancelScope(shield=True):
            while not kernel.closed:
                next_ms = kernel.timers.next_ms()
                kernel.alarm_ms = math.inf if next_ms is None else next_ms
                deadline = math.inf if next_ms is None else kernel.clock.deadline_s(next_ms)
                with trio.CancelScope(deadline=deadline) as kernel.alarm:
                    await _serve(kernel)
                _fire(kernel)
    finally:
        kernel.current = OUTSIDE
        kernel.dispatcher_gone = True  # nobody must wait for what will not be handled
        kernel.settled()


async def _serve(kernel: Kernel) -> None:
    ready, realtime = kernel.ready, kernel.realtime
    while not kernel.closed:
        slice_end = time.perf_counter() + SLICE_S
        for _ in range(SLICE_STEPS_MAX):
            for _ in range(STEP):
                if not ready:
                    break
                run_cell(ready.popleft())
            if not ready or (realtime and time.perf_counter() > slice_end):
                break
        kernel.current = OUTSIDE
        if ready:
            await trio.lowlevel.checkpoint()
        else:
            await kernel.park()


def _fire(kernel: Kernel) -> None:
    now_ms = kernel.clock.now_ms()
    while (timer := kernel.timers.pop_due(now_ms)) is not None:
        timer.fire()


def run_cell(cell: Cell) -> None:
    """Let a ready cell handle some of what waits."""
    cell.queued = False
    if not cell.scheduled or cell.state is _BACKOFF:
        return  # it ended, or went into backoff with its group, while it stood in the queue
    kernel = cell.kernel
    kernel.current = cell
    life = cell.life
    if life is None:
        life = _begin(cell)
        if life is None:
            return
    if _work(cell, life, life.receive):
        _rest(cell)
    if cell.book is not None and cell.book.parked and cell.state is not _STOPPED:
        ask.admit_parked(cell)


def _work(cell: Cell, life: Incarnation, receive: Callable[[Any], object]) -> bool:
    """Handle up to a budget of messages. False when somebody else will come back to the cell, or nobody."""
    queue = cell.queue or _NOTHING  # one made meanwhile is looked at next time
    handled = 0
    message: Any = None
    sender: Sender = OUTSIDE
    control = False
    try:
        while handled < BUDGET:
            if cell.control:
                message, sender = cell.control.popleft()
                control = True
            elif queue:
                message = queue.popleft()
                sender = queue.popleft()
                control = False
            else:
                break
            if sender is not OUTSIDE and sender.special and not sender.claim():
                _skip(cell, message, sender)
                continue
            result = receive(message)
            if result is not None and turn.start(cell, message, sender, result, control=control):
                break
            handled += 1
    except (KeyboardInterrupt, trio.Cancelled):
        raise
    except BaseException as error:  # noqa: BLE001  SystemExit in one actor is that actor's crash
        _count(cell, handled)
        if cell.life is life:
            supervision.crashed(cell, error, (message, sender), control=control)
        else:
            _log_after_end(cell, error)
        return False
    _count(cell, handled)
    return cell.life is life and cell.state is _ACTIVE


def _rest(cell: Cell) -> None:
    if cell.queue or cell.control:
        cell.kernel.enqueue(cell)
    elif cell.closing is not None:
        _close(cell)
    else:
        lifecycle.fall_idle(cell)


def _begin(cell: Cell) -> Incarnation | None:
    if cell.closing is not None and not cell.queue and not cell.control:
        _close(cell)
        return None
    try:
        lifecycle.activate(cell)
    except (KeyboardInterrupt, trio.Cancelled):
        raise
    except BaseException as error:  # noqa: BLE001  a factory that raises is a crash of that actor
        supervision.crashed(cell, error, None, control=False)
    return cell.life


def _count(cell: Cell, handled: int) -> None:
    cell.handled += handled
    cell.kernel.handled += handled
    if handled and cell.book is not None:
        cell.book.attempts = 0


def _close(cell: Cell) -> None:
    if cell.closing is Closing.OWN_STOP:
        supervision.stopped_itself(cell)
    else:
        lifecycle.terminate(cell, Cause.STOPPED)


def _skip(cell: Cell, message: Any, sender: Sender) -> None:
    if not sender.exempt:  # a stale tick was taken back by its owner
        cell.kernel.bury(cell, message, sender, DeadReason.ABANDONED)


def _log_after_end(cell: Cell, error: BaseException) -> None:
    """It killed itself and then raised: there is nothing left to restart."""
    logger.opt(exception=error).error("{} crashed after its end: {!r}", cell.address, error, actor=cell.address)
