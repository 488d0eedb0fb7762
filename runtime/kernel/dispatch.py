"""The dispatcher: one task that runs every synchronous actor, in the order in which they became ready.

A task per activation would cost 6 to 10 us and buy nothing, because a behaviour does not await; and Trio shuffles its
tasks, while the ready-queue here is first in, first out, so a run can be repeated. A ready cell handles a bounded
number of messages and goes to the end of the queue; after a bounded number of activations, or some milliseconds, the
dispatcher lets Trio's other tasks run.

What a message asks for is noted in one list and performed after it. The list belongs to the system and is used again
and again: to make one per message costs more than most messages. A message that asks for nothing pays one test of the
list. Measured in ratios to performing at once: without effects 0.94, with one effect per message 0.65; with an object
per effect instead of a tuple 5 to 15 % less.

The dispatcher is shielded: a cancel from outside ends asynchronous handling, but what was accepted is still handled or
accounted for, by the drain. It parks with nothing but a rescheduling, and what wakes it early is the deadline of the
scope it is parked in, which is that of the earliest timer.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast, final

import trio
from attrs import define
from loguru import logger

from ...protocols.actor import Cause
from . import ask, handling, lifecycle, supervision
from .cell import Cell, Life, State, Stopping
from .commits import BEHIND, Commits
from .context import ActorContext
from .dead_letters import DeadReason
from .effects import perform
from .events import Edge
from .kernel import Kernel
from .sender import OUTSIDE, Sender

BUDGET: Final = 64
"""Messages per activation; then the next actor runs."""
STEP: Final = 8
"""Activations between two looks at the real clock."""
SLICE_STEPS_MAX: Final = 32
SLICE_S: Final = 0.005
"""After so many steps, or so long on the real clock, Trio's other tasks run."""

_RUNNING, _STOPPED = State.RUNNING, State.STOPPED  # cheaper to look up than enum members
_BUDGET: Final = range(BUDGET)
_NOTHING: Final = deque[Any]()


@final
@define(eq=False, repr=False)
class Dispatcher:
    """Serves one system. ``commits`` is ``None`` when it has no journal."""

    kernel: Kernel[Cell]
    commits: Commits | None

    # Protected against Ctrl-C: between two lines of it the books do not agree.
    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Serve until the kernel is closed. A Ctrl-C goes to the main task and never lands in the middle of this."""
        kernel = self.kernel
        kernel.dispatcher = trio.lowlevel.current_task()
        try:
            with trio.CancelScope(shield=True):
                while not kernel.closed:
                    next_ms = kernel.timers.next_ms()
                    kernel.alarm_ms = math.inf if next_ms is None else next_ms
                    deadline = math.inf if next_ms is None else kernel.clock.deadline_s(next_ms)
                    with trio.CancelScope(deadline=deadline) as kernel.alarm:
                        await self._serve()
                    self._fire()
        finally:
            kernel.current = OUTSIDE
            kernel.dispatcher_gone = True  # nobody must wait for what will not be handled
            kernel.settled()

    async def _serve(self) -> None:
        kernel = self.kernel
        ready, realtime = kernel.ready, kernel.realtime
        while not kernel.closed:
            slice_end = time.perf_counter() + SLICE_S
            for _ in range(SLICE_STEPS_MAX):
                for _ in range(STEP):  # the clock is not read for each activation
                    if not ready:
                        break
                    self._run_cell(ready.popleft())
                if not ready or (realtime and time.perf_counter() > slice_end):
                    break
            kernel.current = OUTSIDE  # what other tasks send is not the last actor's
            if ready:
                await trio.lowlevel.checkpoint()
            else:
                await kernel.park()

    def _fire(self) -> None:
        now_ms = self.kernel.clock.now_ms()
        while (timer := self.kernel.timers.pop_due(now_ms)) is not None:
            timer.fire()

    def _run_cell(self, cell: Cell) -> None:
        """Let a ready cell handle some of what waits."""
        state = cell.run()
        if state is _STOPPED:
            return
        self.kernel.current = cell
        life = cell.life
        if life is None:
            life = self._begin(cell, state is State.RESTARTING)
            if life is None:
                return
        if self._work(cell, life, life.receive):
            if cell.queue or cell.control:
                cell.requeue()
            elif cell.stopping is not None:
                self._finish(cell, life)
            else:
                cell.rest()
                if cell.spec.passivate_after_ms is not None:
                    lifecycle.await_passivation(cell, life, cell.spec.passivate_after_ms)
        if cell.extras is not None and cell.extras.parked and cell.state is not _STOPPED:
            ask.admit_parked(cell)

    def _begin(self, cell: Cell, restarted: bool) -> Life | None:
        if cell.stopping is not None and not cell.has_mail:
            _end(cell)
            return None
        try:
            self._activate(cell, restarted)
        except (KeyboardInterrupt, trio.Cancelled):
            raise
        except BaseException as error:  # noqa: BLE001  a factory that raises is a crash of that actor
            supervision.crashed(cell, error, None, control=False)
        return cell.life

    def _activate(self, cell: Cell, restarted: bool) -> None:
        """Begin a life. What the factory raises is a crash, for the caller to handle."""
        batch = self.kernel.batch
        life = ActorContext(cell, batch=batch)
        try:
            # The factory notes its effects too; they are performed when the life has begun.
            life.behaviour = behaviour = cell.spec.factory(life)
            life.receive = behaviour.receive
            if cell.state is _STOPPED:  # its own factory had it killed
                life.end()
                return
            cell.begin_life(life)
            if restarted:
                self.kernel.restarts += 1
                cell.need_extras().restarts += 1
            self.kernel.observe(Edge.RESTARTED if restarted else Edge.ACTIVATED, cell.address)
            if batch:
                if life.saving and self.kernel.commit_at_once is None:
                    self._commit(life, None, None, control=False)
                else:
                    perform(life, batch)
                    life.saving = False
        except BaseException:
            life.end()
            raise
        finally:
            batch.clear()
            life.batch = None

    def _work(self, cell: Cell, life: Life, receive: Callable[[Any], object]) -> bool:
        """Handle up to a budget of messages. False when somebody else will come back to the cell, or nobody."""
        queue = cell.queue or _NOTHING  # one made meanwhile is looked at next time
        batch = life.batch = self.kernel.batch
        commits_at_once = self.kernel.commit_at_once is not None
        if life.in_flight:
            batch.append(BEHIND)
        handled = skipped = 0
        message: Any = None
        sender: Sender = OUTSIDE
        control = False
        try:
            for handled in _BUDGET:  # noqa: B007  counting by hand costs 20 ns a message
                if cell.control:  # read for each message: a signal may arrive while the mailbox is being emptied
                    message, sender = cell.control.popleft()
                    control = True
                elif queue:
                    message = queue.popleft()
                    sender = queue.popleft()
                    control = False
                else:
                    break
                if sender is not OUTSIDE and sender.special and not sender.claim():
                    _skip(cell, message, sender)
                    skipped += 1
                    continue
                result = receive(message)
                if batch:
                    if life.in_flight or (life.saving and not commits_at_once):
                        self._commit(life, message, sender, control=control)
                    else:
                        # Records that are committed at once are effects like others. To make a batch of them first
                        # would cost 1.2 us a message, a fifth of what it takes to accept a wake.
                        perform(life, batch)
                        batch.clear()
                        life.saving = False
                    if life.over:  # its commits failed: what waits in the mailbox is for the next life
                        skipped -= 1  # it was handled, though no other comes after it
                        _discard(result)
                        break
                # After the batch: what receive asked for comes before anything that the coroutine does.
                if result is not None and handling.start(cell, message, sender, result, control=control):
                    break
            else:
                handled = BUDGET
        except (KeyboardInterrupt, trio.Cancelled):
            self._drop_batch(life)
            raise
        except BaseException as error:  # noqa: BLE001  SystemExit in one actor is that actor's crash
            self._drop_batch(life)
            cell.count(handled - skipped)  # before the crash is recorded: the messages before it reset the attempts
            _crashed(cell, life, error, (message, sender), control=control)
            return False
        if batch:
            batch.clear()
        life.batch = None
        cell.count(handled - skipped)
        return cell.life is life and cell.state is _RUNNING

    def _drop_batch(self, life: Life) -> None:
        """Nothing of the present message happens."""
        self.kernel.batch.clear()
        life.batch, life.saving = None, False

    def _finish(self, cell: Cell, life: Life) -> None:
        """A cell that takes no more has handled what it had accepted."""
        if life.in_flight and self.commits is not None:
            cell.rest()
            self.commits.wait_to_end(cell, life)
        else:
            _end(cell)

    def _commit(self, life: Life, message: Any, sender: Sender | None, *, control: bool) -> None:
        """A message has been handled: let its effects go after the commit."""
        assert self.commits is not None
        self.commits.take(life, message, sender, control=control)


def _end(cell: Cell) -> None:
    if cell.stopping is Stopping.OWN:
        supervision.stopped_itself(cell)
    else:
        lifecycle.terminate(cell, Cause.STOPPED)


def _skip(cell: Cell, message: Any, sender: Sender) -> None:
    if not sender.exempt:  # a stale message of a timer was taken back by its owner
        cell.kernel.dead_letter(cell.address, message, sender, DeadReason.ABANDONED)


def _discard(result: object) -> None:
    if isinstance(result, Coroutine):
        cast("Coroutine[Any, Any, Any]", result).close()


def _crashed(cell: Cell, life: Life, error: BaseException, entry: tuple[Any, Sender], *, control: bool) -> None:
    if cell.life is life:
        supervision.crashed(cell, error, entry, control=control)
    else:  # it killed itself and then raised: there is nothing left to restart
        logger.opt(exception=error).error("{} crashed after its end: {!r}", cell.address, error, actor=cell.address)
