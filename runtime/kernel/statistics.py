"""Looking at a system: snapshots of counts, and a page for the person in front of a stuck host."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

from attrs import frozen

from .cell import Cell
from .mailbox import waiting_count

if TYPE_CHECKING:
    from .kernel import Kernel


@final
@frozen
class ActorStatistics:
    """One actor at one instant. ``handled`` is brought up to date after each activation."""

    address: str
    state: str
    waiting: int
    waiting_control: int
    handled: int
    crashes: int
    restarts: int
    timers: int
    watchers: int
    asks: int
    turn_age_ms: int | None


@final
@frozen
class SystemStatistics:
    """A system at one instant.

    Attributes:
        actors: Registered actors by state.
        dead_letters: Dead letters so far, by reason.
        merged: Messages that were merged into a waiting one.
        late_replies: Replies that nobody waited for any more.
    """

    actors: dict[str, int]
    ready: int
    turns: int
    timers: int
    asks: int
    waiting: int
    handled: int
    merged: int
    crashes: int
    restarts: int
    interrupted: int
    late_replies: int
    dead_letters: dict[str, int]


def actor_statistics(cell: Cell) -> ActorStatistics:
    """A snapshot of one actor."""
    life, book = cell.life, cell.book
    turn = life.turn if life else None
    return ActorStatistics(
        address=cell.address,
        state=cell.state.value if cell.closing is None else f"{cell.state.value}, closing",
        waiting=waiting_count(cell.queue) + len(book.parked if book else ()),
        waiting_control=len(cell.control or ()),
        handled=cell.handled,
        crashes=book.crashes if book else 0,
        restarts=book.restarts if book else 0,
        timers=len(life.all_timers()) if life else 0,
        watchers=len(book.watchers) if book else 0,
        asks=len(book.asks) if book else 0,
        turn_age_ms=None if turn is None else cell.kernel.clock.now_ms() - turn.started_ms,
    )


def system_statistics(kernel: Kernel) -> SystemStatistics:
    """A snapshot of the whole. Walks over every registered actor."""
    return SystemStatistics(
        actors=dict(Counter(cell.state.value for cell in kernel.cells.values())),
        ready=len(kernel.ready),
        turns=len(kernel.turns),
        timers=kernel.timers.armed_count,
        asks=len(kernel.asks.outstanding),
        waiting=sum(waiting_count(cell.queue) + len(cell.control or ()) for cell in kernel.cells.values()),
        handled=kernel.handled,
        merged=kernel.merged,
        crashes=kernel.crashes,
        restarts=kernel.restarts,
        interrupted=kernel.interrupted,
        late_replies=kernel.late_replies,
        dead_letters={reason.value: count for reason, count in kernel.letters.counts.items()},
    )
