"""Supervision is data: no nested nurseries, one decision per crash, and a group is a list.

A crash ends the incarnation, with its timers and watches; the mailbox stays. The message that crashed it is tried
again if the spec allows, else it goes to the dead letters. The pure decision
(:func:`~wakeward.protocols.restart.decide_restart`) says when the actor comes back, or why it does not. It comes back
by itself, not at the next message: a factory that arms a timer must not have to wait for somebody to write.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never, final

from attrs import define
from loguru import logger

from ...protocols.actor import Cause
from ...protocols.restart import Exhausted, GiveUp, Restart, Strategy, decide_restart
from . import ask, lifecycle
from .cell import Cell, Closing, State
from .dead_letters import DeadReason
from .events import Edge
from .mailbox import new_queue
from .sender import Sender

if TYPE_CHECKING:
    from .handling import Turn


@final
@define(eq=False, repr=False)
class Group:
    """Actors that are restarted together, in this order."""

    strategy: Strategy
    members: list[Cell]

    def replace(self, member: Cell, successor: Cell) -> None:
        """An ended member was revived."""
        self.members[self.members.index(member)] = successor
        successor.the_book().group = self

    def affected_by(self, cell: Cell) -> list[Cell]:
        """Who shares the fate of ``cell``, itself included."""
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                return [cell]
            case Strategy.ONE_FOR_ALL:
                return list(self.members)
            case Strategy.REST_FOR_ONE:
                return self.members[self.members.index(cell) :]
            case _:
                assert_never(self.strategy)


def crashed(cell: Cell, error: BaseException, entry: tuple[Any, Sender] | None, *, control: bool) -> None:
    """An incarnation raised.

    Args:
        cell: Whose incarnation.
        error: What it raised.
        entry: The message it was handling and its sender; ``None`` when it was the factory.
        control: Whether that message came by the control lane.
    """
    _record(cell, error)
    _end_life(cell)
    decision = _decide(cell, crashed=True)
    again = isinstance(decision, Restart) and entry is not None and _try_again(cell, entry, control=control)
    if entry is not None and not again:
        cell.the_book().attempts = 0
        cell.kernel.bury(cell, entry[0], entry[1], DeadReason.CRASHED, error)
    if cell.book is not None and cell.book.asks:
        ask.fail_taken(cell, f"crashed: {error!r}", error)
    if isinstance(decision, GiveUp):
        _give_up(cell, decision, error)
    elif cell.closing is not None and not cell.queue and not cell.control:
        lifecycle.terminate(cell, Cause.CRASHED, error)
    else:
        _restart(cell, decision.at_ms)


def turn_crashed(turn: Turn, error: BaseException) -> None:
    """A turn left with an exception that is no cancel of ours."""
    cell = turn.cell
    if cell.closing is Closing.KILL:
        _record(cell, error)
        turn.sender.lost("killed", error)
        lifecycle.terminate(cell, Cause.KILLED, error)
        return
    crashed(cell, error, (turn.message, turn.sender), control=turn.control)


def stopped_itself(cell: Cell) -> None:
    """An actor finished its accepted messages after ``Context.stop()``: a permanent one comes back."""
    decision = _decide(cell, crashed=False)
    if isinstance(decision, GiveUp):
        lifecycle.terminate(cell, Cause.STOPPED)
        return
    if cell.life is not None:
        cell.life.on_stop()
    _end_life(cell)
    cell.closing = None
    _restart(cell, decision.at_ms)


def come_back(cell: Cell, at_ms: int) -> None:
    """Begin a new life at an instant; until then messages wait."""
    kernel, book = cell.kernel, cell.the_book()
    _end_life(cell)
    if book.comeback is not None:
        kernel.timers.disarm(book.comeback)
        book.comeback = None
    cell.state = State.BACKOFF
    cell.scheduled = True
    if cell.closing is None and kernel.open:
        cell.room = cell.spec.room
    if at_ms <= kernel.clock.now_ms():
        _return(cell)
        return
    kernel.backoffs[cell] = None
    book.comeback = kernel.timers.arm_alarm(at_ms, partial(_return, cell))


def _return(cell: Cell) -> None:
    cell.the_book().comeback = None
    cell.state = State.RESTARTING
    cell.kernel.backoffs.pop(cell, None)
    if cell.queued:  # since before its group restarted: its place is behind the members before it
        cell.queued = False
        cell.kernel.ready.remove(cell)
    cell.kernel.resume(cell)


def _record(cell: Cell, error: BaseException) -> None:
    kernel, book = cell.kernel, cell.the_book()
    kernel.crashes += 1
    book.crashes += 1
    spec = cell.spec.restart
    kept = spec.restarts_max if spec.exhausted is Exhausted.ESCALATE else 0
    book.errors = [*book.errors[-kept:], error] if kept else [error]
    logger.opt(exception=error).error("{} crashed: {!r}", cell.address, error, actor=cell.address)
    kernel.observe(Edge.CRASHED, cell.address, error)


def _end_life(cell: Cell) -> None:
    if cell.life is not None:
        cell.life.end()
        cell.life = None


def _decide(cell: Cell, *, crashed: bool) -> Restart | GiveUp:
    kernel, book = cell.kernel, cell.the_book()
    decision = decide_restart(
        cell.spec.restart, book.history, now_ms=kernel.clock.now_ms(), crashed=crashed, roll=kernel.roll()
    )
    if isinstance(decision, Restart):
        book.history = decision.history
    return decision


def _try_again(cell: Cell, entry: tuple[Any, Sender], *, control: bool) -> bool:
    book = cell.the_book()
    if book.attempts >= cell.spec.restart.retries_max or entry[1].exempt:  # a tick belongs to the life that armed it
        return False
    book.attempts += 1
    if control:
        if cell.control is None:
            cell.control = deque()
        cell.control.appendleft(entry)
    else:
        if cell.queue is None:
            cell.queue = new_queue(cell.spec.mailbox)
        cell.queue.extendleft((entry[1], entry[0]))
    return True


def _restart(cell: Cell, at_ms: int) -> None:
    group = cell.the_book().group
    for member in [cell] if group is None else group.affected_by(cell):
        if member is cell:
            come_back(cell, at_ms)
        elif member.state is State.TURN:
            assert member.life is not None
            assert member.life.turn is not None
            member.life.turn.restart_at_ms = at_ms
            member.life.turn.cancel(f"restarts with {cell.address}")
        elif member.state in {State.ACTIVE, State.BACKOFF, State.RESTARTING}:
            ask.fail_taken(member, f"restarts with {cell.address}", None)
            come_back(member, at_ms)


def _give_up(cell: Cell, decision: GiveUp, error: BaseException) -> None:
    kernel, book = cell.kernel, cell.the_book()
    logger.error("{} is given up: {}", cell.address, decision.reason, actor=cell.address)
    others = [] if book.group is None else book.group.affected_by(cell)
    if decision.exhausted and cell.spec.restart.exhausted is Exhausted.ESCALATE:
        kernel.escalate(BaseExceptionGroup(f"{cell.address}: {decision.reason}", book.errors))
    lifecycle.terminate(cell, Cause.CRASHED, error)
    for member in others:
        lifecycle.kill(member)
