"""The host on a virtual clock: no real children here."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from support.host_recorder import NO_GUARDS, OPS, Recorder, add
from trio.testing import MockClock
from wakeward import (
    AgentOptions,
    AgentSpec,
    CooldownPolicy,
    DecisionKind,
    Failed,
    Heartbeat,
    Host,
    HostConfig,
    InvalidInputError,
    QueuePolicy,
    Ran,
    RetryPolicy,
    Skipped,
    Turn,
    open_host,
)
from wakeward.protocols.receipt import Refusal
from wakeward.runtime.clock import Clock


async def test_the_example_of_the_design(autojump_clock: MockClock) -> None:
    ops = Recorder(Ran(reply="done"), Ran(reply="done"))
    async with open_host() as host:
        await add(host, ops)
        assert await host.notify(OPS, "deploy finished", source="hook", intent="immediate")
        assert await host.wake_and_wait(OPS, source="manual", intent="manual") == Ran(reply="done")
        await host.wait_idle()
    assert ops.texts == [["deploy finished"], []]
    assert ops.turns[0].source == "hook"


async def test_wait_idle_waits_for_deferred_wakes(autojump_clock: MockClock) -> None:
    ops = Recorder()
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, ops, cooldown=CooldownPolicy())
        for text in ("one", "two"):
            await host.notify(OPS, text, source="hook")
        await host.wait_idle()
        assert host.system.clock.now_ms() == 30_000
    assert ops.texts == [["one"], ["two"]]


async def test_what_cannot_be_taken_is_refused_truthfully(autojump_clock: MockClock) -> None:
    async with open_host() as host:
        await add(host, Recorder())
        unknown = host.wake("agent:ghost:main", source="hook", intent="immediate")
        assert (unknown.refusal, unknown.detail) == (Refusal.UNKNOWN, "no agent 'ghost' here; agents: ops")
        assert not await host.notify("global", "x", source="hook")
        assert await host.wake_and_wait("nonsense", source="hook", intent="event") == Failed(
            "session key 'nonsense' names no agent (expected 'agent:<agent id>:<rest>'), "
            "and no agent owns what has no owner",
            transient=False,
        )
        assert [decision.kind for decision in host.ledger] == [DecisionKind.REFUSED] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"text": "  "}, "has no text: '  '"),
        ({"source": "nobody"}, "source 'nobody': expected one of interval, manual, exec-event"),
        ({"intent": "now"}, "intent 'now': expected one of scheduled, event, task, immediate, manual"),
    ],
)
async def test_bad_input_is_a_clear_error(autojump_clock: MockClock, call: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"text": "x", "source": "hook", **call}
    async with open_host() as host:
        with pytest.raises(InvalidInputError) as caught:
            await host.notify(OPS, **given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AgentSpec("a b", Recorder()), "agent id 'a b': expected letters"),
        (lambda: AgentSpec("ops", 3), "handler 3 is not callable"),  # pyright: ignore[reportArgumentType] - that is the test
        (lambda: Heartbeat("often"), "Heartbeat.every: invalid duration 'often'"),
        (lambda: CooldownPolicy(min_spacing="soon"), "invalid duration 'soon'"),
        (lambda: HostConfig(scope="everybody"), "'everybody': expected one of 'per-sender', 'global'"),  # pyright: ignore[reportArgumentType] - that is the test
        (lambda: HostConfig(turns_max="3"), "turns_max '3': expected a whole number, 1 or more"),  # pyright: ignore[reportArgumentType] - that is the test
        (lambda: AgentOptions(heartbeat="30m"), "heartbeat '30m': expected a Heartbeat"),  # pyright: ignore[reportArgumentType] - that is the test
        (lambda: AgentOptions(turn_timeout=0), "turn_timeout 0: expected more than 0"),
    ],
)
def test_a_bad_specification_cannot_exist(make: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert message in str(caught.value)


async def test_an_agent_is_added_once(autojump_clock: MockClock) -> None:
    async with open_host() as host:
        await add(host, Recorder())
        with pytest.raises(InvalidInputError, match="agent 'ops' is here already"):
            await add(host, Recorder(), "OPS")
        with pytest.raises(InvalidInputError, match="no agent 'dev' here; agents: ops"):
            host.remove_agent("dev")


async def test_a_full_queue_refuses_the_new_event(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=1)
    async with open_host() as host:
        await add(host, ops, queue=QueuePolicy(capacity=1))
        assert await host.notify(OPS, "one", source="hook")
        full = await host.notify(OPS, "two", source="hook")
        assert full.refusal is Refusal.FULL
        assert full.detail == f"session '{OPS}' holds 1 events; try again later"
        await host.wait_idle()
        assert await host.notify(OPS, "two", source="hook")
        await host.wait_idle()
    assert ops.texts == [["one"], ["two"]]


async def test_a_handler_that_raises_fails_its_turn_and_the_host_lives_on(autojump_clock: MockClock) -> None:
    async def broken(_turn: Turn) -> None:
        raise RuntimeError("no quota")

    ops = Recorder()
    async with open_host() as host:
        await add(host, broken, retry=RetryPolicy(attempts_max=1))
        await add(host, ops, "dev")
        assert await host.wake_and_wait(OPS, source="manual", intent="manual") == Failed("no quota")
        assert await host.wake_and_wait("agent:dev:main", source="manual", intent="manual") == Ran()


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), SystemExit(3), ExceptionGroup("g", [ValueError("x")]), BaseExceptionGroup("g", [SystemExit(1)])],
)
async def test_whatever_a_handler_raises_stays_in_its_turn(autojump_clock: MockClock, error: BaseException) -> None:
    async def broken(_turn: Turn) -> None:
        raise error

    async with open_host() as host:
        await add(host, broken, retry=RetryPolicy(attempts_max=1))
        outcome = await host.wake_and_wait(OPS, source="manual", intent="manual")
    assert isinstance(outcome, Failed)
    assert outcome.transient


async def test_nonsense_from_a_handler_is_a_permanent_failure(autojump_clock: MockClock) -> None:
    async def nonsense(_turn: Turn) -> Any:
        return 3

    async with open_host() as host:
        await add(host, nonsense)
        outcome = await host.wake_and_wait(OPS, source="manual", intent="manual")
    assert outcome == Failed("the handler returned 3; expected Ran, Skipped, Failed or None", transient=False)


async def test_a_handler_that_is_not_async_is_told_so(autojump_clock: MockClock) -> None:
    def three(_turn: Turn) -> int:
        return 3

    async with open_host() as host:
        await add(host, three)
        outcome = await host.wake_and_wait(OPS, source="manual", intent="manual")
    assert outcome == Failed("the handler is not async: it returned 3", transient=False)


async def test_a_handler_that_hangs_is_cut_short_and_the_next_event_is_served(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=3_600)
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, ops, turn_timeout="5s", retry=RetryPolicy(attempts_max=1))
        assert await host.notify(OPS, "one", source="hook")
        outcome = await host.wake_and_wait("agent:ops:other", source="manual", intent="manual")
        assert outcome == Failed("timed out after 5s")
        assert host.system.clock.now_ms() == 5_250


async def test_the_agent_stays_responsive_during_a_turn(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=60)
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, ops)
        host.wake(OPS, source="hook", intent="immediate", coalesce_ms=0)
        await trio.sleep(1)
        with trio.fail_after(0.001):
            assert await host.notify(OPS, "while it runs", source="hook")
        await host.wait_idle()
    assert ops.texts == [[], ["while it runs"]]


async def test_the_heartbeat_of_an_idle_agent(autojump_clock: MockClock) -> None:
    ops = Recorder()
    async with open_host(HostConfig(seed="x"), clock=Clock.start(0)) as host:
        await add(host, ops, heartbeat=Heartbeat("30m"))
        await trio.sleep(7_200)
    starts = [turn.started_at_ms for turn in ops.turns]
    assert len(starts) == 4
    assert {later - earlier for earlier, later in pairwise(starts)} == {1_800_000}


async def test_a_busy_skip_keeps_its_events(autojump_clock: MockClock) -> None:
    ops = Recorder(Skipped("requests-in-flight"), None)
    async with open_host() as host:
        await add(host, ops)
        await host.notify(OPS, "one", source="hook")
        await host.wait_idle()
    assert ops.texts == [["one"], ["one"]]


async def test_a_broadcast_is_one_wake_for_each_enrolled_agent_and_names_each_outcome(
    autojump_clock: MockClock,
) -> None:
    ops, dev, off = Recorder(Ran("ops")), Recorder(Failed("dev", transient=False)), Recorder()
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, ops, heartbeat=Heartbeat("1h"))
        await add(host, dev, "dev", heartbeat=Heartbeat("1h"), cooldown=CooldownPolicy())
        await add(host, off, "off")
        first = await host.broadcast(source="hook", intent="immediate")
        assert first == {"ops": Ran("ops"), "dev": Failed("dev", transient=False)}
        second = await host.broadcast(source="cron", intent="event", until_deferred=True)
        assert second == {"ops": Ran(), "dev": Skipped("not-due", 30_250)}
    assert off.turns == []


async def test_a_pause_holds_wakes_and_drops_none(autojump_clock: MockClock) -> None:
    ops, late = Recorder(), Recorder()
    async with open_host() as host:
        await add(host, ops)
        host.pause()
        await add(host, late, "late")
        assert host.wake(OPS, source="manual", intent="manual")
        assert await host.notify("agent:late:main", "one", source="hook")
        await trio.sleep(3_600)
        assert (ops.turns, late.turns) == ([], [])
        host.resume()
        await host.wait_idle()
    assert (len(ops.turns), late.texts) == (1, [["one"]])


async def test_reconfiguring_changes_what_is_not_said_of_an_agent(autojump_clock: MockClock) -> None:
    ops = Recorder()
    async with open_host(clock=Clock.start(0)) as host:
        host.add_agent(AgentSpec("ops", ops))
        await host.notify(OPS, "one", source="hook")
        await trio.sleep(1)
        host.reconfigure(HostConfig(defaults=AgentOptions(cooldown=NO_GUARDS), default_agent="ops"))
        await host.notify("global", "two", source="hook")
        await trio.sleep(1)
    assert ops.texts == [["one"], ["two"]]


async def test_M2_reconfiguring_every_ten_milliseconds_fires_nothing_twice(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=5)
    async with open_host(HostConfig(seed="x"), clock=Clock.start(0)) as host:
        host.add_agent(AgentSpec("ops", ops, heartbeat=Heartbeat("1m")))
        for _ in range(1_000):
            await trio.sleep(0.01)
            host.reconfigure(HostConfig(seed="x"))
        await trio.sleep(600)
    starts = [turn.started_at_ms for turn in ops.turns]
    assert {later - earlier for earlier, later in pairwise(starts)} == {60_000}
    assert len(starts) == 10


async def test_a_handler_that_swallows_its_cancellation_does_not_hold_up_the_others(autojump_clock: MockClock) -> None:
    release = trio.Event()

    async def deaf(_turn: Turn) -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    ops = Recorder()
    async with open_host(HostConfig(turns_max=1), clock=Clock.start(0)) as host:
        await add(host, deaf, "deaf", turn_timeout="1s", retry=RetryPolicy(attempts_max=1))
        await add(host, ops)
        host.wake("agent:deaf:main", source="hook", intent="immediate", coalesce_ms=0)
        assert await host.wake_and_wait(OPS, source="manual", intent="manual") == Ran()
        assert host.system.clock.now_ms() == 6_000
        release.set()
        await host.wait_idle()


@pytest.mark.parametrize("coalesce_ms", ["1s", 1.5, True])
async def test_a_window_that_is_no_number_is_refused_at_the_door(autojump_clock: MockClock, coalesce_ms: Any) -> None:
    async with open_host() as host:
        await add(host, Recorder())
        with pytest.raises(InvalidInputError, match="coalesce_ms"):
            host.wake(OPS, source="hook", intent="immediate", coalesce_ms=coalesce_ms)


async def test_D4_a_turn_cannot_wait_for_itself(autojump_clock: MockClock) -> None:
    said: list[str] = []

    async def ask_yourself(_turn: Turn) -> None:
        try:
            await hosts[0].wake_and_wait("AGENT:ops:main", source="cron", intent="immediate")
        except InvalidInputError as error:
            said.append(str(error))
        said.append(str(await hosts[0].wake_and_wait("agent:dev:main", source="cron", intent="immediate")))

    hosts: list[Host] = []
    async with open_host() as host:
        hosts.append(host)
        await add(host, ask_yourself)
        await add(host, Recorder(), "dev")
        assert await host.wake_and_wait(OPS, source="manual", intent="manual") == Ran()
    assert said == ["a turn of 'agent:ops:main' cannot wait for its own session; use wake", "Ran(reply=None)"]


async def test_A5_each_agent_keeps_its_own_reason_and_its_own_instant(autojump_clock: MockClock) -> None:
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, Recorder(), "a", heartbeat=Heartbeat("1h"), cooldown=CooldownPolicy())
        await add(host, Recorder(), "b", heartbeat=Heartbeat("1h"), cooldown=CooldownPolicy(min_spacing="5s"))
        await host.broadcast(source="hook", intent="immediate")
        held = await host.broadcast(source="hook", intent="task", until_deferred=True)
        assert held == {"a": Skipped("min-spacing", 30_250), "b": Skipped("min-spacing", 5_250)}


async def test_cancelling_who_waits_leaves_the_wake_alone(autojump_clock: MockClock) -> None:
    ops = Recorder()
    async with open_host() as host:
        await add(host, ops)
        with trio.move_on_after(0.1):
            await host.wake_and_wait(OPS, source="hook", intent="immediate", coalesce_ms=5_000)
        await host.wait_idle()
    assert len(ops.turns) == 1
