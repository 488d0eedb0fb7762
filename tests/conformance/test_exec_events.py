"""The notices of finished commands, and the texts that tell of them, as OpenClaw has them."""

from __future__ import annotations

from typing import Any

import pytest
from support.vectors import Row, each_row
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.exit import ExitReason
from wakeward.protocols.jobs.notice import (
    DirectScope,
    ExecNotice,
    FinishedJob,
    JobRouting,
    JobStatus,
    compact_output,
    counts_as_notified,
    exec_notice,
    exit_label,
    main_peer,
)
from wakeward.protocols.openclaw.event_text import (
    is_cron_event,
    is_exec_completion,
    is_relayable_completion,
    parse_exec_completion,
)
from wakeward.protocols.sessions.route import Routing, Scope
from wakeward.protocols.wakes.event import DeliveryContext

_RENAMED = {"exit_notified": "notified", "event_routing": "routing", "delivery_context": "delivery"}


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
    job = _job(row["input"]["status"], row["input"]["session"])
    expected = row["expected"]
    assert counts_as_notified(job) is expected["exit_notified"]
    if expected["error"] is not None:
        with pytest.raises(InvalidInputError):
            exec_notice(job)
        return
    assert _told(exec_notice(job)) == {"event": expected["event"], "wake": expected["wake"]}


def _job(status: str, session: dict[str, Any]) -> FinishedJob:
    facts = {_RENAMED.get(name, name): value for name, value in session.items()}
    facts["exit_reason"] = ExitReason(facts["exit_reason"]) if facts["exit_reason"] else None
    facts["routing"] = _routing(facts["routing"] or {})
    facts["delivery"] = DeliveryContext(**facts["delivery"]) if facts["delivery"] is not None else None
    return FinishedJob(status=JobStatus(status), **facts)


def _routing(policy: dict[str, Any]) -> JobRouting:
    return JobRouting(
        Routing(policy.get("main_key"), Scope(policy.get("session_scope") or "per-sender")),
        main_peer(policy.get("allow_from") or (), DirectScope(policy.get("dm_scope") or "main")),
    )


def _told(notice: ExecNotice | None) -> dict[str, Any]:
    if notice is None:
        return {"event": None, "wake": None}
    event, wake, to = notice.event, notice.wake, notice.event.delivery
    delivery = to and {
        "channel": to.channel,
        "to": to.to,
        "account_id": to.account_id,
        "thread_id": to.thread_id,
    }
    return {
        "event": {
            "session_key": event.session_key,
            "text": event.text,
            "context_key": event.context_key,
            "delivery_context": delivery,
        },
        "wake": wake
        and {
            "source": wake.source.value,
            "intent": wake.intent.value,
            "reason": wake.reason,
            "coalesce_ms": wake.coalesce_ms,
            "agent_id": wake.agent_id,
            "session_key": wake.session_key,
        },
    }
