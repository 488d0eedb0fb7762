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
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, final

import trio
from attrs import define, field

from .dead_letters import DeadReason
from .errors import AskCycleError, AskFailedError, AskRefusedError, AskTimeoutError
from .mailbox import new_queue, put, waiting
from .sender import OUTSIDE, Sender
from .timers import Alarm

if TYPE_CHECKING:
    from .cell import Cell
    from .handling import Turn
    from .kernel import Kernel

T = TypeVar("T")


@final
@define(eq=False, repr=False, weakref_slot=False)
class Ask(Sender, Generic[T]):
    """One request on its way; to the asked actor it is the reply. See :class:`~wakeward.actors.port.Reply`."""

    special: ClassVar[bool] = True

    callee: Cell
    asker: Turn | None
    task: trio.lowlevel.Task
    due_ms: int
    settled: bool = False
    waiting: bool = False
    value: Any = None
    error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<reply of {self.callee.address} to {self.label()}>"

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
            failure = AskFailedError(f"ask of {self.callee.address!r}: {detail}")
            failure.__cause__ = error
            self.fail(failure)

    def abandon(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """The asker's task was cancelled."""
        self.waiting = False
        self._settle()
        return trio.lowlevel.Abort.SUCCEEDED

    def _settle(self) -> None:
        self.settled = True
        book = self.callee.the_book()
        book.asks.pop(self, None)
        book.parked.pop(self, None)
        self.callee.kernel.asks.outstanding.pop(self, None)
        if self.asker is not None:
            self.asker.asks.pop(self, None)
        if self.waiting:
            self.waiting = False
            trio.lowlevel.reschedule(self.task)


@final
@define(eq=False, repr=False)
class Asks:
    """The outstanding requests of a system, oldest first, and the alarm for the oldest."""

    kernel: Kernel
    deadline_ms: int
    outstanding: dict[Ask[Any], None] = field(factory=dict["Ask[Any]", None])
    _alarm: Alarm | None = None

    def add(self, ask: Ask[Any]) -> None:
        """Keep an eye on it."""
        self.outstanding[ask] = None
        if self._alarm is None:
            self._alarm = self.kernel.timers.arm_alarm(ask.due_ms, self._expire)

    def _expire(self) -> None:
        now_ms = self.kernel.clock.now_ms()
        for ask in list(takewhile(lambda ask: ask.due_ms <= now_ms, self.outstanding)):
            ask.fail(AskTimeoutError(f"ask of {ask.callee.address!r}: no reply within {self.deadline_ms} ms"))
        oldest = next(iter(self.outstanding), None)
        self._alarm = oldest and self.kernel.timers.arm_alarm(oldest.due_ms, self._expire)


async def request(callee: Cell, make: Callable[[Ask[T]], Any]) -> T:
    """Send what ``make`` returns and wait for the reply."""
    callee = callee.present()
    kernel = callee.kernel
    turn = kernel.present_turn()
    if turn is not None:
        _refuse_cycle(turn, callee)
    due_ms = kernel.clock.now_ms() + kernel.asks.deadline_ms
    ask: Ask[T] = Ask(callee, turn, trio.lowlevel.current_task(), due_ms)  # Ask[T](...) takes a microsecond more
    _submit(callee, make(ask), ask)
    if ask.settled:  # make() has answered it itself
        await trio.lowlevel.cancel_shielded_checkpoint()
    else:
        ask.waiting = True
        await trio.lowlevel.wait_task_rescheduled(ask.abandon)
    if ask.error is not None:
        raise ask.error
    return ask.value


def admit_parked(callee: Cell) -> None:
    """Let parked requests in, in order, as far as there is room."""
    assert callee.book is not None
    parked = callee.book.parked
    for ask in list(parked):
        if not _enqueue(callee, parked[ask], ask):
            return
        del parked[ask]


def fail_all(callee: Cell, detail: str, error: BaseException | None) -> None:
    """The asked actor is no more."""
    for ask in list(callee.book.asks if callee.book else ()):
        ask.lost(detail, error)


def fail_taken(callee: Cell, detail: str, error: BaseException | None) -> None:
    """The asked actor forgot what it had taken; what still waits in its mailbox it will come to."""
    if callee.book is None or not callee.book.asks:
        return
    in_mailbox = {sender for _, sender in (*waiting(callee.queue), *(callee.control or ()))}
    for ask in list(callee.book.asks):
        if ask not in in_mailbox and ask not in callee.book.parked:
            ask.lost(detail, error)


def _refuse_cycle(turn: Turn, callee: Cell) -> None:
    seen: set[Cell] = set()
    path = [callee]
    while path:
        cell = path.pop()
        if cell is turn.cell:
            raise AskCycleError(
                f"{turn.cell.address!r} asks {callee.address!r}, which waits for {turn.cell.address!r} already"
                if cell is not callee
                else f"{callee.address!r} asks itself and could never answer"
            )
        if cell not in seen and cell.life is not None and cell.life.turn is not None:
            seen.add(cell)
            path.extend(ask.callee for ask in cell.life.turn.asks)


def _submit(callee: Cell, message: Any, ask: Ask[Any]) -> None:
    refusal = callee.refusal(OUTSIDE if ask.asker is None else ask.asker.cell)
    if refusal is not None:
        callee.kernel.bury(callee, message, OUTSIDE, DeadReason(refusal.value))
        raise AskRefusedError(callee.address, callee.refused(refusal))
    book = callee.the_book()
    book.asks[ask] = None
    callee.kernel.asks.add(ask)
    if ask.asker is not None:
        ask.asker.asks[ask] = None
    if book.parked or not _enqueue(callee, message, ask):
        book.parked[ask] = message


def _enqueue(callee: Cell, message: Any, ask: Ask[Any]) -> bool:
    if callee.queue is None and callee.room:  # the common case: it is idle
        callee.queue = deque((message, ask))
        if not callee.scheduled:
            callee.kernel.schedule(callee)
        return True
    if callee.queue is None:
        callee.queue = new_queue(callee.spec.mailbox)
    if not put(callee, callee.queue, message, ask):
        return False
    if not callee.scheduled:
        callee.kernel.schedule(callee)
    return True
