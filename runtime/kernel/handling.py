"""A turn: an asynchronous message, handled in a task of its own.

One at a time per actor; while it runs, messages wait, and stop, interrupt and kill are served. The task is named after
the actor and starts in an empty :class:`contextvars.Context`, so nothing of whoever sent the message shows through.

What left a turn is told apart as follows. Our own cancel was caught by the turn's scope: interrupted, no crash. An
exception, also one that arose in cleanup during our cancel: a crash. Only ``Cancelled``: the cancel came from further
out, and passes on. A group with both: the crash is recorded, and the rest passes on.
"""

from __future__ import annotations

import contextvars
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, cast, final

import trio
from attrs import define, field

from . import lifecycle, supervision
from .dead_letters import DeadReason
from .events import Edge
from .sender import Sender

if TYPE_CHECKING:
    from .ask import Ask
    from .cell import Cell

CURRENT: Final[contextvars.ContextVar[Turn | None]] = contextvars.ContextVar("wakeward_turn", default=None)
"""The turn that a task belongs to; the turn's child tasks inherit it."""


@final
@define(eq=False, repr=False)
class Turn:
    """A turn that runs.

    Attributes:
        asks: The requests it waits for at present.
        restart_at_ms: Set when it was cancelled because the actor restarts with its group.
    """

    cell: Cell
    message: Any
    sender: Sender
    control: bool
    coroutine: Coroutine[Any, Any, Any]
    started_ms: int
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    asks: dict[Ask[Any], None] = field(factory=dict["Ask[Any]", None])
    over: bool = False
    restart_at_ms: int | None = None

    def cancel(self, why: str) -> None:
        """Cancel it; it may still clean up."""
        self.scope.cancel(reason=why)


def start(cell: Cell, message: Any, sender: Sender, result: object, *, control: bool) -> bool:
    """Run what ``receive`` returned as a turn. False when no turns begin any more; the message is a dead letter then.

    Raises:
        TypeError: It was no coroutine.
    """
    if not isinstance(result, Coroutine):
        raise TypeError(f"receive of {cell.address!r} returned {result!r}: None or a coroutine is expected")
    kernel = cell.kernel
    if not kernel.turns_allowed:
        result.close()
        kernel.bury(cell, message, sender, DeadReason.DRAINED)
        return False
    coroutine = cast("Coroutine[Any, Any, Any]", result)
    turn = Turn(cell, message, sender, control, coroutine, kernel.clock.now_ms())
    lifecycle.enter_turn(cell, turn)
    kernel.observe(Edge.TURN_STARTED, cell.address, message)
    contextvars.Context().run(_spawn, turn)
    return True


def _spawn(turn: Turn) -> None:
    CURRENT.set(turn)
    turn.cell.kernel.nursery.start_soon(run_turn, turn, name=turn.cell.address)


async def run_turn(turn: Turn) -> None:
    """The task of a turn."""
    try:
        with turn.scope:
            await turn.coroutine
    except (trio.Cancelled, KeyboardInterrupt):
        _ended(turn, None, cut_from_outside=True)
        raise
    except BaseExceptionGroup as group:
        outer, crash = group.split((trio.Cancelled, KeyboardInterrupt))
        _ended(turn, crash, cut_from_outside=outer is not None)
        if outer is not None:
            raise outer from None
    except BaseException as crash:  # noqa: BLE001  SystemExit in one actor is that actor's crash
        _ended(turn, crash, cut_from_outside=False)
    else:
        _ended(turn, None, cut_from_outside=False)


def _ended(turn: Turn, crash: BaseException | None, *, cut_from_outside: bool) -> None:
    turn.over = True
    cell, kernel = turn.cell, turn.cell.kernel
    lifecycle.leave_turn(cell)
    if cut_from_outside:
        kernel.turns_allowed = False
    if (cut_from_outside or turn.scope.cancelled_caught) and crash is None:
        kernel.interrupted += 1
        turn.sender.lost("interrupted", None)
    kernel.observe(Edge.TURN_ENDED, cell.address, crash)
    if crash is not None:
        supervision.turn_crashed(turn, crash)
    elif turn.restart_at_ms is not None:
        supervision.come_back(cell, turn.restart_at_ms)
    else:
        lifecycle.carry_on(cell)
    kernel.settled()
