"""What a handler is given."""

from __future__ import annotations

from typing import Protocol, Unpack, final

from attrs import define

from ...protocols.wakes.event import DeliveryContext, Event
from ...protocols.wakes.turn import TurnRequest
from ...protocols.wakes.wake import Intent, Source, WakeTask
from ..jobs.handle import JobHandle
from ..jobs.options import Command, JobKeywords, JobOptions


class TurnPort(Protocol):
    """What a turn may ask of its host."""

    async def exec(self, session_key: str, command: Command, options: JobOptions, source: Source) -> JobHandle:
        """Run a command for the session of a turn."""
        ...


@final
@define(eq=False)
class Turn:
    """One run of an agent's handler on one session."""

    _request: TurnRequest
    _port: TurnPort

    @property
    def turn_id(self) -> int:
        """Unique within the run of the host."""
        return self._request.turn_id

    @property
    def agent_id(self) -> str:
        """The agent that was woken."""
        return self._request.agent_id

    @property
    def session_key(self) -> str:
        """The session that was woken."""
        return self._request.session_key

    @property
    def source(self) -> Source:
        """Who asked for it; equal to its text, ``turn.source == "manual"``."""
        return self._request.source

    @property
    def intent(self) -> Intent:
        """How urgent it was."""
        return self._request.intent

    @property
    def reason(self) -> str:
        """The reason of the wake that prevailed."""
        return self._request.reason

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason that led here, oldest first; beyond 32 only :attr:`reasons_omitted` counts them."""
        return self._request.reasons

    @property
    def reasons_omitted(self) -> int:
        """Reasons not kept."""
        return self._request.reasons_omitted

    @property
    def events(self) -> tuple[Event, ...]:
        """What the session has to see, oldest first. Acknowledged when the turn has run, and only then."""
        return self._request.events

    @property
    def events_dropped(self) -> int:
        """Older events that a queue with ``overflow = "drop-oldest"`` had to drop, and that no turn was told of yet."""
        return self._request.events_dropped

    @property
    def tasks(self) -> tuple[WakeTask, ...]:
        """Due work."""
        return self._request.tasks

    @property
    def delivery(self) -> DeliveryContext | None:
        """Where the answer should go: what the wake says, else the events, the latest first. ``None``: the session's
        own route.
        """
        return self._request.delivery

    @property
    def attempt(self) -> int:
        """0 for the first try of this work."""
        return self._request.attempt

    @property
    def started_at_ms(self) -> int:
        """On the host's timeline."""
        return self._request.started_at_ms

    @property
    def timeout_ms(self) -> int:
        """How long it may take; then it is cancelled."""
        return self._request.timeout_ms

    async def exec(self, command: Command, **options: Unpack[JobKeywords]) -> JobHandle:
        """Run a command for this session: :meth:`Host.exec <wakeward.runtime.host.host.Host.exec>` with the turn's
        session.
        """
        return await self._exec(command, JobOptions(**options), Source.EXEC_EVENT)

    async def exec_background(self, command: Command, **options: Unpack[JobKeywords]) -> JobHandle:
        """Run a command in the background. It outlives the turn; its exit wakes this session, and no other."""
        # Whatever the caller said: the name of the method is the promise.
        options["background"] = True
        return await self.exec(command, **options)

    async def exec_as_turn(self, command: Command, options: JobOptions) -> JobHandle:
        """Run the program that this turn is. Its silence is reported as the turn's own (source ``cli-watchdog``)."""
        return await self._exec(command, options, Source.CLI_WATCHDOG)

    async def _exec(self, command: Command, options: JobOptions, source: Source) -> JobHandle:
        return await self._port.exec(self.session_key, command, options, source)
