"""Passivation and end of an actor, and the three verbs stop, interrupt and kill."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never, cast

from loguru import logger

from ...protocols.actor import Cause
from . import ask, watch
from .cell import Cell, Life, State, Stopping
from .dead_letters import DeadReason
from .events import Edge


def stop(cell: Cell, why: Stopping = Stopping.ASKED) -> bool:
    """Refuse new messages, finish the accepted ones, then end. False when it is ending already."""
    if cell.stopping is Stopping.OWN and why is Stopping.ASKED:
        cell.stop(why)  # now it is not restarted after its end, even if it is permanent
        return True
    if cell.state is State.STOPPED or cell.state is State.KILLING or cell.stopping is not None:
        return False
    cell.stop(why)
    # They were never accepted, so they are not among what a stopping actor finishes.
    for parked in list(cell.extras.parked if cell.extras else ()):
        parked.lost("stopped", None)
    # Nothing is left to finish, so the end does not wait for the restart.
    if cell.state is State.BACKOFF and not cell.has_mail:
        terminate(cell, Cause.STOPPED)
    else:
        cell.arrived()
    return True


def interrupt(cell: Cell) -> bool:
    """Cancel the handling of an asynchronous message, and nothing else. False when there is none."""
    if cell.life is None or cell.life.handling is None:
        return False
    cell.life.handling.cancel("interrupt")
    return True


def kill(cell: Cell, cause: Cause = Cause.KILLED, reason: DeadReason | None = None) -> bool:
    """End now: what waits goes to the dead letters. An asynchronous message is cancelled, and the actor ends when that
    is over. False when the actor has ended, or is being killed already.

    Args:
        cell: The actor.
        cause: What its watchers are told.
        reason: Why what waits is not handled; by default what follows from ``cause``.
    """
    if cell.state is State.STOPPED or cell.state is State.KILLING:
        return False
    if cell.state is not State.HANDLING:
        terminate(cell, cause, reason=reason)
        return True
    assert cell.life is not None
    assert cell.life.handling is not None
    cell.kill_handling()
    _abandon(cell, reason or _reason_of(cause))
    ask.fail_all(cell, cause.value, None)
    cell.life.handling.cancel(cause.value)
    return True


def passivate(cell: Cell) -> bool:
    """Let the life of an idle actor end; its next message begins another. False when it is not idle: it has work, an
    armed timer, a watch, a request to answer, or a commit in flight.
    """
    life = cell.life
    # Timers and watches end with the life, so an actor that has one is not idle, however long it rests.
    if life is None or cell.state is not State.IDLE or life.timers is not None or life.watching:
        return False
    if life.in_flight or (cell.extras is not None and cell.extras.requests):
        return False
    call_on_stop(life)
    if cell.state is not State.IDLE:  # on_stop sent it something: the life goes on, and on_stop is called again
        return False
    life.end()
    cell.passivate()
    cell.kernel.observe(Edge.PASSIVATED, cell.address)
    return True


def await_passivation(cell: Cell, life: Life, after_ms: int) -> None:
    """An actor rests: count the time to its passivation from now on."""
    life.idle_from_ms = cell.kernel.clock.now_ms()
    # An alarm that is armed is left: moving it at each message would cost more than to look again when it fires.
    if life.passivation is None:
        due_ms = life.idle_from_ms + after_ms
        life.passivation = cell.kernel.timers.arm_alarm(due_ms, partial(_passivation_due, life, after_ms))


def terminate(
    cell: Cell, cause: Cause, error: BaseException | None = None, *, reason: DeadReason | None = None
) -> None:
    """End an actor for good, in one step: nothing is handled after it."""
    life, extras = cell.life, cell.need_extras()
    # on_stop first: it may still send, and is the last thing that this life does.
    if life is not None and cause in {Cause.STOPPED, Cause.DRAINED}:
        call_on_stop(life)
    cell.end()
    if life is not None:
        life.end()
    if extras.restart_alarm is not None:
        cell.kernel.timers.disarm(extras.restart_alarm)
        extras.restart_alarm = None
    # The mailbox before the requests: a request that still waits fails with the reason of its dead letter.
    _abandon(cell, reason or _reason_of(cause))
    ask.fail_all(cell, cause.value, error)
    extras.ended = (cause, error)
    cell.kernel.remember_ended(cell)
    watch.tell_watchers(cell)
    cell.kernel.observe(Edge.STOPPED, cell.address, watch.terminated(cell))
    # Last: whoever waits for the end finds it complete.
    if extras.end_event is not None:
        extras.end_event.set()


def call_on_stop(life: Life) -> None:
    """Call the behaviour's ``on_stop``, if it has one. Its failure is logged and changes nothing."""
    hook = cast("Callable[[], None] | None", getattr(life.behaviour, "on_stop", None))
    if hook is None:
        return
    try:
        hook()
    except Exception as error:  # noqa: BLE001  it ends anyway
        address = life.cell.address
        logger.opt(exception=error).error("on_stop of {} failed", address, actor=address)


def _passivation_due(life: Life, after_ms: int) -> None:
    life.passivation = None
    cell = life.cell
    if life.over or cell.state is not State.IDLE:
        return  # when it rests again, the time is counted again
    now_ms = cell.kernel.clock.now_ms()
    due_ms = life.idle_from_ms + after_ms
    if now_ms >= due_ms:
        if passivate(cell):
            return
        # It is idle but has a timer, a watch, a request or a commit: look again after the whole time.
        due_ms = now_ms + after_ms
    life.passivation = cell.kernel.timers.arm_alarm(due_ms, partial(_passivation_due, life, after_ms))


def _abandon(cell: Cell, reason: DeadReason) -> None:
    for message, sender in cell.empty():
        cell.kernel.dead_letter(cell.address, message, sender, reason)


def _reason_of(cause: Cause) -> DeadReason:
    match cause:
        case Cause.STOPPED | Cause.UNKNOWN | Cause.KILLED:
            return DeadReason.KILLED
        case Cause.CRASHED:
            return DeadReason.GAVE_UP
        case Cause.DRAINED:
            return DeadReason.DRAINED
        case _:
            assert_never(cause)
