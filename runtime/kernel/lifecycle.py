"""Birth, sleep and end of an actor: activation, turns, passivation, and the three verbs stop, interrupt and kill."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from ...protocols.actor import Cause
from . import ask, watch
from .cell import Cell, Closing, State
from .dead_letters import DeadReason
from .events import Edge
from .incarnation import Incarnation
from .mailbox import waiting

if TYPE_CHECKING:
    from .handling import Turn


def activate(cell: Cell) -> None:
    """Begin a life. What the factory raises is a crash, for the caller to handle."""
    life = Incarnation(cell)
    try:
        life.behaviour = behaviour = cell.spec.factory(life)
        life.receive = behaviour.receive
    except BaseException:
        life.end()
        raise
    if cell.state is State.STOPPED:  # its own factory had it killed
        life.end()
        return
    restarted = cell.state is State.RESTARTING
    cell.life = life
    cell.state = State.ACTIVE
    if restarted:
        cell.kernel.restarts += 1
        cell.the_book().restarts += 1
    cell.kernel.observe(Edge.RESTARTED if restarted else Edge.ACTIVATED, cell.address)


def enter_turn(cell: Cell, turn: Turn) -> None:
    """An asynchronous message begins; the turn comes back to the cell when it ends."""
    assert cell.life is not None
    cell.state = State.TURN
    cell.life.turn = turn
    cell.kernel.turns[cell] = turn


def leave_turn(cell: Cell) -> None:
    """The turn is over, however it ended."""
    assert cell.life is not None
    del cell.kernel.turns[cell]
    cell.life.turn = None
    cell.state = State.ACTIVE
    cell.handled += 1
    cell.kernel.handled += 1


def carry_on(cell: Cell) -> None:
    """After a turn: on with the next message, unless the actor was killed meanwhile."""
    if cell.closing is Closing.KILL:
        terminate(cell, Cause.KILLED)
        return
    if cell.book is not None:
        cell.book.attempts = 0
    cell.kernel.resume(cell)


def stop(cell: Cell, *, own: bool = False) -> bool:
    """Refuse new messages, finish the accepted ones, then end. False when it is ending already."""
    if cell.closing is Closing.OWN_STOP and not own:
        cell.closing = Closing.STOP  # even a permanent actor must not come back from this
        return True
    if cell.state is State.STOPPED or cell.closing is not None:
        return False
    cell.closing = Closing.OWN_STOP if own else Closing.STOP
    cell.room = 0
    for parked in list(cell.book.parked if cell.book else ()):
        parked.lost("stopped", None)
    if cell.state is State.BACKOFF and not cell.queue and not cell.control:
        terminate(cell, Cause.STOPPED)
    elif not cell.scheduled:
        cell.kernel.schedule(cell)
    return True


def interrupt(cell: Cell) -> bool:
    """Cancel the running turn, and nothing else. False when there is none."""
    if cell.life is None or cell.life.turn is None:
        return False
    cell.life.turn.cancel("interrupt")
    return True


def kill(cell: Cell, cause: Cause = Cause.KILLED) -> bool:
    """End now: what waits goes to the dead letters, a running turn is cancelled and ends the actor when it is over.
    False when the actor is dead or dying of it already.
    """
    if cell.state is State.STOPPED or cell.closing is Closing.KILL:
        return False
    if cell.state is not State.TURN:
        terminate(cell, cause)
        return True
    assert cell.life is not None
    assert cell.life.turn is not None
    cell.closing = Closing.KILL
    cell.room = 0
    _abandon(cell, _left_behind(cause))
    ask.fail_all(cell, cause.value, None)
    cell.life.turn.cancel(cause.value)
    return True


def passivate(cell: Cell) -> bool:
    """Put an idle actor to sleep; its next message wakes a new life. False when it is not idle: it has work, an armed
    timer, a watch, or a request to answer.
    """
    life = cell.life
    if life is None or cell.scheduled or life.timers is not None or life.watching or (cell.book and cell.book.asks):
        return False
    life.on_stop()
    if cell.scheduled or cell.life is not life:  # on_stop sent it something
        return False
    life.end()
    cell.life = None
    cell.state = State.DORMANT
    cell.kernel.observe(Edge.PASSIVATED, cell.address)
    return True


def fall_idle(cell: Cell) -> None:
    """Nothing waits: let the mailbox go, and begin to count the time to passivation."""
    cell.queue = None
    cell.control = None
    cell.scheduled = False
    after_ms, life = cell.spec.passivate_after_ms, cell.life
    if after_ms is not None and life is not None:
        life.idle_from_ms = cell.kernel.clock.now_ms()
        if life.nap is None:
            life.nap = cell.kernel.timers.arm_alarm(life.idle_from_ms + after_ms, partial(_nap, life, after_ms))


def terminate(cell: Cell, cause: Cause, error: BaseException | None = None) -> None:
    """End an actor for good, in one step: nothing is handled after it."""
    life, book = cell.life, cell.the_book()
    if life is not None and cause in {Cause.STOPPED, Cause.DRAINED}:
        life.on_stop()
    cell.state = State.STOPPED
    cell.life = cell.closing = None
    cell.room = 0
    cell.scheduled = False
    if life is not None:
        life.end()
    if book.comeback is not None:
        cell.kernel.timers.disarm(book.comeback)
        book.comeback = None
    cell.kernel.backoffs.pop(cell, None)
    _abandon(cell, _left_behind(cause))
    ask.fail_all(cell, cause.value, error)
    book.ended = (cause, error)
    cell.kernel.entomb(cell)
    watch.announce(cell)
    cell.kernel.observe(Edge.STOPPED, cell.address, watch.obituary(cell))
    if book.end_event is not None:
        book.end_event.set()


def _nap(life: Incarnation, after_ms: int) -> None:
    life.nap = None
    cell = life.cell
    if life.over or cell.scheduled:
        return  # falling idle begins anew
    now_ms = cell.kernel.clock.now_ms()
    due_ms = life.idle_from_ms + after_ms
    if now_ms >= due_ms:
        if passivate(cell):
            return
        due_ms = now_ms + after_ms
    life.nap = cell.kernel.timers.arm_alarm(due_ms, partial(_nap, life, after_ms))


def _abandon(cell: Cell, reason: DeadReason) -> None:
    left = [*(cell.control or ()), *waiting(cell.queue)]
    for lane in (cell.control, cell.queue):
        if lane is not None:
            lane.clear()
    cell.ticks = 0
    for message, sender in left:
        if not sender.exempt:
            cell.kernel.bury(cell, message, sender, reason)


def _left_behind(cause: Cause) -> DeadReason:
    match cause:
        case Cause.STOPPED | Cause.UNKNOWN | Cause.KILLED:
            return DeadReason.KILLED
        case Cause.CRASHED:
            return DeadReason.GAVE_UP
        case Cause.DRAINED:
            return DeadReason.DRAINED
        case _:
            assert_never(cause)
