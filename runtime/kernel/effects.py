"""Performing what actors ask for: their effects, after the message.

An effect is a tuple whose first element is a small number. Telling and arming timers are by far the most frequent ones
and are done in line; the others go through one table, and the operations of the host through the mapping that the host
has registered.

What an effect raises is logged, and the effects after it are performed all the same. It is no crash of the actor: the
message is handled and its records are committed, so nobody could take it back any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from loguru import logger

from ...protocols.actor import CANCEL_TIMER, HOST_OPS, SAVE, SET_TIMER, SIGNAL, STOP, TELL, UNWATCH, WATCH, Effect
from . import lifecycle, watch
from .cell import Life, Stopping
from .dead_letters import DeadReason


def perform(life: Life, effects: Iterable[Effect]) -> None:
    """Perform the effects of one message, in order."""
    cell = life.cell
    kernel, address = cell.kernel, cell.address
    cells, arm, commit, performers = kernel.cells, kernel.timers.arm, kernel.commit_at_once, kernel.performers
    for op, a, b, c in effects:
        try:
            if op == TELL:
                to = cells.get(a) or kernel.resolve(a)
                queue = None if to is None else to.queue
                if to is None:
                    kernel.dead_letter(a, b, cell, DeadReason.UNKNOWN)
                elif queue is not None and len(queue) < to.room:
                    queue.extend((b, cell))
                else:
                    to.offer(b, cell)
            elif op == SAVE:
                assert commit is not None  # otherwise the dispatcher has made a batch of it
                commit(a, b)
            elif op >= HOST_OPS:
                performers[op](address, a, b, c)
            elif op == SET_TIMER:
                if not life.over:
                    arm(life, a, b, c)
            else:
                _PERFORM[op](life, a, b, c)
        except Exception as error:  # noqa: BLE001  see the module
            logger.opt(exception=error).error("operation {} of {} failed", op, cell.address, actor=cell.address)


def _signal(life: Life, address: str, message: Any, _: Any) -> None:
    kernel = life.cell.kernel
    to = kernel.resolve(address)
    if to is None:
        kernel.dead_letter(address, message, life.cell, DeadReason.UNKNOWN)
    else:
        to.signal(message, life.cell)


# A life that is over has no timers and no watches any more: its successor sets its own.


def _cancel_timer(life: Life, key: Any, _b: Any, _c: Any) -> None:
    life.cell.kernel.timers.cancel(life, key)


def _watch(life: Life, address: Any, _b: Any, _c: Any) -> None:
    if not life.over:
        watch.watch(life, address)


def _unwatch(life: Life, address: Any, _b: Any, _c: Any) -> None:
    if not life.over:
        watch.unwatch(life, address)


def _stop(life: Life, _a: Any, _b: Any, _c: Any) -> None:
    if not life.over:
        lifecycle.stop(life.cell, Stopping.OWN)


_PERFORM: Final[dict[int, Callable[[Life, Any, Any, Any], None]]] = {
    SIGNAL: _signal,
    CANCEL_TIMER: _cancel_timer,
    WATCH: _watch,
    UNWATCH: _unwatch,
    STOP: _stop,
}
