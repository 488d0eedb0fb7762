from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cattrs
import pytest
from attrs import fields
from cattrs.strategies import configure_union_passthrough
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.record import (
    AUDIENCE_MOVES,
    NOTICE_MOVES,
    STATE_MOVES,
    Audience,
    Contract,
    JobRecord,
    JobState,
    KeptSpec,
    NoticeState,
    kept_spec,
)
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.wake import Source

TABLES: list[Mapping[Any, frozenset[Any]]] = [STATE_MOVES, AUDIENCE_MOVES, NOTICE_MOVES]
FIELDS = {JobState: "state", Audience: "audience", NoticeState: "notice"}
_INT = st.integers(0, 2**53)
_OPTIONAL_INT = st.none() | _INT
_WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)

EXITS = st.builds(Exit, st.sampled_from(ExitReason), st.none() | st.integers(0, 255), duration_ms=_INT, detail=_WORD)
CONTRACTS = st.builds(
    Contract,
    agent_id=_WORD,
    session_key=_WORD,
    wakes=st.booleans(),
    delivery=st.none() | st.builds(DeliveryContext, _WORD, _WORD, _WORD, st.none() | st.integers(1, 9) | _WORD),
    source=st.sampled_from(Source),
    notify_on_exit=st.booleans(),
    notify_on_empty_success=st.booleans(),
)
RECORDS = st.builds(
    JobRecord,
    id=_WORD,
    boot=_WORD,
    spec=st.builds(KeptSpec, _WORD, _OPTIONAL_INT, _OPTIONAL_INT, _OPTIONAL_INT, _INT, st.booleans(), st.booleans()),
    contract=CONTRACTS,
    started_ms=_INT,
    silent_since_ms=_INT,
    audience=st.sampled_from(Audience),
    state=st.sampled_from(JobState),
    notice=st.sampled_from(NoticeState),
    pid=_OPTIONAL_INT,
    exit=st.none() | EXITS,
    ended_ms=_OPTIONAL_INT,
    tail=_WORD,
    reported_bytes=_OPTIONAL_INT,
)


def new_record(**changes: Any) -> JobRecord:
    given_fields: dict[str, Any] = {"started_ms": 1, "silent_since_ms": 1}
    return JobRecord(
        "amber-reef", "boot", KeptSpec("make"), Contract("ops", "agent:ops:main"), **given_fields | changes
    )


@given(RECORDS)
def test_a_record_survives_being_stored(record: JobRecord) -> None:
    converter = cattrs.Converter()
    configure_union_passthrough(int | str | None, converter)
    assert converter.structure(converter.unstructure(record), JobRecord) == record


def test_neither_environment_nor_input_is_kept() -> None:
    spec = JobSpec("x", env={"TOKEN": "secret"}, stdin=b"secret", timeout_ms=5, detach=True)
    kept = kept_spec(spec)
    assert "secret" not in repr(kept)
    assert (kept.title, kept.timeout_ms, kept.detach, kept.silence_notice_ms) == ("x", 5, True, 300_000)
    assert {field.name for field in fields(KeptSpec)} <= set(dir(spec))


@pytest.mark.parametrize("table", TABLES, ids=["state", "audience", "notice"])
def test_every_member_has_its_row(table: Mapping[Any, frozenset[Any]]) -> None:
    members: set[Any] = {*JobState, *Audience, *NoticeState}
    assert set(table) == {member for member in members if type(member) is type(next(iter(table)))}


@pytest.mark.parametrize("table", TABLES, ids=["state", "audience", "notice"])
def test_only_legal_moves_can_be_made_and_an_illegal_one_changes_nothing(
    table: Mapping[Any, frozenset[Any]],
) -> None:
    field = FIELDS[type(next(iter(table)))]
    for source in table:
        for target in table:
            record = new_record(**{field: source})
            if target is source or target in table[source]:
                assert getattr(record.moved(**{field: target}), field) is target
            else:
                with pytest.raises(AssertionError):
                    record.moved(**{field: target})
                assert getattr(record, field) is source


def test_the_tail_goes_with_the_notice() -> None:
    record = new_record(tail="x", notice=NoticeState.HELD)
    assert record.moved(notice=NoticeState.SENT).tail == "x"
    assert record.moved(notice=NoticeState.SETTLED).tail == ""


def test_the_diagrams_of_the_documentation_are_made_from_the_tables() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "jobs.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^    (\S+) --> (\S+)$", page, re.MULTILINE)
    moves = [(a.value, b.value) for table in TABLES for a in table for b in table if b in table[a]]
    assert drawn == moves
