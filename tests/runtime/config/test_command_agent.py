"""Agents that are programs, on the virtual clock with scripted programs: the watchdog of their turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from support.fake_process import FakeChild, FakeProcesses, call_at_in
from trio.testing import MockClock
from wakeward import AgentSpec, CooldownPolicy, Decision, DecisionKind, Host, RetryPolicy, open_host
from wakeward.protocols.jobs.messages import ShellFact
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.runtime.clock import Clock
from wakeward.runtime.config.command_agent import CommandAgent
from wakeward.runtime.host import open as opening

MAIN = "agent:ops:main"
MINUTE_MS = 60_000
SEEN = (DecisionKind.EVENT, DecisionKind.STARTED, DecisionKind.RAN, DecisionKind.FAILED, DecisionKind.PARKED)

QUIET_8 = FakeChild(ends_after_ms=8 * MINUTE_MS)
QUICK = FakeChild(writes=((0, b"done"),), ends_after_ms=10)


@asynccontextmanager
async def hosting(
    monkeypatch: pytest.MonkeyPatch, *children: FakeChild, agent: CommandAgent | None = None, **options: Any
) -> AsyncGenerator[Host]:
    """A host whose one agent is a program that acts out one script after another, and the last for ever."""
    left = list(children)

    def script(_spec: JobSpec) -> FakeChild:
        return left.pop(0) if len(left) > 1 else left[0]

    @asynccontextmanager
    async def open_fakes(
        deliver: Callable[[ShellFact], None], now_ms: Callable[[], int]
    ) -> AsyncGenerator[FakeProcesses]:
        async with trio.open_nursery() as nursery:
            yield FakeProcesses(script, deliver, now_ms, call_at_in(nursery, now_ms))
            nursery.cancel_scope.cancel()

    monkeypatch.setattr(opening, "open_process_shell", open_fakes)
    given: dict[str, Any] = {"cooldown": CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)}
    with trio.fail_after(4 * 3600):
        async with open_host(clock=Clock.start(0)) as host:
            host.add_agent(AgentSpec("ops", agent or CommandAgent(("llm", "-p")), **given, **options))
            yield host


def seen(host: Host) -> list[tuple[int, DecisionKind]]:
    return [(each.at_ms, each.kind) for each in host.ledger if each.kind in SEEN]


def stalls(host: Host) -> list[Decision]:
    return [each for each in host.ledger if each.kind is DecisionKind.EVENT and each.source == "cli-watchdog"]


async def test_J4_a_silent_turn_is_told_to_its_session_whose_next_turn_is_shown_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting(monkeypatch, QUIET_8, QUICK) as host:
        host.wake(MAIN, source="hook", intent="immediate", coalesce_ms=0)
        await host.wait_idle()
        assert seen(host) == [
            (0, DecisionKind.STARTED),
            (5 * MINUTE_MS, DecisionKind.EVENT),
            (8 * MINUTE_MS, DecisionKind.RAN),
            (8 * MINUTE_MS, DecisionKind.STARTED),
            (8 * MINUTE_MS + 10, DecisionKind.RAN),
        ]
        (stall,) = stalls(host)
        assert stall.text == "Turn silent (llm -p) :: no output for 5m; turn timeout in 5m"
        assert (stall.session_key, stall.reason, stall.intent) == (MAIN, "cli:watchdog:stall", "event")
        books = host.statistics().agents["ops"]
        assert (books.events_accepted, books.events_presented) == (1, 1)


async def test_J4_output_begins_a_new_silence(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    talks = FakeChild(writes=((4 * MINUTE_MS, b"."), (12 * MINUTE_MS, b".")), ends_after_ms=18 * MINUTE_MS)
    async with hosting(monkeypatch, talks, QUICK, turn_timeout="1h") as host:
        host.wake(MAIN, source="hook", intent="immediate", coalesce_ms=0)
        await host.wait_idle()
        assert [stall.at_ms // MINUTE_MS for stall in stalls(host)] == [9, 17]
        assert host.statistics().agents["ops"].turns == 2


async def test_a_slow_and_quiet_program_does_not_wake_itself_for_ever(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting(monkeypatch, QUIET_8) as host:
        host.wake(MAIN, source="hook", intent="immediate", coalesce_ms=0)
        await host.wait_idle()
        assert (len(stalls(host)), host.statistics().agents["ops"].turns) == (1, 2)


async def test_a_turn_that_never_ends_is_reported_and_then_cut_off(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = FakeChild(ends_after_ms=None)
    async with hosting(monkeypatch, hangs, QUICK, retry=RetryPolicy(attempts_max=1)) as host:
        host.wake(MAIN, source="hook", intent="immediate", coalesce_ms=0)
        await host.wait_idle()
        assert seen(host)[:3] == [
            (0, DecisionKind.STARTED),
            (5 * MINUTE_MS, DecisionKind.EVENT),
            (10 * MINUTE_MS, DecisionKind.FAILED),
        ]
        reasons = [each.reason for each in host.ledger if each.kind is DecisionKind.FAILED]
        assert reasons == ["timed out after 10m"], "the turn's limit speaks, not the child's"
        assert host.statistics().agents["ops"].events_presented == 1


async def test_the_watchdog_can_be_set_and_switched_off(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for after_ms, reported_at in ((None, []), (1_000, [1_000])):
        agent = CommandAgent(("llm", "-p"), silence_notice_ms=after_ms)
        async with hosting(monkeypatch, QUIET_8, QUICK, agent=agent) as host:
            host.wake(MAIN, source="hook", intent="immediate", coalesce_ms=0)
            await host.wait_idle()
            assert [stall.at_ms for stall in stalls(host)] == reported_at


@pytest.mark.parametrize("after_ms", [0, -1])
def test_a_watchdog_of_no_time_cannot_be(after_ms: int) -> None:
    with pytest.raises(ValueError, match="silence_notice_ms"):
        CommandAgent(("llm",), silence_notice_ms=after_ms)
