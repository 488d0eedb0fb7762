"""Who is started when: OpenClaw's recorded schedules, run through a real host on a virtual clock.

The settings are OpenClaw's where they differ from our defaults. A wake without a session means the agent's main
session; OpenClaw has a lane of its own for it and reports no session, so the main session and none are the same here.
Whoever hears of a busy skip is told when it is tried again; OpenClaw does not say. Whoever waits for a wake that nobody
owns, or no longer, hears of it at once; OpenClaw lets such a wake wait for its time first.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from itertools import count
from typing import Any

import trio
import trio.testing
from support.vectors import Row, each_row
from wakeward import (
    AgentSpec,
    Failed,
    Heartbeat,
    HeartbeatOrigin,
    HostConfig,
    Ran,
    RetryPolicy,
    Skipped,
    Turn,
    WakeTask,
    open_host,
)
from wakeward.protocols.openclaw.listed_wakes import WithoutHeartbeat
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.turn import BUSY_KINDS
from wakeward.runtime.clock import Clock

Outcome = Ran | Skipped | Failed


class Timeline:
    """Plays one row."""

    def __init__(self, row: Row) -> None:
        self.given: Row = row["input"]
        self.runs: dict[str, list[Any]] = defaultdict(list)
        self.waits: list[Any] = []
        self.floods: list[Any] = []
        self._script: list[tuple[int, int, Row]] = []
        self._order = count()
        self._scripted = trio.Event()

    async def play(self) -> None:
        config = HostConfig(
            heartbeat_origin=HeartbeatOrigin.EXTERNAL,
            without_heartbeat=WithoutHeartbeat.LISTED,
            turns_max=4,
            drain_grace=0,
        )
        async with open_host(config, clock=Clock.start(0)) as self.host, trio.open_nursery() as self.nursery:
            self.configure(self.given["config"])
            for action in self.given["actions"]:
                self.at(action["at_ms"], action)
            self.nursery.start_soon(self._act)
            await trio.sleep_until(self.host.system.clock.deadline_s(self.given["end_ms"]))
            self.nursery.cancel_scope.cancel()
        self.floods = [
            {"t_ms": d.at_ms, "agent_id": d.agent_id} for d in self.host.ledger if d.kind is DecisionKind.FLOOD
        ]

    def at(self, at_ms: int, action: Row) -> None:
        heapq.heappush(self._script, (at_ms, next(self._order), action))
        self._scripted.set()

    async def _act(self) -> None:
        while True:
            self._scripted = trio.Event()
            if not self._script:
                await self._scripted.wait()
            at_s = self.host.system.clock.deadline_s(self._script[0][0])
            with trio.move_on_at(at_s):
                await self._scripted.wait()
            while self._script and self._script[0][0] <= self.host.system.clock.now_ms():
                action = heapq.heappop(self._script)[2]
                getattr(self, f"do_{action['op']}")(action)

    # Actions

    def do_wake(self, action: Row) -> None:
        self.host.wake(action["session_key"], **self.wake_of(action))

    def do_wake_and_wait(self, action: Row) -> None:
        self.nursery.start_soon(self._wait, action)

    def do_update_config(self, action: Row) -> None:
        self.configure(action["config"])

    async def _wait(self, action: Row) -> None:
        deadline = action.get("abort_at_ms")
        result: Any = Failed("heartbeat wake cancelled")
        with trio.CancelScope() as scope:
            if deadline is not None:
                scope.deadline = self.host.system.clock.deadline_s(deadline)
            result = await self.host.wake_and_wait(
                action["session_key"], until_deferred=action["stop_waiting_on_retry"], **self.wake_of(action)
            )
        self.waits.append((action["wait_id"], self.now(), result))

    def wake_of(self, action: Row) -> dict[str, Any]:
        given: list[Row] = action["tasks"] or []
        tasks = [WakeTask(task["job_id"], task["name"], task["prompt"]) for task in given]
        coalesce_ms = action["coalesce_ms"]
        return {
            "source": action["source"],
            "intent": action["intent"],
            "reason": action["reason"],
            "agent_id": action["agent_id"],
            "coalesce_ms": None if coalesce_ms is None else int(coalesce_ms),
            "heartbeat_interval_ms": action["scheduled_every_ms"],
            "tasks": tasks,
        }

    def configure(self, config: Row) -> None:
        """The agents that are configured, with the intervals that OpenClaw came to."""
        every = {agent["id"]: "0m" for agent in config["agents"]}
        every |= {e["agent_id"]: f"{e['interval_ms'] or 0}ms" for e in config["enrolled"]}
        specs = {
            agent_id: AgentSpec(agent_id, self.handle, heartbeat=Heartbeat(each), retry=RetryPolicy(attempts_max=1))
            for agent_id, each in every.items()
        }
        for agent_id in self.host.agents:
            if agent_id not in specs:
                self.host.remove_agent(agent_id, forget=True)  # OpenClaw keeps no clock of an agent that is gone
        for spec in specs.values():
            if spec.id in self.host.agents:
                self.host.reconfigure_agent(spec)
            else:
                self.host.add_agent(spec)

    # Turns

    async def handle(self, turn: Turn) -> Outcome:
        runs = self.runs[turn.agent_id]
        answer = self.answer(turn.agent_id, len(runs))
        runs.append(
            {
                "t_ms": turn.started_at_ms,
                "session_key": turn.session_key,
                "source": turn.source.value,
                "intent": turn.intent.value,
                "reason": turn.reason,
                "task_ids": [task.job_id for task in turn.tasks],
            }
        )
        emits: list[Row] = answer.get("emit") or []
        for emit in emits:
            self.at(self.now() + emit["delay_ms"], {"op": "wake", **emit["wake"]})
        await trio.sleep_until(self.host.system.clock.deadline_s(turn.started_at_ms + answer["after_ms"]))
        match answer["result"]:
            case "ran":
                return Ran()
            case "skipped":
                return Skipped(answer["reason"])
            case "failed":
                return Failed(answer["reason"])
            case _:
                raise RuntimeError(answer["message"])

    def answer(self, agent_id: str, k: int) -> Row:
        scripted: list[Row] = self.given["handlers"].get(agent_id) or []
        if k < len(scripted):
            return scripted[k]
        return self.given["default_handlers"].get(agent_id) or self.given["default_handler"]

    def now(self) -> int:
        return self.host.system.clock.now_ms()


def expected_runs(row: Row) -> dict[str, list[Any]]:
    runs: dict[str, list[Any]] = defaultdict(list)
    for run in row["expected"]["runs"]:
        kept = {key: run[key] for key in ("t_ms", "session_key", "source", "intent", "reason", "task_ids")}
        kept["session_key"] = run["session_key"] or f"agent:{run['agent_id']}:main"
        runs[run["agent_id"]].append(kept)
    return runs


def is_without_owner(outcome: Outcome) -> bool:
    removed = isinstance(outcome, Skipped) and outcome.reason == "agent removed"
    return removed or (isinstance(outcome, Failed) and outcome.reason.startswith("no agent "))


def result_of(outcome: Outcome) -> tuple[str, str | None, int | None]:
    match outcome:
        case Ran():
            return "ran", None, None
        case Skipped(reason=reason, retry_at_ms=retry_at_ms):
            return "skipped", reason, retry_at_ms
        case Failed(reason=reason):
            return "failed", reason, None


@each_row("timelines")
def test_timeline(row: Row) -> None:
    async def play() -> Timeline:
        timeline = Timeline(row)
        await timeline.play()
        return timeline

    timeline = trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0))
    assert dict(timeline.runs) == dict(expected_runs(row))
    assert timeline.floods == row["expected"]["flood_warnings"]
    results = {w["wait_id"]: (w["t_ms"], w["result"]) for w in row["expected"]["waits"]}
    assert {wait_id for wait_id, _, _ in timeline.waits} == set(results)
    for wait_id, at_ms, outcome in timeline.waits:
        expected_ms, result = results[wait_id]
        if is_without_owner(outcome):
            assert (result["status"], result["reason"]) == ("skipped", "disabled")
            assert at_ms <= expected_ms
        else:
            assert at_ms == expected_ms
            assert result_of(outcome)[:2] == (result["status"], result["reason"])
            assert result_of(outcome)[2] == result["retry_at_ms"] or result["reason"] in {
                kind.value for kind in BUSY_KINDS
            }
