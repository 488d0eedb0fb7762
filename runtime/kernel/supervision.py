"""Supervision is data: no nested nurseries, one decision per crash, and a group is a list.

A crash ends the life of the actor, with its timers and watches; the mailbox stays. The message that crashed it is tried
again if the spec allows, else it goes to the dead letters. The pure decision
(:func:`~wakeward.protocols.restart.decide_restart`) says when the actor is restarted, or why not. It is restarted
without waiting for a message: a factory that arms a timer must not have to wait for somebody to write.

A new life starts from what is committed, so a restart that is due while commits of the actor are in flight waits for
them (:mod:`.commits`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from loguru import logger

from ...protocols.actor import Cause
from ...protocols.restart import Exhausted, GiveUp, Restart, decide_restart
from . import ask, lifecycle
from .cell import Cell, Handling, State
from .dead_letters import DeadReason
from .events import Edge
from .sender import Sender

_RESTARTABLE: Final = frozenset({State.IDLE, State.READY, State.BACKOFF, State.RESTARTING})
"""Where a member of a group is restarted at once. One that has not begun, or is ending, is left alone."""


def crashed(cell: Cell, error: BaseException, entry: tuple[Any, Sender] | None, *, control: bool) -> None:
    """An actor raised.

    Args:
        cell: Which one.
        error: What it raised.
        entry: The message it was handling and its sender; ``None`` when it was the factory.
        control: Whether that message came by the control lane.
    """
    _record(cell, error)
    _end_life(cell)  # before anybody is told: its timers and watches must not fire in between
    decision = _decide(cell, crashed=True)
    # Put back before the requests are failed: those that still wait in the mailbox are kept, this one included.
    again = isinstance(decision, Restart) and entry is not None and _try_again(cell, entry, control=control)
    if entry is not None and not again:
        cell.need_extras().attempts = 0
        cell.kernel.dead_letter(cell.address, entry[0], entry[1], DeadReason.CRASHED, error)
    ask.fail_taken(cell, f"crashed: {error!r}", error)
    if cell.state is State.STOPPED:
        return  # an observer that was told of the crash has killed it
    if isinstance(decision, GiveUp):
        _give_up(cell, decision, error)
    # A crash while stopping does not lose the rest: with mail it is restarted to finish what it accepted.
    elif cell.stopping is not None and not cell.has_mail:
        lifecycle.terminate(cell, Cause.CRASHED, error)
    else:
        _restart_group(cell, decision.at_ms)


def handling_crashed(handling: Handling, error: BaseException) -> None:
    """The handling of a message left with an exception that is no cancel of ours."""
    cell = handling.cell
    if cell.state is State.KILLING:
        _record(cell, error)
        handling.sender.lost("killed", error)
        lifecycle.terminate(cell, Cause.KILLED, error)
        return
    crashed(cell, error, (handling.message, handling.sender), control=handling.control)


def stopped_itself(cell: Cell) -> None:
    """An actor has finished its accepted messages after ``Context.stop()``: a permanent one is restarted."""
    decision = _decide(cell, crashed=False)
    if isinstance(decision, GiveUp):
        lifecycle.terminate(cell, Cause.STOPPED)
        return
    if cell.life is not None:
        lifecycle.call_on_stop(cell.life)
    # It is permanent, so its stop was not for good: messages are taken again.
    cell.stopped_itself()
    _restart_group(cell, decision.at_ms)


def restart_at(cell: Cell, at_ms: int) -> None:
    """Begin a new life at an instant; until then messages wait."""
    kernel, extras = cell.kernel, cell.need_extras()
    back_off(cell)
    # Without an alarm where no time passes: members of a group must come into the ready-queue in their order.
    if at_ms <= kernel.clock.now_ms():
        _restart_due(cell)
    else:
        extras.restart_alarm = kernel.timers.arm_alarm(at_ms, partial(_restart_due, cell))


def back_off(cell: Cell) -> None:
    """End the present life, or the wait for the next one. The caller sees to it that the next one begins."""
    _end_life(cell)
    extras = cell.need_extras()
    if extras.restart_alarm is not None:
        cell.kernel.timers.disarm(extras.restart_alarm)
        extras.restart_alarm = None
    cell.back_off()


def _restart_due(cell: Cell) -> None:
    cell.need_extras().restart_alarm = None
    if cell.kernel.may_restart(cell):
        cell.restart()


def _record(cell: Cell, error: BaseException) -> None:
    kernel, extras = cell.kernel, cell.need_extras()
    kernel.crashes += 1
    extras.crashes += 1
    spec = cell.spec.restart
    # An escalation raises every exception that led to it; otherwise only the latest is of use, and exceptions hold
    # frames.
    kept = spec.intensity if spec.exhausted is Exhausted.ESCALATE else 0
    extras.errors = [*extras.errors[-kept:], error] if kept else [error]
    logger.opt(exception=error).error("{} crashed: {!r}", cell.address, error, actor=cell.address)
    kernel.observe(Edge.CRASHED, cell.address, error)


def _end_life(cell: Cell) -> None:
    if cell.life is not None:
        cell.life.end()


def _decide(cell: Cell, *, crashed: bool) -> Restart | GiveUp:
    kernel, extras = cell.kernel, cell.need_extras()
    decision = decide_restart(
        cell.spec.restart, extras.history, now_ms=kernel.clock.now_ms(), crashed=crashed, draw=kernel.draw()
    )
    # Only a restart counts for the window: whoever is given up has no next one.
    if isinstance(decision, Restart):
        extras.history = decision.history
    return decision


def _try_again(cell: Cell, entry: tuple[Any, Sender], *, control: bool) -> bool:
    extras = cell.need_extras()
    if extras.attempts >= cell.spec.restart.retries_max or entry[1].exempt:  # a timer belongs to the life that armed it
        return False
    extras.attempts += 1
    cell.put_back([entry], control=control)
    return True


def _restart_group(cell: Cell, at_ms: int) -> None:
    group = cell.need_extras().group
    for member in [cell] if group is None else group.affected_by(cell):
        if member is cell:  # even one that has no life, because its factory raised
            restart_at(cell, at_ms)
        # Its cleanup may still run: it begins again when its task has ended, not beside it.
        elif member.state is State.HANDLING:
            assert member.life is not None
            assert member.life.handling is not None
            member.life.handling.restart_at_ms = at_ms
            member.life.handling.cancel(f"restarts with {cell.address}")
        elif member.state in _RESTARTABLE:
            ask.fail_taken(member, f"restarts with {cell.address}", None)
            restart_at(member, at_ms)


def _give_up(cell: Cell, decision: GiveUp, error: BaseException) -> None:
    kernel, extras = cell.kernel, cell.need_extras()
    logger.error("{} is given up: {}", cell.address, decision.reason, actor=cell.address)
    # Before the end: a revived actor takes the place of this one in the group.
    others = [] if extras.group is None else extras.group.affected_by(cell)
    if decision.exhausted and cell.spec.restart.exhausted is Exhausted.ESCALATE:
        kernel.escalate(BaseExceptionGroup(f"{cell.address}: {decision.reason}", extras.errors))
    lifecycle.terminate(cell, Cause.CRASHED, error)
    for member in others:
        lifecycle.kill(member)
