"""A host that is opened on the journal of one before it."""

from __future__ import annotations

import pytest
import trio
from wakeward import AgentSpec, CooldownPolicy, Ran, Turn, open_host
from wakeward.runtime.journal.memory import MemoryJournal


async def test_what_was_pending_goes_on_and_the_cooldown_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    journal = MemoryJournal("m-1")
    guards = CooldownPolicy(min_spacing="30s", events_wait_for_due=False)
    seen: list[str] = []

    async def handler(turn: Turn) -> Ran:
        await trio.lowlevel.checkpoint()
        seen.extend(event.text for event in turn.events)
        return Ran()

    async with open_host(journal=journal) as host:
        host.add_agent(AgentSpec("ops", handler, cooldown=guards))
        await host.notify("agent:ops:main", "first", source="hook", intent="event")
        await host.wait_idle()
        await host.notify("agent:ops:main", "second", source="hook", intent="event")
        await host.drain(grace=0)
    assert seen == ["first"]

    async with open_host(journal=journal) as host:
        began_s = trio.current_time()
        host.add_agent(AgentSpec("ops", handler, cooldown=guards))
        await host.wait_idle()
        assert trio.current_time() - began_s == pytest.approx(30, abs=1)
    assert seen == ["first", "second"]
