"""ask: a request and its one reply.

The reply never travels through a mailbox: the request carries a one-shot callable that wakes the asking task. So an
answer cannot be refused, cannot wait behind other messages, and cannot be mistaken for a message when it is late: a
late reply finds the request settled, is counted, and that is all.

A request that finds the mailbox full waits for room, under the same deadline as for the reply; it is parked beside the
mailbox, in order, and leaves at once when its asker does. A request whose asker left while it was in the mailbox is
skipped at delivery.

Every request is known to the asked actor, which is how its end fails them all at once, and to the system, which is how
the default deadline needs one alarm instead of one per request: with one deadline for all, they expire in the order
in which they were made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Any, ClassVar, Generic, TypeVar, final

import trio
from attrs import define

from .cell import Cell, Handling
from .current import present_handling
from .dead_letters import DeadReason
from .errors import AskCycleError, AskFailedError, AskRefusedError, AskTimeoutError
from .kernel import Kernel
from .mailbox import waiting
from .sender import OUTSIDE, Request

T = TypeVar("T")


@final
@define(eq=False, repr=False, weakref_slot=False)
class Ask(Request, Generic[T]):
    """One request on its way; to the asked actor it is the reply. See :class:`~wakeward.protocols.actor.Reply`."""

    special: ClassVar[bool] = True

    callee: Cell
    asker: Handling | None
    task: trio.lowlevel.Task
    callee_address: str
    due_ms: int
    settled: bool = False
    waiting: bool = False
    value: Any = None
    error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<reply of {self.callee_address} to {self.label()}>"

    def __call__(self, value: T, /) -> bool:
        """Answer. True when somebody was still waiting."""
        if self.settled:
            self.callee.kernel.late_replies += 1
            return False
        self.value = value
        self._settle()
        return True

    def fail(self, error: BaseException, /) -> bool:
        """Let the asker's ``ask`` raise ``error``. True when somebody was still waiting."""
        if self.settled:
            self.callee.kernel.late_replies += 1
            return False
        self.error = error
        self._settle()
        return True

    def label(self) -> str:
        """Who asks."""
        return OUTSIDE.label() if self.asker is None else self.asker.cell.address

    def claim(self) -> bool:
        """Whether the asker is still there."""
        return not self.settled

    def lost(self, detail: str, error: BaseException | None) -> None:
        """The request will not be handled, or not to its end."""
        if not self.settled:
            failure = AskFailedError(f"ask of {self.callee_address!r}: {detail}")
            failure.__cause__ = error
            self.fail(failure)

    def expire(self) -> None:
        """The default deadline has passed."""
        deadline_ms = self.callee.kernel.ask_deadline_ms
        self.fail(AskTimeoutError(f"ask of {self.callee_address!r}: no reply within {deadline_ms} ms"))

    def abandon(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """The asker's task was cancelled."""
        # What waits in the mailbox is left there: claim() says at delivery that nobody wants it any more.
        self.waiting = False
        self._settle()
        return trio.lowlevel.Abort.SUCCEEDED

    def _settle(self) -> None:
        # The only place where a request ends, so no book can be left out and a late reply finds it settled.
        self.settled = True
        extras = self.callee.need_extras()
        extras.requests.pop(self, None)
        extras.parked.pop(self, None)
        self.callee.kernel.requests.pop(self, None)
        if self.asker is not None:
            self.asker.requests.pop(self, None)
        if self.waiting:  # else the task has not begun to wait, or was cancelled: to reschedule it would be an error
            self.waiting = False
            trio.lowlevel.reschedule(self.task)


async def request(callee: Cell, make: Callable[[Ask[T]], Any]) -> T:
    """Send what ``make`` returns and wait for the reply."""
    # A ref may have outlived its actor; the books of the request must be those of the one that answers.
    callee = callee.present()
    kernel = callee.kernel
    asker = present_handling(kernel)
    if asker is not None:
        _refuse_cycle(asker, callee)
    due_ms = kernel.clock.now_ms() + kernel.ask_deadline_ms
    # Ask[T](...) takes a microsecond more than Ask(...).
    ask: Ask[T] = Ask(callee, asker, trio.lowlevel.current_task(), callee.address, due_ms)
    message = make(ask)
    if not ask.settled:  # make() may have answered it itself
        _submit(callee, message, ask)
    if ask.settled:
        # A checkpoint all the same, but not a cancellable one: the answer is here and must not be lost.
        await trio.lowlevel.cancel_shielded_checkpoint()
    else:
        ask.waiting = True
        await trio.lowlevel.wait_task_rescheduled(ask.abandon)
    if ask.error is not None:
        raise ask.error
    return ask.value


def admit_parked(callee: Cell) -> None:
    """Let parked requests in, in order, as far as there is room."""
    assert callee.extras is not None
    parked = callee.extras.parked
    for ask in list(parked):
        # At the first that finds no room: to try the others would let them overtake it.
        if not _put(callee, parked[ask], ask):
            return
        del parked[ask]


def fail_all(callee: Cell, detail: str, error: BaseException | None) -> None:
    """The asked actor is no more."""
    for ask in list(callee.extras.requests if callee.extras else ()):
        ask.lost(detail, error)


def fail_taken(callee: Cell, detail: str, error: BaseException | None) -> None:
    """The asked actor has forgotten the requests it had taken; those that still wait in its mailbox are kept."""
    if callee.extras is None or not callee.extras.requests:
        return
    # Walks over the whole mailbox, but only after a crash of an actor that somebody asks.
    in_mailbox = {sender for _, sender in (*waiting(callee.queue), *(callee.control or ()))}
    for ask in list(callee.extras.requests):
        if ask not in in_mailbox and ask not in callee.extras.parked:
            ask.lost(detail, error)


def _refuse_cycle(asker: Handling, callee: Cell) -> None:
    seen: set[Cell] = set()
    path = [callee]
    while path:
        cell = path.pop()
        if cell is asker.cell:
            raise AskCycleError(
                f"{asker.cell.address!r} asks {callee.address!r}, which waits for {asker.cell.address!r} already"
                if cell is not callee
                else f"{callee.address!r} asks itself and could never answer"
            )
        if cell not in seen and cell.life is not None and cell.life.handling is not None:
            seen.add(cell)
            # Only asynchronous messages can wait for a reply, so the handlings are all the edges there are.
            asked = [cell.kernel.cells.get(ask.callee_address) for ask in cell.life.handling.requests]
            path.extend(cell for cell in asked if cell is not None)


def _submit(callee: Cell, message: Any, ask: Ask[Any]) -> None:
    kernel = callee.kernel
    refusal = callee.refusal(OUTSIDE if ask.asker is None else ask.asker.cell)
    if refusal is not None:
        kernel.dead_letter(callee.address, message, OUTSIDE, DeadReason(refusal.value))
        raise AskRefusedError(callee.address, callee.refused(refusal))
    extras = callee.need_extras()
    extras.requests[ask] = None
    kernel.requests[ask] = None
    if kernel.request_alarm is None:
        kernel.request_alarm = kernel.timers.arm_alarm(ask.due_ms, partial(_expire, kernel))
    if ask.asker is not None:
        ask.asker.requests[ask] = None
    # Behind those that are parked already: else a later request would overtake them as soon as there is room.
    if extras.parked or not _put(callee, message, ask):
        extras.parked[ask] = message


def _expire(kernel: Kernel[Cell]) -> None:
    now_ms = kernel.clock.now_ms()
    # All have the same deadline, so they are due in the order in which they were made.
    for ask in list(takewhile(lambda ask: ask.due_ms <= now_ms, kernel.requests)):
        ask.expire()
    oldest = next(iter(kernel.requests), None)
    kernel.request_alarm = oldest and kernel.timers.arm_alarm(oldest.due_ms, partial(_expire, kernel))


def _put(callee: Cell, message: Any, ask: Request) -> bool:
    if callee.queue is None and callee.room:  # the common case: it is idle
        callee.queue = deque((message, ask))
        callee.arrived()
        return True
    return callee.put(message, ask)
