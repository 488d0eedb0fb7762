"""Stored records: what is written is read again, and what cannot be read is refused with a clear error."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.record import Audience, Contract, JobRecord, JobState, KeptSpec, NoticeState
from wakeward.protocols.journal.codec import RecordError, StoredRecord, decode_record, encode_record
from wakeward.protocols.journal.port import RECORD_BYTES_MAX
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
from wakeward.protocols.wakes.event import DeliveryContext, Event
from wakeward.protocols.wakes.messages import Ticket
from wakeward.protocols.wakes.pending import PendingWake, SessionWakes, Waiter
from wakeward.protocols.wakes.session_record import SessionRecord, TurnRecord
from wakeward.protocols.wakes.wake import Intent, Source, WakeTask

KEY: Final = "agent:ops:main"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.none() | TEXTS
NUMBERS = st.integers(0, 2**53)
MAYBE = st.none() | NUMBERS
DELIVERIES = st.none() | st.builds(DeliveryContext, NAMES, NAMES, NAMES, NAMES | st.integers(-9, 2**53))
CLOCKS = st.builds(
    CooldownClock, MAYBE, NUMBERS, MAYBE, st.lists(NUMBERS, max_size=3).map(tuple),
    st.lists(st.tuples(TEXTS, NUMBERS), max_size=2).map(tuple), st.booleans(),
)  # fmt: skip
EVENTS = st.builds(
    Event, NUMBERS, TEXTS, TEXTS, NAMES, TEXTS, st.booleans(), NUMBERS, DELIVERIES, st.booleans(), NUMBERS, NAMES
)
TASKS = st.builds(WakeTask, TEXTS, TEXTS, TEXTS)
CALLERS = st.builds(Waiter, st.builds(Ticket, TEXTS, NUMBERS), st.booleans())
WAKES = st.builds(
    PendingWake, st.sampled_from(Source), st.sampled_from(Intent), TEXTS, NUMBERS, NUMBERS, NUMBERS,
    st.booleans(), st.booleans(), st.lists(TEXTS, max_size=3).map(tuple), NUMBERS,
    st.lists(TASKS, max_size=2).map(tuple), DELIVERIES, MAYBE, st.lists(CALLERS, max_size=2).map(tuple), NUMBERS,
)  # fmt: skip
MAYBE_WAKES = st.none() | WAKES
EVENT_IDS = st.lists(NUMBERS, max_size=3).map(tuple)
TURNS = st.builds(TurnRecord, TEXTS, NUMBERS, NUMBERS, NUMBERS, WAKES, EVENT_IDS, NUMBERS)
SESSIONS = st.builds(
    SessionRecord, TEXTS, st.builds(SessionWakes, MAYBE_WAKES, MAYBE_WAKES, MAYBE_WAKES, NUMBERS),
    st.lists(WAKES, max_size=1).map(tuple), st.none() | TURNS, st.booleans(), st.booleans(), NUMBERS,
)  # fmt: skip


def some_exit(reason: ExitReason, code: int | None, signal: str | None, detail: str) -> Exit:
    return Exit(reason, code, None if code is not None else signal, 7, detail, signal)


EXITS = st.builds(
    some_exit,
    st.sampled_from(ExitReason), MAYBE, NAMES, TEXTS,
)  # fmt: skip
JOBS = st.builds(
    JobRecord,
    TEXTS,
    TEXTS,
    st.builds(KeptSpec, TEXTS, MAYBE, MAYBE, MAYBE, NUMBERS, st.booleans(), st.booleans()),
    st.builds(Contract, TEXTS, TEXTS, st.booleans(), DELIVERIES, st.sampled_from(Source), st.booleans(), st.booleans()),
    NUMBERS,
    NUMBERS,
    st.sampled_from(Audience),
    st.sampled_from(JobState),
    st.sampled_from(NoticeState),
    MAYBE,
    st.none() | EXITS,
    MAYBE,
    TEXTS,
    MAYBE,
)
RECORDS: Final[dict[type, st.SearchStrategy[Any]]] = {
    AgentRecord: st.builds(AgentRecord, CLOCKS, MAYBE),
    AgentForgotten: st.just(AgentForgotten()),
    SessionRecord: SESSIONS,
    SessionForgotten: st.builds(SessionForgotten, TEXTS),
    Event: EVENTS,
    EventsRemoved: st.builds(EventsRemoved, TEXTS, EVENT_IDS),
    EventIdsUsed: st.builds(EventIdsUsed, NUMBERS),
    JobRecord: JOBS,
    JobForgotten: st.builds(JobForgotten, TEXTS),
}
EACH_TYPE = pytest.mark.parametrize("record_type", RECORDS, ids=[record_type.__name__ for record_type in RECORDS])


def test_every_type_of_record_is_tried_here() -> None:
    assert set(RECORDS) == set(Record.__args__)


@EACH_TYPE
@given(data=st.data())
def test_what_is_written_is_read_again(record_type: type, data: st.DataObject) -> None:
    record = data.draw(RECORDS[record_type])
    stored = encode_record(record)
    again = decode_record(stored)
    assert again == record
    assert type(again) is record_type
    assert encode_record(again) == stored


@EACH_TYPE
@given(data=st.data())
def test_a_body_is_canonical_json(record_type: type, data: st.DataObject) -> None:
    stored = encode_record(data.draw(RECORDS[record_type]))
    value = json.loads(stored.body)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert stored.body == text.encode()
    assert decode_record(StoredRecord(stored.kind, stored.version, json.dumps(value, indent=2).encode())) == (
        decode_record(stored)
    )


def test_what_is_at_its_default_is_left_out() -> None:
    assert encode_record(SessionRecord(KEY)).body == b'{"key":"agent:ops:main"}'
    assert encode_record(AgentForgotten()).body == b"{}"


@pytest.mark.parametrize("thread_id", [5, "5", 0, "topic", None])
def test_a_thread_id_stays_a_number_or_a_text(thread_id: int | str | None) -> None:
    """5 and "5" are equal as threads, so the round trip alone does not show the difference."""
    event = Event(1, KEY, "x", None, "hook", False, 0, DeliveryContext("telegram", "42", thread_id=thread_id))
    read = decode_record(encode_record(event))
    assert isinstance(read, Event)
    assert read.delivery is not None
    assert (read.delivery.thread_id, type(read.delivery.thread_id)) == (thread_id, type(thread_id))


def test_a_field_of_a_later_program_is_passed_over() -> None:
    assert decode_record(StoredRecord("session-forgotten", 1, b'{"key":"k","later":1}')) == SessionForgotten("k")


@pytest.mark.parametrize(
    ("kind", "version", "body", "message"),
    [
        ("dream", 1, b"{}", r"kind 'dream', version 1: this program knows agent up to 1, .*job-forgotten up to 1"),
        ("session", 2, b"{}", "kind 'session', version 2: this program knows"),
        ("session", 1, b"{}", "kind 'session' is damaged"),
        ("session", 1, b"", "kind 'session' is damaged"),
        ("session", 1, b"\xff\xfe", "kind 'session' is damaged"),
        ("session", 1, b'{"key":"k"', "kind 'session' is damaged"),
        ("session", 1, b"[]", "kind 'session' is damaged"),
        ("session", 1, b"null", "kind 'session' is damaged"),
        ("events-removed", 1, b'{"session_key":"k","event_ids":["x"]}', "kind 'events-removed' is damaged"),
        ("job", 1, b'{"id":"j","state":"dreaming"}', "kind 'job' is damaged"),
    ],
)
def test_garbage_is_refused(kind: str, version: int, body: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode_record(StoredRecord(kind, version, body))


@EACH_TYPE
@given(data=st.data())
def test_a_body_that_was_cut_is_refused(record_type: type, data: st.DataObject) -> None:
    stored = encode_record(data.draw(RECORDS[record_type]))
    cut = stored.body[: data.draw(st.integers(0, len(stored.body) - 1))]
    with pytest.raises(RecordError, match="is damaged"):
        decode_record(StoredRecord(stored.kind, stored.version, cut))


@given(st.sampled_from(["agent", "session", "event", "job", "events-removed"]), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(kind: str, body: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(StoredRecord(kind, 1, body))


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(RecordError, match="'session-forgotten' holds a lone surrogate at 8"):
        encode_record(SessionForgotten("\ud800"))


def test_a_record_that_is_too_large_is_refused() -> None:
    around = len(encode_record(SessionForgotten("")).body)
    assert len(encode_record(SessionForgotten("x" * (RECORD_BYTES_MAX - around))).body) == RECORD_BYTES_MAX
    with pytest.raises(RecordError, match=f"has {RECORD_BYTES_MAX + 1} bytes, at most {RECORD_BYTES_MAX} are accepted"):
        encode_record(SessionForgotten("x" * (RECORD_BYTES_MAX - around + 1)))
