"""What an agent knows, what it acts through, and what it tells itself: all of it but the behaviour.

The state outlives the behaviour: a restart makes a new one from it, and a journal can store it.
"""

from __future__ import annotations

from collections import Counter
from typing import final

from attrs import Factory, define

from ...protocols.config import AgentSettings
from ...protocols.wakes.cooldown import CooldownClock
from .session import Lane


@final
@define(eq=False)
class SessionDue:
    """The timer of a lane: something in it may be taken now."""

    session_key: str


@final
@define(eq=False)
class HeartbeatDue:
    """The timer of the beat."""

    due_ms: int


@final
@define(eq=False)
class TurnOverdue:
    """The timer of a turn: its time is up."""

    session_key: str
    turn_id: int


@final
@define(eq=False)
class TurnStuck:
    """The timer of a turn that was told to end and has not."""

    session_key: str
    turn_id: int


@final
@define(eq=False)
class Configure:
    """New settings for a running agent: guards and retained wakes are kept, a running turn keeps the old ones."""

    settings: AgentSettings


@final
@define(eq=False)
class Pause:
    """Hold every wake, or let them go again."""

    paused: bool


@final
@define(eq=False)
class Retire:
    """Leave: take no more turns, let running ones end, report what was not seen, and stop."""

    reason: str


@define(eq=False)
class AgentCounts:
    """The books of one agent since it was added. Accepted = presented + retained + dead, at every instant."""

    wakes: int = 0
    coalesced: int = 0
    deferred: Counter[str] = Factory(Counter[str])
    turns: int = 0
    events_accepted: int = 0
    events_presented: int = 0
    events_dead: int = 0


@define(eq=False)
class AgentState:
    """All that an agent knows, apart from its behaviour.

    Attributes:
        retired: Why it is leaving.
        heartbeat_served_ms: The last deadline of its cadence that was served.
    """

    settings: AgentSettings
    clock: CooldownClock
    lanes: dict[str, Lane] = Factory(dict[str, Lane])
    counts: AgentCounts = Factory(AgentCounts)
    next_event_id: int = 1
    paused: bool = False
    retired: str | None = None
    heartbeat_served_ms: int | None = None

    @property
    def events_retained(self) -> int:
        """Events accepted and neither presented nor dead."""
        return sum(lane.events_waiting for lane in self.lanes.values())
