"""All that an agent knows, apart from its behaviour: made from the committed image, and from what is configured."""

from __future__ import annotations

from attrs import Factory, define

from ...protocols.config import AgentSettings
from ...protocols.journal.apply import AgentImage
from ...protocols.wakes.cooldown import CooldownClock
from ...protocols.wakes.event_queue import EventQueue
from ...protocols.wakes.session_record import SessionRecord
from .ports import Leaving
from .session import Session


@define(eq=False)
class AgentState:
    """The state of one agent.

    Attributes:
        settings: What it is configured to do. Not stored.
        paused: Nothing starts. Not stored.
        retired: Why it is leaving. Not stored.
        heartbeat_served_ms: The last instant of its heartbeat that was served.
        clock_saved: The clock as it is stored, or as a first one begins: that is stored when it changes.
    """

    settings: AgentSettings
    clock: CooldownClock
    clock_saved: CooldownClock
    sessions: dict[str, Session] = Factory(dict[str, Session])
    next_event_id: int = 1
    heartbeat_served_ms: int | None = None
    paused: bool = False
    retired: Leaving | None = None

    @property
    def events_retained(self) -> int:
        """Events that were accepted, and are neither presented nor dead."""
        return sum(session.events_waiting for session in self.sessions.values())


def load_state(image: AgentImage, settings: AgentSettings, now_ms: int) -> AgentState:
    """The state that an agent takes up.

    Args:
        image: What is committed. It is not changed, and its values are shared.
        settings: What the agent is configured to do now; the clock takes its interval from here.
        now_ms: The present instant: when a first scheduled turn is due.
    """
    saved = image.agent
    taken_up = CooldownClock(settings.interval_ms, now_ms) if saved is None else saved.clock
    state = AgentState(
        settings,
        taken_up,
        next_event_id=image.event_id_max + 1,
        heartbeat_served_ms=None if saved is None else saved.heartbeat_served_ms,
        clock_saved=taken_up,
    )
    if taken_up.interval_ms != settings.interval_ms:
        state.clock = taken_up.reconfigured(settings.interval_ms, now_ms)
    for key, record in image.sessions.items():
        state.sessions[key] = Session(key, record, saved=record)
    for key, events in image.events.items():
        # A session of which only events are stored has nothing pending and owes nothing.
        session = state.sessions.setdefault(key, Session(key, SessionRecord(key)))
        session.queue = EventQueue(key, settings.queue.capacity, settings.queue.overflow)
        session.queue.restore(events.values())
    return state
