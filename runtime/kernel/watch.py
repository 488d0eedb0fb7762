"""Watching: a watcher gets :class:`Terminated` once, in its control lane, also for the already dead.

A watch belongs to the watcher's incarnation, as an Erlang monitor belongs to the process: it ends with it, and the
factory of the next one watches again if it wants to. A watch does not make the watched actor active.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ...protocols.actor import Cause, Terminated
from .cell import Cell, State
from .sender import OUTSIDE

if TYPE_CHECKING:
    from .incarnation import Incarnation


def watch(watcher: Incarnation, address: str) -> None:
    """From now on, and at once when there is nothing to wait for."""
    kernel = watcher.cell.kernel
    watched = kernel.resolve(address)
    if watched is None:
        watcher.cell.signal(Terminated(address, Cause.UNKNOWN), OUTSIDE)
    elif watched.state is State.STOPPED:
        watcher.cell.signal(obituary(watched), watched)
    else:
        if watcher.watching is None:
            watcher.watching = {}
        watcher.watching[watched] = None
        watched.the_book().watchers[watcher.cell] = None


def unwatch(watcher: Incarnation, address: str) -> None:
    """Take the watch back, and the news too if it still waits."""
    for watched in list(watcher.watching or ()):
        if watched.address == address:
            _part(watcher, watched)
    _forget_news(watcher.cell, address)


def unwatch_all(watcher: Incarnation) -> None:
    """The watcher's life is over."""
    for watched in list(watcher.watching or ()):
        _part(watcher, watched)


def announce(ended: Cell) -> None:
    """Tell the watchers of an actor that has ended."""
    book = ended.book
    if book is None or not book.watchers:
        return
    news = obituary(ended)
    watchers, book.watchers = book.watchers, {}
    if ended.kernel.closed:
        return
    for cell in watchers:
        if cell.life is not None and cell.life.watching is not None:
            cell.life.watching.pop(ended, None)
        cell.signal(news, ended)


def obituary(ended: Cell) -> Terminated:
    """How an actor ended."""
    cause, error = (ended.book and ended.book.ended) or (Cause.UNKNOWN, None)
    return Terminated(ended.address, cause, error)


def _part(watcher: Incarnation, watched: Cell) -> None:
    assert watcher.watching is not None
    del watcher.watching[watched]
    if watched.book is not None:
        watched.book.watchers.pop(watcher.cell, None)


def _forget_news(cell: Cell, address: str) -> None:
    if cell.control:
        cell.control = deque(
            entry for entry in cell.control if not (isinstance(entry[0], Terminated) and entry[0].address == address)
        )
