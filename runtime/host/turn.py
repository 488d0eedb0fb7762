"""What a handler is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from attrs import define

from ...protocols.wakes.event import DeliveryContext, Event
from ...protocols.wakes.turn import TurnRequest
from ...protocols.wakes.wake import Intent, Source, WakeTask
from ..jobs.handle import JobHandle
from ..jobs.options import Command, JobOptions

if TYPE_CHECKING:
    from .host import Host


@final
@define(eq=False)
class Turn:
    """One run of an agent's handler on one session."""

    _request: TurnRequest
    _host: Host

    @property
    def turn_id(self) -> int:
        """Unique within the host."""
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

    async def exec(self, command: Command, **options: Any) -> JobHandle:
        """Run a command for this session: :meth:`Host.exec <wakeward.runtime.host.Host.exec>` with the turn's
        session.
        """
        return await self._host.exec(self.session_key, command, **options)

    async def exec_background(self, command: Command, **options: Any) -> JobHandle:
        """Run a command in the background. It outlives the turn; its exit wakes this session, and no other."""
        return await self.exec(command, background=True, **options)

    async def exec_as_turn(self, command: Command, options: JobOptions) -> JobHandle:
        """Run the program that the turn consists of: its silence is a stall of the session."""
        return await self._host.exec_with(self.session_key, command, options, source=Source.CLI_WATCHDOG)
