"""What the parts of a running system share: registry, ready-queue, clock, timers, dead letters, counts.

Internal. People use :class:`~.system.ActorSystem`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final, final

import trio
from attrs import define, field
from loguru import logger

from ..clock import Clock
from . import lifecycle
from .ask import Asks
from .cell import Cell, State
from .dead_letters import DeadLetter, DeadLetters, DeadReason
from .events import Edge, Observation, Observer
from .handling import CURRENT, Turn
from .sender import OUTSIDE, Sender
from .spec import ActorSpec
from .timers import Timers

TOMBS_MAX: Final = 10_000
"""So many ended actors are remembered as ended. Older ones are forgotten, and their address is like new."""


@final
@define(eq=False, repr=False)
class Kernel:
    """The shared state of one system. Everything here happens on one thread."""

    name: str
    clock: Clock
    nursery: trio.Nursery
    realtime: bool
    observer: Observer | None
    ask_deadline_ms: int
    roll: Callable[[], float]

    cells: dict[str, Cell] = field(factory=dict[str, Cell])
    kinds: dict[str, ActorSpec] = field(factory=dict[str, ActorSpec])
    ready: deque[Cell] = field(factory=deque[Cell])
    turns: dict[Cell, Turn] = field(factory=dict[Cell, Turn])
    backoffs: dict[Cell, None] = field(factory=dict[Cell, None])
    current: Sender = OUTSIDE
    perform: dict[int, Callable[[str, Any, Any, Any], None]] = field(
        factory=dict[int, Callable[[str, Any, Any, Any], None]]
    )
    record: Callable[[str, object], None] = lambda _owner, _record: None
    open: bool = True
    closed: bool = False
    turns_allowed: bool = True
    failure: BaseException | None = None

    handled: int = 0
    merged: int = 0
    crashes: int = 0
    restarts: int = 0
    interrupted: int = 0
    late_replies: int = 0

    dispatcher: trio.lowlevel.Task | None = None
    dispatcher_gone: bool = False
    parked: bool = False
    alarm: trio.CancelScope | None = None
    alarm_ms: float = math.inf

    timers: Timers = field(init=False)
    letters: DeadLetters = field(init=False)
    asks: Asks = field(init=False)
    _tombs: deque[Cell] = field(factory=deque[Cell])
    _waiters: list[tuple[Callable[[], bool], trio.Event]] = field(factory=list[tuple[Callable[[], bool], trio.Event]])

    def __attrs_post_init__(self) -> None:
        self.timers = Timers(self._set_alarm)
        self.letters = DeadLetters(None if self.observer is None else self._observe_letter)
        self.asks = Asks(self, self.ask_deadline_ms)

    # The registry

    def resolve(self, address: str) -> Cell | None:
        """The actor of that address, registered now if its kind is known."""
        cell = self.cells.get(address)
        if cell is None:
            spec = self.kinds.get(address.partition(":")[0])
            if spec is not None and not self.closed:
                cell = self.cells[address] = Cell(address, self, spec, spec.room if self.open else 0)
        return cell

    def kind_names(self) -> list[str]:
        """The kinds that were defined."""
        return sorted(self.kinds)

    def entomb(self, cell: Cell) -> None:
        """Remember an ended actor for a while."""
        self._tombs.append(cell)
        if len(self._tombs) > TOMBS_MAX:
            forgotten = self._tombs.popleft()
            if forgotten.state is State.STOPPED and self.cells.get(forgotten.address) is forgotten:
                del self.cells[forgotten.address]

    # The ready-queue

    def schedule(self, cell: Cell) -> None:
        """A cell that nobody was going to come back to has work."""
        cell.scheduled = True
        if not cell.queued:
            cell.queued = True
            self.ready.append(cell)
        if self.parked:
            self.wake()

    def resume(self, cell: Cell) -> None:
        """Put a cell into the ready-queue, and wake the dispatcher."""
        self.enqueue(cell)
        if self.parked:
            self.wake()

    def enqueue(self, cell: Cell) -> None:
        """At the end of the ready-queue, once."""
        if not cell.queued:
            cell.queued = True
            self.ready.append(cell)

    def wake(self) -> None:
        """Let the dispatcher look again."""
        if self.parked:
            assert self.dispatcher is not None
            self.parked = False
            trio.lowlevel.reschedule(self.dispatcher)

    async def park(self) -> None:
        """Wait, as the dispatcher, for a wake or for the alarm."""
        self.settled()
        self.parked = True
        await trio.lowlevel.wait_task_rescheduled(self._unpark)

    def _unpark(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.parked = False
        return trio.lowlevel.Abort.SUCCEEDED

    def _set_alarm(self, at_ms: int) -> None:
        if at_ms < self.alarm_ms and self.alarm is not None:
            self.alarm_ms = at_ms
            self.alarm.deadline = self.clock.deadline_s(at_ms)

    # Waiting for rest

    def idle(self) -> bool:
        """Nothing can be done now: nothing is ready, no turn runs. Timers and backoffs may be pending."""
        return self.dispatcher_gone or not (self.ready or self.turns)

    def quiet(self) -> bool:
        """Idle, and no message waits for a restart."""
        if self.dispatcher_gone:
            return True
        return self.idle() and not any(cell.queue or cell.control for cell in self.backoffs)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds between two activations."""
        await trio.lowlevel.checkpoint()
        while not condition():
            event = trio.Event()
            waiter = (condition, event)
            self._waiters.append(waiter)
            try:
                await event.wait()
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def settled(self) -> None:
        """Something came to rest: tell those who wait for it."""
        if self._waiters:
            for waiter in [w for w in self._waiters if w[0]()]:
                self._waiters.remove(waiter)
                waiter[1].set()

    # Attribution, dead letters, observation

    def present_turn(self) -> Turn | None:
        """The turn that the present task belongs to."""
        turn = CURRENT.get()
        return None if turn is None or turn.over or turn.cell.kernel is not self else turn

    def sender(self) -> Sender:
        """Who is speaking: the actor that runs, or whose turn runs, or the outside."""
        if self.current is not OUTSIDE:
            return self.current
        turn = self.present_turn()
        return OUTSIDE if turn is None else turn.cell

    def bury(
        self, cell: Cell, message: Any, sender: Sender, reason: DeadReason, error: BaseException | None = None
    ) -> None:
        """A message for ``cell`` will not be handled."""
        detail = "" if error is None else repr(error)
        now_ms = self.clock.now_ms()
        self.letters.add(DeadLetter(now_ms, sender.label(), cell.address, reason, message, detail))
        if sender.special:
            sender.lost(f"{reason.value} {detail}".strip(), error)

    def bury_unknown(self, address: str, message: Any, sender: Sender) -> None:
        """A message for nobody."""
        now_ms = self.clock.now_ms()
        self.letters.add(DeadLetter(now_ms, sender.label(), address, DeadReason.UNKNOWN, message))

    def observe(self, edge: Edge, address: str, detail: object = None) -> None:
        """Tell the observer, if there is one."""
        if self.observer is None:
            return
        try:
            self.observer(Observation(edge, address, self.clock.now_ms(), detail))
        except Exception as error:  # noqa: BLE001  looking on must not change what happens
            logger.opt(exception=error).error("the observer of {} failed", self.name)

    def _observe_letter(self, letter: DeadLetter) -> None:
        self.observe(Edge.DEAD_LETTER, letter.to, letter)

    # Endings

    def stop_own(self, cell: Cell) -> None:
        """``Context.stop()``."""
        lifecycle.stop(cell, own=True)

    @property
    def phase(self) -> str:
        """How far the end has come, for people."""
        return "open" if self.open else "closed" if self.closed else "draining"

    def close_admission(self) -> None:
        """From now on messages from outside are refused."""
        self.open = False
        for cell in self.cells.values():
            cell.room = 0

    def close(self) -> None:
        """From now on every message is refused."""
        self.open = False
        self.closed = True

    def escalate(self, failure: BaseException) -> None:
        """End the whole system with these exceptions."""
        if self.failure is None:
            self.failure = failure
            self.nursery.cancel_scope.cancel(reason="an actor escalated its failure")


def seeded_roll(seed: int | None) -> Callable[[], float]:
    """Random numbers for jitter: from a seed, so that a run can be repeated."""
    return random.Random(seed).random  # noqa: S311  spreads restarts, guards no secret
