"""The ``process`` rows: real children, how they end, and what their ends tell whom."""

from __future__ import annotations

from typing import Any

import trio
from support.exec_rows import delivery_of, delivery_row, route_of, wake_row
from support.job_stage import ProcessStage, open_job_stage, wait_until
from support.vectors import Row, each_row
from wakeward.protocols.jobs.record import Contract
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.jobs.terms import contract_for
from wakeward.protocols.sessions.locate import Location
from wakeward.protocols.sessions.route import owner_of, queue_key
from wakeward.runtime.jobs.handle import JobHandle

KILL_AFTER = 0.15


def contract_of(given: dict[str, Any]) -> Contract:
    """A session that is nobody's cannot start a job here; in OpenClaw its exit is told to nobody."""
    key = given["session_key"]
    owner = given["agent_id"] or owner_of(key, "main")
    queue = queue_key(route_of(key, given["event_routing"]).event_key, owner) if key else "agent:main:main"
    return contract_for(
        Location(owner, queue),
        delivery=delivery_of(given["delivery_context"]),
        notify_on_exit=given["notify_on_exit"] and key is not None,
        notify_on_empty_success=given["notify_on_exit_empty_success"],
    )


async def run_to_exit(stage: ProcessStage, given: dict[str, Any]) -> JobHandle:
    timeout_s = given["timeout_sec"]
    spec = JobSpec(
        given["command"],
        timeout_ms=round(timeout_s * 1000) if timeout_s else None,
        head_bytes=0,
        tail_bytes=given["max_output"],
    )
    handle = stage.jobs.start(spec, contract_of(given), background=given["background_at"] == "start")
    if given["kill"] is not None:
        assert given["kill"] == "runtime-cancel"
        await trio.sleep(KILL_AFTER)
        handle.kill()
    if given["poll_before_exit"]:
        await handle.wait_exit()
    await wait_until(lambda: handle.exit is not None, 15)  # looking does not count as having been shown it
    return handle


def outcome_of(handle: JobHandle) -> dict[str, Any]:
    ended = handle.exit
    assert ended is not None
    return {
        "status": ended.status.value,
        "exit_code": ended.exit_code,
        "exit_signal": ended.exit_signal,
        "exit_reason": ended.reason.value,
        "timed_out": ended.timed_out,
        "failure_kind": ended.failure_kind.value if ended.failure_kind else None,
    }


def told_of(stage: ProcessStage, job_id: str, given: dict[str, Any]) -> tuple[Any, Any]:
    if not stage.told:
        return None, None
    (notice,) = stage.told
    event = {
        "session_key": notice.session_key,
        "text": notice.text.replace(job_id[:8], "<sid8>"),
        "context_key": notice.context_key.replace(job_id, "<sid>"),
        "delivery_context": delivery_row(notice.delivery),
    }
    if notice.intent is None:
        return event, None
    route = route_of(given["session_key"], given["event_routing"])
    said = {
        "source": notice.source.value,
        "intent": notice.intent.value,
        "reason": notice.reason,
        "coalesce_ms": notice.coalesce_ms,
    }
    return event, {**(wake_row(given["session_key"], given["agent_id"], route) or {}), **said}


@each_row("exec_events", kind="process")
async def test_a_child_ends_and_is_told_as_recorded(row: Row) -> None:
    given, expected = row["input"], row["expected"]
    with trio.fail_after(20):
        async with open_job_stage() as stage:
            handle = await run_to_exit(stage, given)
            assert outcome_of(handle) == expected["outcome"]
            assert told_of(stage, handle.id, given) == (expected["event"], expected["wake"])
