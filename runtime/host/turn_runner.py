"""The turn runner: each turn in a task of its own, under a scope of its own.

What leaves a handler is told apart here, once: its outcome, a crash, an interrupt (the time limit is one; the agent
keeps it), a cancellation from outside. Whatever happens, the agent is told exactly once that the turn has ended, from a
``finally`` and synchronously, so that no cancellation can come between.

A turn stays in the books until the agent has dealt with its end (:meth:`TurnRunner.close`). So an agent that begins
again after a crash can tell a turn that runs, or whose end it will still hear of, from one that nobody will tell it of.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final, final

import trio
from attrs import define
from loguru import logger

from ...actors.agent.ports import SlotGranted, TurnEnded
from ...protocols.receipt import Receipt
from ...protocols.wakes.turn import Failed, Outcome, Ran, Skipped, TurnRequest
from ...protocols.wakes.turn_slots import Place, TurnSlots
from .outstanding import Outstanding

RunTurn = Callable[[TurnRequest], Awaitable[object]]
"""Calls an agent's handler for one request. What it returns is not trusted to be an outcome."""

INTERRUPTED: Final = Skipped("interrupted")
"""The outcome of a turn that was cancelled with the whole host: its events are kept."""

current_turn: Final[contextvars.ContextVar[TurnRequest | None]] = contextvars.ContextVar("current_turn", default=None)
"""The turn that a task works for, its child tasks included."""


@define(eq=False)
class _Running:
    request: TurnRequest
    handler: RunTurn
    scope: trio.CancelScope
    outcome: Outcome = INTERRUPTED


@define(eq=False)
class _NotAsync:
    returned: object


@final
class TurnRunner:
    """Runs turns in the host's nursery, and keeps the turn slots. Implements
    :class:`~wakeward.actors.agent.ports.Slots`.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        signal: Callable[[str, object], Receipt],
        handler_of: Callable[[str], RunTurn],
        turns_max: int,
        outstanding: Outstanding,
    ) -> None:
        """Prepare to run turns.

        Args:
            nursery: Where the turns' tasks live.
            signal: How the agents are told; it must work while cancelled.
            handler_of: The handler of an agent, by the agent's id, as it is configured when the turn starts.
            turns_max: Turns that run at once.
            outstanding: Where turns are counted.
        """
        self._nursery = nursery
        self._signal = signal
        self._handler_of = handler_of
        self._outstanding = outstanding
        self._ids = count(1)
        self._running: dict[int, _Running] = {}
        self._slots = TurnSlots(turns_max)
        self.acquire = self._slots.acquire
        self.holds = self._slots.holds
        self.sessions_of = self._slots.sessions_of

    # Slots

    def release(self, address: str, session_key: str) -> None:
        """See the port."""
        self._grant(self._slots.release(address, session_key))

    def set_limit(self, address: str, limit: int | None) -> None:
        """See the port."""
        self._grant(self._slots.set_limit(address, limit))

    def resize(self, turns_max: int) -> None:
        """Change how many turns run at once. Turns that run go on."""
        self._grant(self._slots.resize(turns_max))

    def _grant(self, served: list[Place]) -> None:
        for address, session_key in served:
            if not self._signal(address, SlotGranted(session_key)):
                self.release(address, session_key)  # the agent has gone

    # Turns

    def new_turn_id(self) -> int:
        """A number that no other turn of this run of the host has."""
        return next(self._ids)

    def start(self, address: str, request: TurnRequest, _b: object = None, _c: object = None) -> None:
        """Run a turn: performs the effect ``START_TURN``. The context variables of its cause do not leak into it."""
        running = _Running(request, self._handler_of(request.agent_id), trio.CancelScope())
        self._running[request.turn_id] = running
        self._outstanding.open_turn(request.turn_id)
        name = f"turn {request.turn_id} of {request.session_key}"
        contextvars.Context().run(self._nursery.start_soon, self._run, address, running, name=name)

    def interrupt(self, turn_id: int, outcome: Outcome) -> None:
        """Cancel a turn that runs: it ends with this outcome. Nothing happens when it has ended."""
        running = self._running.get(turn_id)
        if running is not None:
            running.outcome = outcome
            running.scope.cancel(reason=str(outcome))

    @property
    def running(self) -> list[TurnRequest]:
        """The turns that run, oldest first."""
        return [running.request for running in self._running.values()]

    @property
    def waiting_count(self) -> int:
        """Sessions that wait for a slot."""
        return self._slots.waiting_count

    async def _run(self, address: str, running: _Running) -> None:
        request = running.request
        current_turn.set(request)
        outcome: Outcome = INTERRUPTED
        try:
            with running.scope:
                outcome = await self._call(request, running.handler)
            if running.scope.cancel_called:
                outcome = running.outcome  # also when the handler finished all the same
        finally:
            del self._running[request.turn_id]
            if not self._signal(address, TurnEnded(request.turn_id, request.session_key, outcome)):
                self._outstanding.close_turn(request.turn_id)  # the agent has gone

    async def _call(self, request: TurnRequest, handler: RunTurn) -> Outcome:
        """Call the handler and make an outcome of whatever comes out of it. Only a cancellation passes."""
        try:
            coming = handler(request)
            returned = await coming if inspect.isawaitable(coming) else _NotAsync(coming)
        except (KeyboardInterrupt, trio.Cancelled):
            raise
        except BaseExceptionGroup as group:
            cancelled, crash = group.split((KeyboardInterrupt, trio.Cancelled))
            if crash is None:
                raise
            outcome = self._crashed(request, crash)
            if cancelled is not None:
                raise cancelled from None
            return outcome
        except BaseException as crash:  # noqa: BLE001 - SystemExit and the like end the turn, not the host
            return self._crashed(request, crash)
        return self._checked(request, returned)

    def _crashed(self, request: TurnRequest, crash: BaseException) -> Failed:
        logger.opt(exception=crash).error(
            "the handler of agent {} raised in a turn of {} ({}: {})",
            request.agent_id,
            request.session_key,
            request.source,
            request.reason,
        )
        return Failed(str(crash) or repr(crash))

    def _checked(self, request: TurnRequest, returned: object) -> Outcome:
        match returned:
            case None:
                return Ran()
            case Ran() | Skipped() | Failed():
                return returned
            case _NotAsync(returned=value):
                logger.error("the handler of agent {} is not async: it returned {!r}", request.agent_id, value)
                return Failed(f"the handler is not async: it returned {value!r}", transient=False)
            case _:
                accepted = "expected Ran, Skipped, Failed or None"
                logger.error("the handler of agent {} returned {!r}; {}", request.agent_id, returned, accepted)
                return Failed(f"the handler returned {returned!r}; {accepted}", transient=False)
