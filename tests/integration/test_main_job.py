"""The main job: children of several agents exit, and each exit reaches the one agent that owns it, exactly once."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import trio
from wakeward import AgentSpec, CooldownPolicy, HostConfig, QueuePolicy, Turn, open_host

AGENTS = ("ops", "dev", "sec", "doc", "qa")
NO_GUARDS = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)


async def test_two_hundred_exits_within_a_second_each_reach_their_owner_once() -> None:
    presented: Counter[str] = Counter()
    wrong: list[str] = []

    def handler_of(agent_id: str):
        async def handle(turn: Turn) -> None:
            if turn.agent_id != agent_id or turn.session_key.split(":")[1] != agent_id:
                wrong.append(turn.session_key)
            for event in turn.events:
                match = re.search(r"from (\w+) number (\d+)", event.text)
                assert match is not None, event.text
                if match[1] != agent_id:
                    wrong.append(event.text)
                presented[f"{match[1]} {match[2]}"] += 1

        return handle

    with trio.fail_after(60):
        async with open_host(HostConfig()) as host:
            for agent_id in AGENTS:
                host.add_agent(
                    AgentSpec(agent_id, handler_of(agent_id), cooldown=NO_GUARDS, queue=QueuePolicy(shown_max=7))
                )
            async with trio.open_nursery() as nursery:
                for number in range(40):
                    for agent_id in AGENTS:
                        session = f"agent:{agent_id}:{'cron:job:run:1' if number % 4 == 0 else 'main'}"
                        command = f"sleep 0.{number % 10}; echo from {agent_id} number {number}; exit {number % 3}"
                        nursery.start_soon(lambda s=session, c=command: host.exec(s, c, background=True))
            await host.wait_idle()
            statistics = host.statistics()
    assert wrong == []
    assert presented == Counter({f"{agent_id} {n}": 1 for agent_id in AGENTS for n in range(40)})
    assert (statistics.execs.started, statistics.execs.exited, statistics.execs.running) == (200, 200, 0)
    assert (statistics.total("events_accepted"), statistics.total("events_presented")) == (200, 200)
    assert all(agent.turns <= 41 for agent in statistics.agents.values())


async def test_a_child_outlives_the_turn_that_started_it() -> None:
    seen: list[list[str]] = []

    async def handle(turn: Turn) -> None:
        seen.append([event.text for event in turn.events])
        if turn.source == "manual":
            await turn.exec_background("sleep 0.1; echo built")

    with trio.fail_after(20):
        async with open_host() as host:
            host.add_agent(AgentSpec("ops", handle, cooldown=NO_GUARDS))
            host.wake("agent:ops:main", source="manual", intent="manual", coalesce_ms=0)
            await host.wait_idle()
    assert seen[0] == []
    assert [text.partition(" :: ")[2] for text in seen[1]] == ["built"]


@pytest.mark.parametrize("leave", ["normally", "cancelled", "failing"])
async def test_no_child_outlives_the_host(leave: str) -> None:
    async def handle(_turn: Turn) -> None: ...

    pids: list[int] = []
    with trio.fail_after(20), trio.CancelScope() as scope:
        try:
            async with open_host(HostConfig(drain_grace="100ms")) as host:
                host.add_agent(AgentSpec("ops", handle))
                job = await host.exec("agent:ops:main", "echo $$; sleep 600 & sleep 600", background=True)
                pids.append(int((await job.poll(wait=10)).output.text))
                if leave == "cancelled":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
                if leave == "failing":
                    {}["the body fails"]
        except KeyError:
            assert leave == "failing"
    assert not await trio.Path(f"/proc/{pids[0]}").exists()
