"""Death watch: a watcher gets :class:`Terminated` once, in its control lane, also for an actor that has ended already.

A watch belongs to the watcher's life, as an Erlang monitor belongs to the process: it ends with it, and the factory of
the next life watches again if it wants to. A watch does not activate the watched actor.
"""

from __future__ import annotations

from collections import deque

from ...protocols.actor import Cause, Terminated
from .cell import Cell, Life, State
from .sender import OUTSIDE


def watch(watcher: Life, address: str) -> None:
    """Tell ``watcher`` when that actor ends, at once when it has ended."""
    watched = watcher.cell.kernel.resolve(address)
    if watched is None:
        watcher.cell.signal(Terminated(address, Cause.UNKNOWN), OUTSIDE)
    elif watched.state is State.STOPPED:
        watcher.cell.signal(terminated(watched), watched)
    else:
        if watcher.watching is None:
            watcher.watching = {}
        watcher.watching[watched] = None
        watched.need_extras().watchers[watcher.cell] = None


def unwatch(watcher: Life, address: str) -> None:
    """Take the watch back, and the message too if it still waits."""
    for watched in list(watcher.watching or ()):
        if watched.address == address:
            watcher.forget_watch(watched)
    # What waits is taken back as well: after unwatch returns, no Terminated of that actor arrives.
    control = watcher.cell.control
    if control:
        watcher.cell.control = deque(
            entry for entry in control if not (isinstance(entry[0], Terminated) and entry[0].address == address)
        )


def tell_watchers(ended: Cell) -> None:
    """Tell the watchers of an actor that has ended."""
    extras = ended.extras
    if extras is None or not extras.watchers:
        return
    message = terminated(ended)
    watchers = list(extras.watchers)
    extras.watchers.clear()
    # The watchers end too, and to tell them would only make dead letters.
    if ended.kernel.closed:
        return
    for cell in watchers:
        if cell.life is not None and cell.life.watching is not None:
            cell.life.watching.pop(ended, None)
        cell.signal(message, ended)


def terminated(ended: Cell) -> Terminated:
    """How an actor ended."""
    cause, error = (ended.extras and ended.extras.ended) or (Cause.UNKNOWN, None)
    return Terminated(ended.address, cause, error)
