"""Looking at a system: snapshots of counts."""

from __future__ import annotations

from collections import Counter
from typing import final

from attrs import frozen

from .cell import Cell
from .kernel import Kernel
from .mailbox import waiting_count
from .timers import all_timers


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
    requests: int
    handling_age_ms: int | None


@final
@frozen
class SystemStatistics:
    """A system at one instant.

    Attributes:
        actors: Registered actors by state.
        handlings: How many asynchronous messages are being handled.
        requests: Requests without a reply.
        commits_in_flight: Owners with a commit that has no answer yet.
        dead_letters: Dead letters so far, by reason.
        merged: Messages that were merged into a waiting one.
        late_replies: Replies that nobody waited for any more.
    """

    actors: dict[str, int]
    ready: int
    handlings: int
    commits_in_flight: int
    timers: int
    requests: int
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
    life, extras = cell.life, cell.extras
    handling = life.handling if life else None
    return ActorStatistics(
        address=cell.address,
        state=cell.state.value if cell.stopping is None else f"{cell.state.value}, stopping",
        waiting=waiting_count(cell.queue) + len(extras.parked if extras else ()),
        waiting_control=len(cell.control or ()),
        handled=cell.handled,
        crashes=extras.crashes if extras else 0,
        restarts=extras.restarts if extras else 0,
        timers=len(all_timers(life)) if life else 0,
        watchers=len(extras.watchers) if extras else 0,
        requests=len(extras.requests) if extras else 0,
        handling_age_ms=None if handling is None else cell.kernel.clock.now_ms() - handling.started_ms,
    )


def system_statistics(kernel: Kernel[Cell]) -> SystemStatistics:
    """A snapshot of the whole. Walks over every registered actor."""
    return SystemStatistics(
        actors=dict(Counter(cell.state.value for cell in kernel.cells.values())),
        ready=len(kernel.ready),
        handlings=len(kernel.handlings),
        commits_in_flight=kernel.in_flight,
        timers=kernel.timers.armed_count,
        requests=len(kernel.requests),
        waiting=sum(waiting_count(cell.queue) + len(cell.control or ()) for cell in kernel.cells.values()),
        handled=kernel.handled,
        merged=kernel.merged,
        crashes=kernel.crashes,
        restarts=kernel.restarts,
        interrupted=kernel.interrupted,
        late_replies=kernel.late_replies,
        dead_letters={reason.value: count for reason, count in kernel.letters.counts.items()},
    )
