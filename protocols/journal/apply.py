"""From records to state: recovery is a fold.

An *image* is the committed state of one agent: what all its records, applied in order, come to. The host keeps the
image of each agent beside the agent. After a crash, or when a commit fails, a new behaviour starts from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, final

from attrs import Factory, define

from ..jobs.record import JobRecord
from ..wakes.event import Event
from ..wakes.session_record import SessionRecord
from .records import AgentForgotten, AgentRecord, EventsRemoved, JobForgotten, Record, SessionForgotten


@final
@define
class AgentImage:
    """The committed state of one agent. Its values are shared with the agent, and never changed in place.

    Attributes:
        agent: ``None`` for an agent that has never stored anything about itself.
        events: By session key, then by event id, in the order of acceptance.
        event_id_max: The highest event id that was ever used. It outlives the events: an id is never used twice.
    """

    agent: AgentRecord | None = None
    sessions: dict[str, SessionRecord] = Factory(dict[str, SessionRecord])
    events: dict[str, dict[int, Event]] = Factory(dict[str, dict[int, Event]])
    event_id_max: int = 0
    jobs: dict[str, JobRecord] = Factory(dict[str, JobRecord])


def apply(image: AgentImage, record: Record) -> None:
    """Bring an image up to date with one committed record."""
    if type(record) is SessionRecord:  # the commonest by far: each wake changes one
        image.sessions[record.key] = record
    else:
        _APPLY[type(record)](image, record)


def records_of(image: AgentImage) -> Iterator[Record]:
    """The records that an image can be made from again: a snapshot of it."""
    if image.agent is not None:
        yield image.agent
    yield from image.sessions.values()
    for events in image.events.values():
        yield from events.values()
    yield from image.jobs.values()


def _agent(image: AgentImage, record: AgentRecord) -> None:
    image.agent = record


def _agent_forgotten(image: AgentImage, _record: AgentForgotten) -> None:
    image.agent = None


def _session_forgotten(image: AgentImage, record: SessionForgotten) -> None:
    image.sessions.pop(record.key, None)


def _event(image: AgentImage, record: Event) -> None:
    events = image.events.get(record.session_key)
    if events is None:
        events = image.events[record.session_key] = {}
    events[record.id] = record
    image.event_id_max = max(image.event_id_max, record.id)


def _events_removed(image: AgentImage, record: EventsRemoved) -> None:
    events = image.events[record.session_key]
    for event_id in record.event_ids:
        del events[event_id]
    if not events:
        del image.events[record.session_key]


def _job(image: AgentImage, record: JobRecord) -> None:
    image.jobs[record.id] = record


def _job_forgotten(image: AgentImage, record: JobForgotten) -> None:
    image.jobs.pop(record.job_id, None)


_APPLY: Final[dict[type, Callable[[AgentImage, Any], None]]] = {
    AgentRecord: _agent,
    AgentForgotten: _agent_forgotten,
    SessionForgotten: _session_forgotten,
    Event: _event,
    EventsRemoved: _events_removed,
    JobRecord: _job,
    JobForgotten: _job_forgotten,
}
