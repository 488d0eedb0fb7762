"""Handling an asynchronous message, in a task of its own.

One at a time per actor; while it runs, messages wait, and stop, interrupt and kill are served. The task is named after
the actor and starts in an empty :class:`contextvars.Context`, so nothing of the sender's shows through.

Four things can leave the task: our own cancel, an exception, a cancel from further out, or a group of the last two.
"""

from __future__ import annotations

import contextvars
from collections.abc import Coroutine
from typing import Any, cast

import trio

from ...protocols.actor import Cause
from . import lifecycle, supervision
from .cell import Cell, Handling, State
from .current import CURRENT
from .dead_letters import DeadReason
from .events import Edge
from .sender import Sender


def start(cell: Cell, message: Any, sender: Sender, result: object, *, control: bool) -> bool:
    """Run what ``receive`` returned. False when it is not run: the actor has ended meanwhile, or nothing asynchronous
    begins any more; the message is a dead letter then.

    Raises:
        TypeError: It was no coroutine.
    """
    if not isinstance(result, Coroutine):
        raise TypeError(f"receive of {cell.address!r} returned {result!r}: None or a coroutine is expected")
    coroutine = cast("Coroutine[Any, Any, Any]", result)
    kernel = cell.kernel
    if cell.state is not State.RUNNING or not kernel.handlings_allowed:
        # Closed, or Python warns that it was never awaited.
        coroutine.close()
        reason = DeadReason.DRAINED if cell.state is State.RUNNING else DeadReason.KILLED
        kernel.dead_letter(cell.address, message, sender, reason)
        return False
    handling = Handling(cell, message, sender, control, kernel.clock.now_ms())
    cell.begin_handling(handling)
    kernel.observe(Edge.HANDLING_STARTED, cell.address, message)
    # In a context of its own, or CURRENT would be set for the dispatcher too.
    contextvars.Context().run(_spawn, handling, coroutine)
    return True


def _spawn(handling: Handling, coroutine: Coroutine[Any, Any, Any]) -> None:
    CURRENT.set(handling)
    handling.cell.kernel.nursery.start_soon(run_handling, handling, coroutine, name=handling.cell.address)


async def run_handling(handling: Handling, coroutine: Coroutine[Any, Any, Any]) -> None:
    """The task."""
    try:
        # Our own cancel is caught by this scope: interrupted, no crash. What its cleanup raises is a crash.
        with handling.scope:
            await coroutine
    except (trio.Cancelled, KeyboardInterrupt):
        # It came from further out and is not the actor's, so it passes on.
        _ended(handling, None, cut_from_outside=True)
        raise
    except BaseExceptionGroup as group:
        # The crash is recorded, and the rest passes on.
        outer, crash = group.split((trio.Cancelled, KeyboardInterrupt))
        _ended(handling, crash, cut_from_outside=outer is not None)
        if outer is not None:
            raise outer from None
    except BaseException as crash:  # noqa: BLE001  SystemExit in one actor is that actor's crash
        _ended(handling, crash, cut_from_outside=False)
    else:
        _ended(handling, None, cut_from_outside=False)


def _ended(handling: Handling, crash: BaseException | None, *, cut_from_outside: bool) -> None:
    handling.over = True  # first: child tasks of it that go on must not be taken for the actor any more
    cell, kernel = handling.cell, handling.cell.kernel
    cell.end_handling()
    if cut_from_outside:  # the nursery is cancelled: whatever begins now would be cut at its first checkpoint
        kernel.handlings_allowed = False
    if (cut_from_outside or handling.scope.cancelled_caught) and crash is None:
        kernel.interrupted += 1
        handling.sender.lost("interrupted", None)
    kernel.observe(Edge.HANDLING_ENDED, cell.address, crash)
    if crash is not None:
        supervision.handling_crashed(handling, crash)
    elif cell.state is State.KILLING:
        lifecycle.terminate(cell, Cause.KILLED)
    elif handling.restart_at_ms is not None:
        supervision.restart_at(cell, handling.restart_at_ms)
    else:
        if cell.extras is not None:
            cell.extras.attempts = 0
        cell.requeue()
    # Last: who waits for quiet must find the cell where it belongs.
    kernel.settled()
