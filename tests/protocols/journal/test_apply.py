"""Recovery is a fold: an image is what all records come to, and can be made again from its own records."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.record import Contract, JobRecord, KeptSpec
from wakeward.protocols.journal.apply import AgentImage, apply, records_of
from wakeward.protocols.journal.codec import decode_record, encode_record
from wakeward.protocols.journal.records import (
    AgentForgotten,
    AgentRecord,
    EventIdsUsed,
    EventsRemoved,
    JobForgotten,
    Record,
    SessionForgotten,
)
from wakeward.protocols.wakes.cooldown import CooldownClock
from wakeward.protocols.wakes.event import Event
from wakeward.protocols.wakes.session_record import SessionRecord

A, B = "agent:ops:a", "agent:ops:b"
CLOCK = CooldownClock(60_000, 5)


def event(event_id: int, key: str = A, text: str = "text") -> Event:
    return Event(event_id, key, text, None, "hook", False, event_id, None)


def job(job_id: str, boot: str = "boot") -> JobRecord:
    return JobRecord(job_id, boot, KeptSpec("make"), Contract("ops", A), 1, 1)


def folded(records: Iterable[Record]) -> AgentImage:
    image = AgentImage()
    for record in records:
        apply(image, record)
    return image


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Records as an agent saves them: an event id is used once, and only a queued event is removed."""
    history: list[Record] = []
    queued: dict[int, str] = {}
    for number in range(draw(st.integers(0, 25))):
        key, job_id = draw(st.sampled_from([A, B])), draw(st.sampled_from("12"))
        kind = draw(st.integers(0, 8))
        if kind == 0:
            history.append(AgentRecord(CLOCK, number))
        elif kind == 1:
            history.append(AgentForgotten())
        elif kind == 2:
            history.append(SessionRecord(key, events_dropped=number))
        elif kind == 3:
            history.append(SessionForgotten(key))
        elif kind == 4 and queued and draw(st.booleans()):  # shown in a turn that failed: the same id, changed
            event_id = draw(st.sampled_from(sorted(queued)))
            history.append(event(event_id, queued[event_id], f"changed at {number}"))
        elif kind == 4:
            queued[number] = key
            history.append(event(number, key))
        elif kind == 5:
            there = [event_id for event_id, of in queued.items() if of == key]
            if there:
                gone = draw(st.lists(st.sampled_from(there), min_size=1, unique=True))
                for event_id in gone:
                    del queued[event_id]
                history.append(EventsRemoved(key, tuple(gone)))
        elif kind == 6:
            history.append(EventIdsUsed(number))
        else:
            history.append(job(job_id, f"boot {number}") if kind == 7 else JobForgotten(job_id))
    return history


@given(histories())
def test_an_image_is_made_again_from_its_own_records(history: list[Record]) -> None:
    image = folded(history)
    again = folded(records_of(image))
    assert again == image
    assert {key: list(events) for key, events in again.events.items()} == {
        key: list(events) for key, events in image.events.items()
    }


@given(histories())
def test_the_way_over_stored_bytes_changes_nothing(history: list[Record]) -> None:
    assert folded(decode_record(encode_record(record)) for record in history) == folded(history)


@given(histories())
def test_an_image_holds_the_last_of_each_key_and_nothing_that_is_gone(history: list[Record]) -> None:
    image = folded(history)
    sessions: dict[str, SessionRecord] = {}
    events: dict[tuple[str, int], Event] = {}
    jobs: dict[str, JobRecord] = {}
    agent: AgentRecord | None = None
    event_id_max = 0
    for record in history:
        match record:
            case AgentRecord() | AgentForgotten():
                agent = record if isinstance(record, AgentRecord) else None
            case SessionRecord(key=key):
                sessions[key] = record
            case SessionForgotten(key=key):
                sessions.pop(key, None)
            case Event(id=event_id, session_key=key):
                events[key, event_id] = record
                event_id_max = max(event_id_max, event_id)
            case EventIdsUsed(event_id_max=used):
                event_id_max = max(event_id_max, used)
            case EventsRemoved(session_key=key, event_ids=event_ids):
                for event_id in event_ids:
                    del events[key, event_id]
            case JobRecord(id=job_id):
                jobs[job_id] = record
            case JobForgotten(job_id=job_id):
                jobs.pop(job_id, None)
    assert (image.agent, image.sessions, image.jobs) == (agent, sessions, jobs)
    assert {(key, number): at for key, queue in image.events.items() for number, at in queue.items()} == events
    assert all(image.events.values())  # a session without events is not listed
    assert image.event_id_max == event_id_max


@given(histories(), st.data())
def test_a_fold_may_stop_anywhere_and_go_on(history: list[Record], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(history)))
    image = folded(history[:cut])
    before = copy.deepcopy(image)
    taken = folded(records_of(image))
    for record in history[cut:]:
        apply(taken, record)
    assert taken == folded(history)
    assert image == before  # a later record replaces values in its own image only


def test_an_event_id_is_never_used_twice_whatever_is_gone() -> None:
    image = folded([AgentRecord(CLOCK), event(7), EventsRemoved(A, (7,)), AgentForgotten()])
    assert image == AgentImage(event_id_max=7)


def test_the_mark_of_the_event_ids_never_falls() -> None:
    assert folded([event(7), EventsRemoved(A, (7,)), EventIdsUsed(3)]) == AgentImage(event_id_max=7)


def test_an_event_that_has_changed_keeps_its_place() -> None:
    image = folded([event(1), event(2), event(1, text="changed")])
    assert [at.text for at in image.events[A].values()] == ["changed", "text"]


def test_a_snapshot_keeps_the_mark_of_the_event_ids() -> None:
    image = folded([event(7), EventsRemoved(A, (7,))])
    assert folded(records_of(image)) == image
