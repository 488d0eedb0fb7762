"""Drives actors without an event loop: one plain loop over messages and timers, always in the same order.

The idea is that of websockets' and h11's tests: the core only collects what it wants done, so a test performs it, and
looks at plain lists. This is the third driver of the port in ``protocols/actor.py``, beside Trio on the real clock and
Trio on a virtual clock, and it keeps the same promises:

- What a message asks for is collected, and performed after the message: first the records are committed, then the
  effects follow in order. A message that raises has done nothing; its actor is made anew by its factory.
- Messages are handled in the order in which they were sent, over all actors. Only the control lane goes ahead, within
  one actor.
- A timer that is armed again, cancelled, or lost with its actor delivers nothing, also when its message is already on
  its way.

Rejected: a ready-queue of actors with a budget, as the kernel has it. It makes the order depend on the budget, and a
failing example harder to read.

    driver = Driver()
    driver.spawn("agent:ops", lambda ctx: Agent(ctx, fold(driver.records["ops"])))
    driver.perform[START_TURN] = lambda address, request, _b, _c: started.append(request)
    driver.tell("agent:ops", Wake(...))
    driver.run()
    driver.advance(30_000)
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from support.driver_context import Actor, Crash, DeadLetter, DriverContext, Factory, Timer
from wakeward.protocols.actor import (
    CANCEL_TIMER,
    HOST_OPS,
    SET_TIMER,
    SIGNAL,
    STOP,
    TELL,
    UNWATCH,
    WATCH,
    Cause,
    Effect,
    Terminated,
)
from wakeward.protocols.journal.port import CommitOutcome
from wakeward.protocols.receipt import ACCEPTED, Receipt, Refusal

OUTSIDE: Final = ""
"""The sender of what a test tells."""
STEPS_MAX: Final = 100_000
"""Messages in one :meth:`Driver.run`. Actors that keep each other busy for ever fail the test at this bound."""


class Driver:
    """See the module.

    Attributes:
        now_ms: The present instant.
        records: What was committed, by owner. Pass another driver's to go on after the death of its host.
        effects: Everything that was performed, in order, with the address of the actor that asked for it. An operation
            of the host that has no entry in ``perform`` is only noted here.
        perform: What to do for an operation of the host, as ``(address, a, b, c)``.
        dead_letters: Messages that were not handled.
        crashes: Actors that raised.
    """

    def __init__(
        self, now_ms: int = 0, *, records: dict[str, list[Any]] | None = None, contains_crashes: bool = False
    ) -> None:
        """Begin without actors.

        Args:
            now_ms: The first instant.
            records: What was committed before.
            contains_crashes: An actor that raises is only restarted. Otherwise its exception also leaves :meth:`run`.
        """
        self.now_ms = now_ms
        self.records: defaultdict[str, list[Any]] = defaultdict(list)
        for owner, committed in (records or {}).items():
            self.records[owner] = list(committed)
        self.effects: list[tuple[str, Effect]] = []
        self.perform: dict[int, Callable[[str, Any, Any, Any], object]] = {}
        self.dead_letters: list[DeadLetter] = []
        self.crashes: list[Crash] = []
        self.refuse: Callable[[str, object], Refusal | None] = lambda _to, _message: None
        """Why a mailbox does not take a message; ``None``: it does."""
        self.commit: Callable[[str, Sequence[object]], CommitOutcome] = lambda _owner, _records: CommitOutcome.COMMITTED
        """The journal's answer to a batch. What is not committed is taken back: no effects, and the actor restarts."""
        self.on_commit: Callable[[str, Sequence[object]], object] = lambda _owner, _records: None
        """Called between commit and effects. What it raises leaves :meth:`run`, as if the host had died right there."""
        self._contains_crashes = contains_crashes
        self._actors: dict[str, Actor] = {}
        self._ended: dict[str, Terminated] = {}
        self._listeners: dict[str, list[Any]] = {}
        self._order: deque[str] = deque()
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._agenda_count = 0
        self._is_running = False

    # ---- what a test does

    def spawn(self, address: str, factory: Factory) -> None:
        """Make an actor. What its factory asks for is performed before the next message."""
        assert address not in self._actors, f"{address} lives already"
        context, behaviour = self._new_life(address, factory)
        self._actors[address] = Actor(address, factory, context, behaviour)
        self._finish(context)

    def listen(self, address: str) -> list[Any]:
        """Stand in for an actor: the list collects what is told to ``address``."""
        return self._listeners.setdefault(address, [])

    def tell(self, to: str, message: object) -> Receipt:
        """Send a message, from outside."""
        return self._tell(OUTSIDE, to, message)

    def signal(self, to: str, message: object) -> Receipt:
        """Send a message by the control lane, from outside."""
        return self._tell(OUTSIDE, to, message, control=True)

    def at(self, at_ms: int, action: Callable[[], object]) -> None:
        """Call ``action`` at an instant, among the timers."""
        self._agenda_count += 1
        heapq.heappush(self._agenda, (at_ms, self._agenda_count, action))

    def run(self) -> None:
        """Handle messages, and timers that are due now, until none is left. Called from within, it leaves that to the
        call that is at work.
        """
        if self._is_running:
            return
        self._is_running = True
        try:
            for _ in range(STEPS_MAX):
                if not self._step():
                    return
        finally:
            self._is_running = False
        raise AssertionError(f"still busy after {STEPS_MAX} messages; next: {list(self._order)[:8]}")

    def advance(self, by_ms: int) -> None:
        """Let time pass, timer by timer. Each is followed by all messages that it leads to."""
        assert not self._is_running, "time stands still while a message is handled"
        end_ms = self.now_ms + by_ms
        self.run()
        while self._agenda and self._agenda[0][0] <= end_ms:
            self.now_ms = self._agenda[0][0]
            self.run()
        self.now_ms = end_ms

    def jump(self, by_ms: int) -> None:
        """Let time pass without firing anything: the host stood still."""
        self.now_ms += by_ms

    def restart(self, address: str) -> None:
        """Throw the actor's life away and make the next one. The mailbox survives; timers and watches do not."""
        actor = self._actors[address]
        actor.context.end()
        actor.context, actor.behaviour = self._new_life(address, actor.factory)
        self._finish(actor.context)

    def stop(self, address: str) -> None:
        """Let an actor take no more messages, finish the accepted ones, and end."""
        self._actors[address].stopping = True
        self._order.append(address)

    def kill(self, address: str, cause: Cause = Cause.KILLED) -> None:
        """End an actor at once. What waits for it becomes dead letters."""
        actor = self._actors[address]
        for message, sender in [*actor.control, *actor.mailbox]:
            if not isinstance(message, Timer | Terminated):
                self._lose(address, message, cause.value, sender)
        self._terminate(actor, cause)

    def behaviour(self, address: str) -> Any:
        """The behaviour of the actor's present life."""
        return self._actors[address].behaviour

    def timers(self, address: str) -> dict[Hashable, int]:
        """When each armed timer of an actor is due."""
        return {key: timer.at_ms for key, timer in self._actors[address].context.timers.items()}

    def take_effects(self) -> list[tuple[str, Effect]]:
        """What was performed since the last take."""
        effects, self.effects = self.effects, []
        return effects

    # ---- one message

    def _step(self) -> bool:
        """Do one thing that is due now. False when there is none."""
        if self._order:
            actor = self._actors.get(self._order.popleft())
            if actor is None:
                return True
            if not actor.is_idle:
                self._handle(actor, *(actor.control or actor.mailbox).popleft())
            if actor.stopping and actor.is_idle and not actor.context.over:
                self._terminate(actor, Cause.STOPPED)
            return True
        # As in the kernel, all that is due is fired before the first message: a message can still take a timer back
        # whose own message is on the way.
        due: list[Callable[[], object]] = []
        while self._agenda and self._agenda[0][0] <= self.now_ms:
            due.append(heapq.heappop(self._agenda)[2])
        for action in due:
            action()
        return bool(due)

    def _handle(self, actor: Actor, message: Any, sender: str) -> None:
        context = actor.context
        if isinstance(message, Timer):
            if context.timers.get(message.key) is not message:
                return  # armed again, cancelled or lost while its message was on the way
            del context.timers[message.key]
            message = message.message
        context.batch = []
        try:
            result = actor.behaviour.receive(message)
            assert result is None, f"{actor.address} returned {result!r}: only synchronous actors run here"
        except Exception as error:
            self.crashes.append(Crash(actor.address, message, error))
            self._lose(actor.address, message, Cause.CRASHED.value, sender)
            self.restart(actor.address)
            if not self._contains_crashes:
                raise
            return
        outcome = self._finish(context)
        if outcome is not CommitOutcome.COMMITTED:
            self._lose(actor.address, message, outcome.value, sender)
            self.restart(actor.address)

    def _finish(self, context: DriverContext) -> CommitOutcome:
        """The message has been handled: perform what it asked for."""
        effects, context.batch = context.batch, None
        assert effects is not None
        return self._release(context, effects)

    def _release(self, context: DriverContext, effects: list[Effect]) -> CommitOutcome:
        """Commit the records of a context, then perform the effects."""
        records, context.records = context.records, []
        if records:
            owner, values = records[0][0], [record for _, record in records]
            outcome = self.commit(owner, values)
            if outcome is not CommitOutcome.COMMITTED:
                return outcome
            self.records[owner] += values
            self.on_commit(owner, values)
        for effect in effects:
            self.effects.append((context.address, effect))
            self._perform(context, *effect)
        return CommitOutcome.COMMITTED

    def _perform(self, context: DriverContext, op: int, a: Any, b: Any, c: Any) -> None:
        if op in {TELL, SIGNAL}:
            self._tell(context.address, a, b, control=op == SIGNAL)
        elif op >= HOST_OPS:
            if op in self.perform:
                self.perform[op](context.address, a, b, c)
        elif not context.over:
            self._perform_own(context, op, a, b, c)

    def _perform_own(self, context: DriverContext, op: int, a: Any, b: Any, c: Any) -> None:
        """What concerns the actor's present life."""
        if op == SET_TIMER:
            timer = context.timers[a] = Timer(a, b, c)
            self.at(b, lambda: self._fire(context, timer))
        elif op == CANCEL_TIMER:
            context.timers.pop(a, None)
        elif op == WATCH:
            self._watch(context, a)
        elif op == UNWATCH:
            self._unwatch(context, a)
        elif op == STOP:
            self.stop(context.address)
        else:
            raise AssertionError(f"{context.address} asks for the unknown operation {op}")

    # ---- mailboxes, timers, watches, lives

    def _tell(self, sender: str, to: str, message: object, *, control: bool = False) -> Receipt:
        actor = self._actors.get(to)
        refusal = None if control else self.refuse(to, message)
        if refusal is None and actor is None and to not in self._listeners:
            refusal = Refusal.STOPPED if to in self._ended else Refusal.UNKNOWN
        elif refusal is None and actor is not None and actor.stopping:
            refusal = Refusal.STOPPED
        if refusal is not None:
            self._lose(to, message, refusal.value, sender)
            return Receipt(refusal, to)
        if actor is None:
            self._listeners[to].append(message)
        else:
            self._put(actor, message, sender, control=control)
        return ACCEPTED

    def _put(self, actor: Actor, message: object, sender: str, *, control: bool = False) -> None:
        (actor.control if control else actor.mailbox).append((message, sender))
        self._order.append(actor.address)

    def _lose(self, to: str, message: object, reason: str, sender: str) -> None:
        self.dead_letters.append(DeadLetter(to, message, reason, sender))

    def _fire(self, context: DriverContext, timer: Timer) -> None:
        if context.timers.get(timer.key) is timer:
            self._put(self._actors[context.address], timer, context.address)

    def _watch(self, context: DriverContext, address: str) -> None:
        context.watching.add(address)
        if address not in self._actors and address not in self._listeners:
            self._announce(self._ended.get(address, Terminated(address, Cause.UNKNOWN)))

    def _unwatch(self, context: DriverContext, address: str) -> None:
        context.watching.discard(address)
        control = self._actors[context.address].control
        news = [entry for entry in control if isinstance(entry[0], Terminated) and entry[0].address == address]
        for entry in news:
            control.remove(entry)

    def _announce(self, news: Terminated) -> None:
        for actor in self._actors.values():
            if news.address in actor.context.watching:
                actor.context.watching.discard(news.address)
                self._put(actor, news, news.address, control=True)

    def _new_life(self, address: str, factory: Factory) -> tuple[DriverContext, Any]:
        context = DriverContext(address, lambda: self.now_ms, self._release)
        return context, factory(context)

    def _terminate(self, actor: Actor, cause: Cause) -> None:
        on_stop = getattr(actor.behaviour, "on_stop", None)
        if cause is Cause.STOPPED and on_stop is not None:
            on_stop()
        actor.context.end()
        del self._actors[actor.address]
        self._ended[actor.address] = Terminated(actor.address, cause)
        self._announce(self._ended[actor.address])
