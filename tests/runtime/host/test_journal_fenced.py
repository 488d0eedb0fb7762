"""A host of which another host has taken an agent over."""

from __future__ import annotations

from typing import Final

import pytest
import trio
from support.host_stage import (
    Asked,
    Stage,
    assert_dev_is_untouched,
    staged,
)
from support.journal import FENCED
from trio.testing import MockClock
from wakeward import Failed, Outcome
from wakeward.protocols.receipt import Refusal

FENCED_IS_FORGOTTEN: Final = pytest.mark.xfail(
    strict=True,
    reason="the host does not hear that an agent was fenced: its slot, its busy sessions and its callers stay",
)


# Fenced


async def fence(stage: Stage) -> Asked:
    """Another host takes ``ops``; this one finds out with the next notice."""
    stage.journal.late.add("ops")
    asked = stage.notify("too late")
    await trio.sleep(0.1)
    stage.journal.catch_up("ops", FENCED)
    return asked


async def test_an_agent_that_is_fenced_is_refused_and_takes_no_more_turns(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        assert await stage.queue("one")
        assert (await (await fence(stage)).wait()).refusal is Refusal.UNAVAILABLE
        assert (await stage.notify("again").wait()).refusal in (Refusal.UNAVAILABLE, Refusal.STOPPED)
        assert isinstance(await stage.wake().wait(), Failed)
        await trio.sleep(600)
        assert stage.ops.texts == []
        await assert_dev_is_untouched(stage)


@FENCED_IS_FORGOTTEN
async def test_a_turn_of_a_fenced_agent_gives_its_slot_back(autojump_clock: MockClock) -> None:
    async with staged(takes=5, turns_max=1) as stage:
        stage.notify("one")
        await trio.sleep(1)
        assert stage.ops.texts == [["one"]]
        await fence(stage)
        await trio.sleep(60)
        await assert_dev_is_untouched(stage)


@FENCED_IS_FORGOTTEN
async def test_who_waits_for_a_turn_of_a_fenced_agent_is_told(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        asked = stage.wake()
        await trio.sleep(1)
        await fence(stage)
        assert isinstance(await asked.wait(), Outcome)


@FENCED_IS_FORGOTTEN
async def test_nobody_waits_for_the_work_of_a_fenced_agent(autojump_clock: MockClock) -> None:
    async with staged(takes=5) as stage:
        stage.notify("one")
        await trio.sleep(1)
        await fence(stage)
        with trio.fail_after(60):
            await stage.host.wait_idle()
