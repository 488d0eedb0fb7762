"""The notices of finished commands, and the texts that tell of them, as OpenClaw has them."""

from __future__ import annotations

import pytest
from support.exec_rows import is_due, told_by
from support.vectors import Row, each_row
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.completion import parse_exec_completion
from wakeward.protocols.jobs.notice import compact_output, exit_label
from wakeward.protocols.openclaw.event_text import (
    is_cron_event,
    is_exec_completion,
    is_relayable_completion,
)


@each_row("exec_events", kind="classify")
def test_classify(row: Row) -> None:
    text = row["input"]["text"]
    parsed = parse_exec_completion(text)
    assert {
        "is_exec_completion": is_exec_completion(text),
        "is_relayable": is_relayable_completion(text),
        "is_cron_event": is_cron_event(text),
        "structured": parsed and {name: getattr(parsed, name) for name in row["expected"]["structured"] or ()},
    } == row["expected"]


@each_row("exec_events", kind="exit_label")
def test_exit_label(row: Row) -> None:
    assert exit_label(**row["input"]) == row["expected"]["label"]


@each_row("exec_events", kind="compact_output")
def test_compact_output(row: Row) -> None:
    assert compact_output(row["input"]["value"]) == row["expected"]["text"]


@each_row("exec_events", kind="notify")
def test_notify(row: Row) -> None:
    status, session, expected = row["input"]["status"], row["input"]["session"], row["expected"]
    assert (session["exit_notified"] or is_due(session)) is expected["exit_notified"]
    if expected["error"] is not None:
        with pytest.raises(InvalidInputError):
            told_by(status, session)
        return
    assert told_by(status, session) == {"event": expected["event"], "wake": expected["wake"]}
