"""The cell: all there is of a registered actor that is idle, and every change of its state.

A million of them fit in one process, so a cell is a slotted object with what every actor needs. Two records are made
when first needed: :class:`Life` for one behaviour, :class:`~.extras.Extras` for what few actors need over restarts.

One enum says where a cell stands, one table which moves are legal, and each move is a method here; an illegal one
raises, and nothing has happened (h11's state tables are the model). A cell is in the ready-queue exactly while it is
WAKING, READY or RESTARTING, and somebody else will come back to it (the dispatcher, a task, an alarm) while it is
RUNNING, HANDLING, KILLING or in BACKOFF. Who has work for a cell that is DORMANT or IDLE schedules it. The
exception is a cell that ends while it stands there: see :meth:`Cell.end`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from typing import Any, Final, final

import trio
from attrs import define, field

from ...protocols.actor import Effect
from ...protocols.receipt import Refusal
from .extras import Extras
from .kernel import Kernel
from .mailbox import Mailbox
from .sender import OUTSIDE, Request, Sender
from .spec import UNDEFINED, ActorSpec
from .timers import Alarm, Timer, all_timers


class State(enum.Enum):
    """Where a cell stands."""

    DORMANT = "dormant"
    """No behaviour, no work: never activated, or passivated."""
    WAKING = "waking"
    """In the ready-queue, to be activated."""
    IDLE = "idle"
    READY = "ready"
    """In the ready-queue, with a behaviour."""
    RUNNING = "running"
    """The dispatcher is at it."""
    HANDLING = "handling"
    """An asynchronous message is being handled in a task of its own."""
    KILLING = "killing"
    """The same, but cancelled: the actor ends when that task does."""
    BACKOFF = "backoff"
    """Its life has ended; it waits for its restart."""
    RESTARTING = "restarting"
    """In the ready-queue, to be activated again."""
    STOPPED = "stopped"

    __hash__ = object.__hash__  # the table is read several times per activation; Enum's own hash is Python code


_S = State
# From each state, where a cell may go. One that is being killed may only stop: no crash or restart takes it back.
MOVES: Final[dict[State, frozenset[State]]] = {
    _S.DORMANT: frozenset({_S.WAKING, _S.STOPPED}),
    _S.WAKING: frozenset({_S.RUNNING, _S.STOPPED}),
    _S.IDLE: frozenset({_S.READY, _S.DORMANT, _S.BACKOFF, _S.STOPPED}),
    _S.READY: frozenset({_S.RUNNING, _S.BACKOFF, _S.STOPPED}),
    _S.RUNNING: frozenset({_S.IDLE, _S.READY, _S.HANDLING, _S.BACKOFF, _S.STOPPED}),
    _S.HANDLING: frozenset({_S.READY, _S.KILLING, _S.BACKOFF, _S.STOPPED}),
    _S.KILLING: frozenset({_S.STOPPED}),
    _S.BACKOFF: frozenset({_S.RESTARTING, _S.BACKOFF, _S.STOPPED}),
    _S.RESTARTING: frozenset({_S.RUNNING, _S.BACKOFF, _S.STOPPED}),
    _S.STOPPED: frozenset(),
}

# Cheaper to look up than enum members.
_DORMANT, _WAKING, _RESTARTING, _STOPPED = State.DORMANT, State.WAKING, State.RESTARTING, State.STOPPED
_IDLE, _READY, _RUNNING = State.IDLE, State.READY, State.RUNNING


class Stopping(enum.Enum):
    """Why a cell takes no more messages and ends when it has handled the accepted ones."""

    ASKED = "asked"
    """Somebody else wanted it."""
    OWN = "own"
    """The actor itself wanted it: a permanent one is restarted then."""


@final
@define(eq=False, repr=False, weakref_slot=False)
class Handling:
    """An asynchronous message that is being handled. See :mod:`.handling`.

    Attributes:
        requests: The requests it waits for at present.
        restart_at_ms: Set when it was cancelled because its actor is restarted.
    """

    cell: Cell
    message: Any
    sender: Sender
    control: bool
    started_ms: int
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    requests: dict[Request, None] = field(factory=dict[Request, None])
    over: bool = False
    restart_at_ms: int | None = None

    def cancel(self, why: str) -> None:
        """Cancel it; it may still clean up."""
        self.scope.cancel(reason=why)


def _not_yet(_message: Any) -> object:
    raise AssertionError("the factory has not returned yet")


@define(eq=False, repr=False, weakref_slot=False)
class Life:
    """One life of an actor: between an activation and the next crash, passivation or end.

    Attributes:
        batch: Where its effects are noted while it handles a message; ``None``: they are performed at once.
        saving: The batch holds a record.
        owner: Whose records it saves; known from the first one on.
        in_flight: How many of its messages wait for a commit.
        watching: Whom it watches.
        passivation: When it is looked at whether it is idle for long enough.
    """

    cell: Cell
    behaviour: Any = None
    receive: Callable[[Any], object] = _not_yet
    batch: list[Effect] | None = None
    saving: bool = False
    owner: str | None = None
    in_flight: int = 0
    timers: Timer | dict[Hashable, Timer] | None = None
    watching: dict[Cell, None] | None = None
    handling: Handling | None = None
    idle_from_ms: int = 0
    passivation: Alarm | None = None
    over: bool = False

    def timer_label(self) -> str:
        """The address of the actor."""
        return self.cell.address

    def timer_fired(self, timer: Timer) -> None:
        """Put a timer's message into the mailbox."""
        self.cell.put_timer_message(timer.message, timer)

    def timer_claimed(self) -> None:
        """A timer's message has left the mailbox."""
        self.cell.timer_messages -= 1

    # The watch is noted on both sides, so that neither end has to search for it.

    def forget_watch(self, watched: Cell) -> None:
        """Do not watch that actor any more."""
        if self.watching is not None:
            self.watching.pop(watched, None)
        if watched.extras is not None:
            watched.extras.watchers.pop(self.cell, None)

    def end(self) -> None:
        """Give up everything that belongs to this life."""
        self.over = True
        timers = self.cell.kernel.timers
        for timer in all_timers(self):
            timers.disarm(timer)
        self.timers = None
        if self.passivation is not None:
            timers.disarm(self.passivation)
        for watched in list(self.watching or ()):
            self.forget_watch(watched)


@final
@define(eq=False, repr=False, weakref_slot=False)
class Cell(Mailbox["Cell"]):
    """One actor, by its address."""

    state: State = State.DORMANT
    stopping: Stopping | None = None
    handled: int = 0
    life: Life | None = None
    extras: Extras[Cell] | None = None

    def __repr__(self) -> str:
        return f"<Cell {self.address} {self.state.value}>"

    def label(self) -> str:
        """Its address."""
        return self.address

    def need_extras(self) -> Extras[Cell]:
        """The extras, made at the first call."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    # What the mailbox asks

    def arrived(self) -> None:
        """A message waits: put the cell into the ready-queue, unless somebody comes back to it anyway."""
        if self.state is _IDLE:
            self.state = _READY
        elif self.state is _DORMANT:
            self.state = _WAKING
        else:
            return
        self.kernel.ready.append(self)
        if self.kernel.parked:
            self.kernel.wake()

    def refusal(self, sender: Sender) -> Refusal | None:
        """Why nothing of ``sender`` is taken into the user lane at present, whatever the room."""
        if self.state is _STOPPED:
            return Refusal.STOPPED if self.known else Refusal.UNKNOWN
        if self.stopping is not None or self.state is State.KILLING or self.kernel.closed:
            return Refusal.STOPPED
        # In a drain actors still tell each other what they need to finish.
        return Refusal.DRAINING if not self.kernel.open and sender is OUTSIDE else None

    def control_refusal(self) -> Refusal | None:
        """Why nothing is taken into the control lane at present."""
        if self.state is _STOPPED or self.state is State.KILLING or self.kernel.closed:
            return Refusal.STOPPED if self.known else Refusal.UNKNOWN
        return None

    def present(self) -> Cell:
        """The actor that has this address now: another one, when a ref has outlived the one it was made for."""
        return self if self.state is not _STOPPED else self.kernel.resolve(self.address) or self

    # The moves. Those of every activation (arrived, run, rest) are written out, with their row of the table as their
    # condition: to look them up in the table makes an activation of one message a quarter slower.

    def _move(self, to: State) -> None:
        assert to in MOVES[self.state], f"{self.address} cannot go from {self.state.value} to {to.value}"
        self.state = to

    def run(self) -> State:
        """It is first in the ready-queue. Returns the state it was in: STOPPED when it has ended there."""
        state = self.state
        if state is _READY or state is _WAKING or state is _RESTARTING:
            self.state = _RUNNING
        else:
            assert state is _STOPPED, self
        return state

    def begin_life(self, life: Life) -> None:
        """The factory has made a behaviour."""
        assert self.state is State.RUNNING, self
        self.life = life

    def requeue(self) -> None:
        """More waits: back to the end of the ready-queue."""
        self._move(State.READY)
        self._enqueue()

    def rest(self) -> None:
        """Nothing waits: let the mailbox go."""
        assert self.state is _RUNNING, self
        self.state = _IDLE
        self.queue = self.control = None  # 780 bytes each, and most actors are idle

    def passivate(self) -> None:
        """Its life has ended, and its next message begins another."""
        self._move(State.DORMANT)
        self.life = None

    def begin_handling(self, handling: Handling) -> None:
        """An asynchronous message is being handled from now on."""
        assert self.life is not None, self
        self._move(State.HANDLING)
        self.life.handling = handling
        self.kernel.handlings[self] = None

    def end_handling(self) -> None:
        """That is over. The caller moves the cell on."""
        assert self.life is not None, self
        assert self.state is State.HANDLING or self.state is State.KILLING, self
        del self.kernel.handlings[self]
        self.life.handling = None
        # Not by count(): whether this was a crash is not known here, and a crash must not reset the attempts.
        self.handled += 1
        self.kernel.handled += 1

    def kill_handling(self) -> None:
        """End the actor when its present message, which the caller cancels, is over."""
        self._move(State.KILLING)
        self.room = 0  # the fast path of tell asks for nothing else

    def stop(self, why: Stopping) -> None:
        """Take no more messages, and end when the accepted ones are handled."""
        self.stopping = why
        self.room = 0

    def back_off(self) -> None:
        """Its life has ended; it waits for a restart, and takes messages meanwhile."""
        if self.state is State.READY or self.state is State.RESTARTING:
            self.kernel.ready.remove(self)  # it is placed again, behind the group's members before it
        self._move(State.BACKOFF)
        self.life = None
        self.kernel.backoffs[self] = None
        if self.stopping is None and self.kernel.open:  # it may have stopped itself, and be permanent
            self.room = self.spec.room

    def restart(self) -> None:
        """The instant of its restart has come."""
        self._move(State.RESTARTING)
        self.kernel.backoffs.pop(self, None)
        self._enqueue()

    def end(self) -> None:
        """It is no more."""
        # It may stand in the ready-queue, and is left there: to search the queue would make the end of many actors
        # quadratic. The dispatcher passes over it.
        self._move(State.STOPPED)
        self.life = self.stopping = None
        self.room = 0
        self.kernel.backoffs.pop(self, None)

    def stopped_itself(self) -> None:
        """It has finished what it accepted, and is going to be restarted: it may take messages again."""
        self.stopping = None

    def close_admission(self) -> None:
        """Messages take the long way from now on, where those from outside are refused."""
        self.room = 0

    def count(self, handled: int) -> None:
        """So many messages were handled without a crash."""
        self.handled += handled
        self.kernel.handled += handled
        if handled and self.extras is not None:
            self.extras.attempts = 0

    def _enqueue(self) -> None:
        self.kernel.ready.append(self)
        if self.kernel.parked:
            self.kernel.wake()


def new_cell(kernel: Kernel[Cell], address: str, spec: ActorSpec) -> Cell:
    """An actor that has not begun."""
    return Cell(address, kernel, spec, spec.room if kernel.open else 0)


def unknown_cell(kernel: Kernel[Cell], address: str) -> Cell:
    """Stands for an actor that nobody has defined; it is not registered."""
    return Cell(address, kernel, UNDEFINED, 0, state=State.STOPPED)
