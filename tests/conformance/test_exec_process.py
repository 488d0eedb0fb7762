"""The ``process`` rows: real children, how they end, and what their ends tell whom."""

from __future__ import annotations

from typing import Any

import trio
from support.exec_stage import ExecStage, open_exec_stage, wait_until
from support.vectors import Row, each_row
from wakeward.actors.jobs.record import Contract, Job
from wakeward.actors.jobs.supervisor import finished_job
from wakeward.protocols.jobs.notice import DirectScope, JobRouting, exec_notice, main_peer
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.sessions.route import Routing, Scope, owner_of
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.runtime.jobs.handle import JobHandle

KILL_AFTER = 0.15


def contract_of(given: dict[str, Any]) -> Contract:
    routing: dict[str, Any] = given["event_routing"] or {}
    delivery = given["delivery_context"]
    return Contract(
        session_key=given["session_key"],
        agent_id=given["agent_id"] or owner_of(given["session_key"], "main"),
        notify_on_exit=given["notify_on_exit"],
        notify_on_exit_empty_success=given["notify_on_exit_empty_success"],
        routing=JobRouting(
            Routing(routing.get("main_key"), Scope(routing.get("session_scope") or "per-sender")),
            main_peer(routing.get("allow_from") or (), DirectScope(routing.get("dm_scope") or "main")),
        ),
        delivery=DeliveryContext(**delivery) if delivery else None,
    )


async def run_to_exit(stage: ExecStage, given: dict[str, Any]) -> JobHandle:
    timeout_s = given["timeout_sec"]
    spec = JobSpec(
        given["command"],
        timeout_ms=round(timeout_s * 1000) if timeout_s else None,
        head_bytes=0,
        tail_bytes=given["max_output"],
    )
    handle = stage.jobs.start(spec, contract_of(given), backgrounded=given["background_at"] == "start")
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


def told_of(stage: ExecStage, job: Job) -> tuple[Any, Any]:
    if not stage.told:
        return None, None
    (notice,) = stage.told
    delivery = notice.delivery
    event = {
        "session_key": notice.session_key,
        "text": notice.text.replace(job.id[:8], "<sid8>"),
        "context_key": notice.context_key.replace(job.id, "<sid>"),
        "delivery_context": delivery
        and {name: getattr(delivery, name) for name in ("channel", "to", "account_id", "thread_id")},
    }
    if notice.intent is None:
        return event, None
    targets = exec_notice(finished_job(job))
    assert targets is not None
    assert targets.wake is not None
    wake = {
        "source": notice.source.value,
        "intent": notice.intent.value,
        "reason": notice.reason,
        "coalesce_ms": notice.coalesce_ms,
        "agent_id": targets.wake.agent_id,
        "session_key": targets.wake.session_key,
    }
    return event, wake


@each_row("exec_events", kind="process")
async def test_a_child_ends_and_is_told_as_recorded(row: Row) -> None:
    given, expected = row["input"], row["expected"]
    with trio.fail_after(20):
        async with open_exec_stage() as stage:
            handle = await run_to_exit(stage, given)
            assert outcome_of(handle) == expected["outcome"]
            job = handle._job  # pyright: ignore[reportPrivateUsage] - the record that the notice was made from
            assert told_of(stage, job) == (expected["event"], expected["wake"])
