"""What the parts of a running system share: registry, ready-queue, clock, timers, dead letters, counts.

Internal. People use :class:`~.system.ActorSystem`.

The kernel is generic over what it registers (:class:`~.cell.Cell`), and knows of it only what :class:`Registered` says.
So the cell can name the kernel, the modules that act on cells can name both, and no two modules import each other.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, final

import trio
from attrs import define, field
from loguru import logger

from ...protocols.actor import Effect
from ..clock import Clock
from .dead_letters import DeadLetter, DeadLetters, DeadReason
from .events import Edge, Observation, Observer
from .sender import OUTSIDE, Request, Sender
from .spec import ActorSpec
from .timers import Alarm, Timers

ENDED_MAX: Final = 10_000
"""So many ended actors are remembered as ended. Older ones are forgotten, and their address is like new."""

Performer = Callable[[str, Any, Any, Any], None]
"""Performs an operation of the host: called with the actor's address and the three arguments of the effect."""


class Registered(Protocol):
    """What the kernel needs to know of an actor."""

    address: str

    @property
    def has_mail(self) -> bool:
        """Whether a message waits."""
        ...

    def close_admission(self) -> None:
        """Messages take the long way from now on, where those from outside are refused."""
        ...


# The other way round, with the cell generic over the kernel, half of the kernel's attributes would have to be repeated
# in a protocol class.
C = TypeVar("C", bound=Registered)


@final
@define(eq=False, repr=False)
class Kernel(Generic[C]):
    """The shared state of one system. Everything here happens on one thread.

    Attributes:
        draw: A random number, 0 up to but not including 1.
        make_cell: Makes what is registered.
        handlings: Whose asynchronous message is being handled, oldest first.
        backoffs: Who waits for a restart.
        requests: The requests without an answer, oldest first.
        request_alarm: Fires when the oldest of them is due.
        performers: The operations of the host, by number.
        batch: The effects of the present message. One list for the whole system: a dispatcher runs one actor at a time.
        in_flight: How many owners have commits without an answer.
        commit_at_once: Commits one record, where the journal commits everything at once.
        may_restart: Asked when a restart is due. False: its commits are in flight, and it is restarted after them.
        current: Who runs in the dispatcher.
        handlings_allowed: Whether an asynchronous message may still begin.
        parked: The dispatcher waits.
    """

    name: str
    clock: Clock
    nursery: trio.Nursery
    realtime: bool
    observer: Observer | None
    on_dead_letter: Callable[[DeadLetter], None] | None
    ask_deadline_ms: int
    has_journal: bool
    draw: Callable[[], float]
    make_cell: Callable[[Kernel[C], str, ActorSpec], C]

    cells: dict[str, C] = field(factory=dict[str, C])
    kinds: dict[str, ActorSpec] = field(factory=dict[str, ActorSpec])
    ready: deque[C] = field(factory=deque[C])
    handlings: dict[C, None] = field(factory=dict[C, None])
    backoffs: dict[C, None] = field(factory=dict[C, None])
    requests: dict[Request, None] = field(factory=dict[Request, None])
    request_alarm: Alarm | None = None
    performers: dict[int, Performer] = field(factory=dict[int, Performer])
    batch: list[Effect] = field(factory=list[Effect])
    in_flight: int = 0
    may_restart: Callable[[C], bool] = lambda _cell: True
    commit_at_once: Callable[[str, Any], None] | None = None
    current: Sender = OUTSIDE
    open: bool = True
    closed: bool = False
    handlings_allowed: bool = True
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
    _ended: deque[C] = field(factory=deque[C])
    _waiters: list[tuple[Callable[[], bool], trio.Event]] = field(factory=list[tuple[Callable[[], bool], trio.Event]])

    def __attrs_post_init__(self) -> None:
        self.timers = Timers(self._set_alarm)
        self.letters = DeadLetters(self._report_letter)

    # The registry

    def resolve(self, address: str) -> C | None:
        """The actor of that address; it is registered now if its kind is known."""
        cell = self.cells.get(address)
        if cell is None:
            spec = self.kinds.get(address.partition(":")[0])
            # After the end nothing is registered any more: _end_all has walked over the cells, and a new one would be
            # missed.
            if spec is not None and not self.closed:
                cell = self.cells[address] = self.make_cell(self, address, spec)
        return cell

    def kind_names(self) -> list[str]:
        """The kinds that were defined."""
        return sorted(self.kinds)

    def remember_ended(self, cell: C) -> None:
        """Keep an ended actor registered for a while, so that its address is known as ended."""
        self._ended.append(cell)
        if len(self._ended) > ENDED_MAX:
            forgotten = self._ended.popleft()
            # Another actor may have the address by now.
            if self.cells.get(forgotten.address) is forgotten:
                del self.cells[forgotten.address]

    # The dispatcher's waiting

    def wake(self) -> None:
        """Let the dispatcher look again."""
        if self.parked:
            assert self.dispatcher is not None
            self.parked = False  # before: to reschedule a task twice is an error
            trio.lowlevel.reschedule(self.dispatcher)

    async def park(self) -> None:
        """Wait, as the dispatcher, for a wake or for the alarm."""
        self.settled()  # nothing is ready: the place where most who wait for rest are woken
        self.parked = True
        await trio.lowlevel.wait_task_rescheduled(self._unpark)

    def _unpark(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.parked = False
        return trio.lowlevel.Abort.SUCCEEDED

    def _set_alarm(self, at_ms: int) -> None:
        # A later instant needs nothing: when the alarm fires, the dispatcher reads the earliest timer again.
        if at_ms < self.alarm_ms and self.alarm is not None:
            self.alarm_ms = at_ms
            self.alarm.deadline = self.clock.deadline_s(at_ms)

    # Waiting for rest

    def idle(self) -> bool:
        """Nothing can be done now: nothing is ready, handled or committed. Timers and backoffs may be pending."""
        # Without a dispatcher nothing is handled any more, so nobody must wait for it.
        return self.dispatcher_gone or not (self.ready or self.handlings or self.in_flight)

    def quiet(self) -> bool:
        """Idle, and no message waits for a restart."""
        if self.dispatcher_gone:
            return True
        # Only actors in backoff can hold a message that nobody comes for at once.
        return self.idle() and not any(cell.has_mail for cell in self.backoffs)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds between two activations."""
        await trio.lowlevel.checkpoint()
        while not condition():  # what was true when the waiter was woken may be over when it runs
            event = trio.Event()
            waiter = (condition, event)
            self._waiters.append(waiter)
            try:
                await event.wait()
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def settled(self) -> None:
        """Something has come to rest: wake those whose condition holds. Called when every book says so already."""
        if self._waiters:
            # Only those whose condition holds: each wake of the others would cost a step of their task for nothing.
            for waiter in [w for w in self._waiters if w[0]()]:
                self._waiters.remove(waiter)
                waiter[1].set()

    # Dead letters, observation

    def dead_letter(
        self, to: str, message: Any, sender: Sender, reason: DeadReason, error: BaseException | None = None
    ) -> None:
        """A message for ``to`` will not be handled."""
        detail = "" if error is None else repr(error)
        # The letter first: whoever is told below may look it up.
        self.letters.add(DeadLetter(self.clock.now_ms(), sender.label(), to, reason, message, detail))
        if sender.special:  # a request: whoever waits for its answer is told
            sender.lost(f"{reason.value} {detail}".strip(), error)

    def observe(self, edge: Edge, address: str, detail: object = None) -> None:
        """Tell the observer, if there is one."""
        if self.observer is None:
            return
        try:
            self.observer(Observation(edge, address, self.clock.now_ms(), detail))
        except Exception as error:  # noqa: BLE001  an observer must not change what happens
            logger.opt(exception=error).error("the observer of {} failed", self.name)

    def _report_letter(self, letter: DeadLetter) -> None:
        self.observe(Edge.DEAD_LETTER, letter.to, letter)
        if self.on_dead_letter is None:
            return
        try:
            self.on_dead_letter(letter)
        except Exception as error:  # noqa: BLE001  the hook must not change what happens
            logger.opt(exception=error).error("the dead-letter hook of {} failed", self.name)

    # Endings

    @property
    def phase(self) -> str:
        """How far the end has come, for people."""
        return "open" if self.open else "closed" if self.closed else "draining"

    def close_admission(self) -> None:
        """From now on messages from outside are refused."""
        self.open = False
        for cell in self.cells.values():
            cell.close_admission()

    def close(self) -> None:
        """From now on every message is refused."""
        self.open = False
        self.closed = True

    def escalate(self, failure: BaseException) -> None:
        """End the whole system with these exceptions."""
        # The first failure is raised; what fails after it does so in a system that ends already.
        if self.failure is None:
            self.failure = failure
            self.nursery.cancel_scope.cancel(reason="an actor escalated its failure")


def seeded_draw(seed: int | None) -> Callable[[], float]:
    """Random numbers for jitter: from a seed, so that a run can be repeated."""
    return random.Random(seed).random  # noqa: S311  spreads restarts, guards no secret
