"""The records of an agent: what a message changed, as immutable values.

Most records are the new value of one thing, stored under its key, so that a later record of the same key replaces an
earlier one: a session, an event, the agent's clock, a job. Some say that something is gone. What is configured (the
handler, the settings) is no record: it comes from whoever configures the host.

A field that is added to a record gets a default; a change that an old reader would misunderstand gets a new version
(:mod:`.codec`).
"""

from __future__ import annotations

from typing import final

from ..jobs.record import JobRecord
from ..values.value_class import value_class
from ..wakes.cooldown import CooldownClock
from ..wakes.event import Event
from ..wakes.session_record import SessionRecord


@final
@value_class
class AgentRecord:
    """What is durable of an agent itself.

    Attributes:
        clock: Its cooldown clock. It belongs to the agent id, and outlives the agent's removal.
        heartbeat_served_ms: The last instant of its heartbeat that was served.
    """

    # Kept after the agent is removed, so that one that is added again cannot slip past its guards.
    clock: CooldownClock
    heartbeat_served_ms: int | None = None


@final
@value_class
class AgentForgotten:
    """Nothing is kept of the agent itself any more. The mark of its event ids stays: an id is never used twice."""


@final
@value_class
class SessionForgotten:
    """Nothing is left in a session."""

    key: str


@final
@value_class
class EventsRemoved:
    """Events have left a session's queue: acknowledged, dropped, or dead."""

    session_key: str
    # Numbers only: the events themselves stand in the journal already.
    event_ids: tuple[int, ...]


@final
@value_class
class JobForgotten:
    """A job that has ended is no longer kept."""

    job_id: str


@final
@value_class
class EventIdsUsed:
    """The highest event id that was ever used. Only a snapshot needs it: otherwise the events themselves say so."""

    event_id_max: int


Record = (
    AgentRecord
    | AgentForgotten
    | SessionRecord
    | SessionForgotten
    | Event
    | EventsRemoved
    | EventIdsUsed
    | JobRecord
    | JobForgotten
)
