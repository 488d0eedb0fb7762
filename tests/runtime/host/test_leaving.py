"""How agents leave a host, and how a host ends."""

from __future__ import annotations

import pytest
import trio
from support.host_recorder import OPS, Recorder, add
from trio.testing import MockClock
from wakeward import (
    CooldownPolicy,
    DecisionKind,
    Host,
    HostClosedError,
    HostConfig,
    Ran,
    open_host,
)
from wakeward.protocols.receipt import Refusal
from wakeward.runtime.clock import Clock


async def test_removing_an_agent_reports_what_was_not_seen(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=10)
    async with open_host() as host:
        await add(host, ops)
        await host.notify(OPS, "seen", source="hook")
        await trio.sleep(1)
        await host.notify(OPS, "unseen", source="hook")
        host.remove_agent("ops")
        assert host.wake(OPS, source="hook", intent="immediate").refusal is Refusal.UNKNOWN
        await host.wait_idle()
        dead = [decision for decision in host.ledger if decision.kind is DecisionKind.DEAD]
        assert [(decision.text, decision.reason) for decision in dead] == [("unseen", "agent removed")]
        await add(host, ops)
        assert await host.wake_and_wait(OPS, source="manual", intent="manual") == Ran()


async def test_leaving_waits_for_turns_within_the_grace_and_reports_the_rest(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=3)
    dev = Recorder(takes=3_600)
    async with open_host(HostConfig(drain_grace="10s"), clock=Clock.start(0)) as host:
        await add(host, ops)
        await add(host, dev, "dev")
        await host.notify(OPS, "one", source="hook")
        await host.notify("agent:dev:main", "two", source="hook")
        await trio.sleep(1)
        await host.notify(OPS, "three", source="hook")
        report = await host.drain()
        assert not report.in_time
        assert report.turns_interrupted == ("agent:dev:main",)
        assert report.events_retained == {OPS: 1, "agent:dev:main": 1}
        assert host.system.clock.now_ms() == 11_000
        assert not host.wake(OPS, source="hook", intent="immediate")
        with pytest.raises(HostClosedError):
            await add(host, ops, "late")
    assert ops.texts == [["one"]]


async def test_a_second_drain_with_a_shorter_grace_shortens_the_first(autojump_clock: MockClock) -> None:
    async with open_host(clock=Clock.start(0)) as host, trio.open_nursery() as nursery:
        await add(host, Recorder(takes=3_600))
        await host.notify(OPS, "one", source="hook")
        nursery.start_soon(host.drain, "1h")
        await trio.sleep(1)
        report = await host.drain("2s")
        assert report.turns_interrupted == (OPS,)
        assert host.system.clock.now_ms() == 3_000


async def test_an_exception_of_the_body_leaves_the_host_as_it_was_raised(autojump_clock: MockClock) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:  # noqa: PT012 - it is the host's block that is tested
        async with open_host() as host:
            await add(host, Recorder(takes=60))
            await host.notify(OPS, "one", source="hook")
            raise error
    assert caught.value is error


async def test_a_group_of_the_body_leaves_the_host_as_it_was_raised(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - it is the host's block that is tested
        async with open_host() as host:
            await add(host, Recorder())
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - for the group that it makes
                nursery.start_soon(fail)
    assert [type(error) for error in caught.value.exceptions] == [KeyError]


async def test_who_waits_when_the_host_drains_is_told(autojump_clock: MockClock) -> None:
    answers: list[object] = []

    async def wait(host: Host) -> None:
        answers.append(await host.wake_and_wait(OPS, source="hook", intent="event"))

    async def wait_idle(host: Host) -> None:
        with pytest.raises(HostClosedError):
            await host.wait_idle()
        answers.append("idle")

    async with trio.open_nursery() as nursery, open_host(HostConfig(drain_grace=0)) as host:
        await add(host, Recorder(), cooldown=CooldownPolicy())
        await host.notify(OPS, "one", source="hook")
        await trio.sleep(1)
        nursery.start_soon(wait, host)  # noqa: ASYNC111 - that they outlive the host is what is tested
        nursery.start_soon(wait_idle, host)  # noqa: ASYNC111 - the same
        await trio.sleep(1)
    assert sorted(map(str, answers)) == ["Skipped(reason='host drained', retry_at_ms=None)", "idle"]


async def test_a_drain_stays_one_when_the_host_is_resumed(autojump_clock: MockClock) -> None:
    ops = Recorder(takes=5)
    async with open_host(clock=Clock.start(0)) as host, trio.open_nursery() as nursery:
        await add(host, ops)
        await host.notify(OPS, "one", source="hook")
        await host.notify(OPS, "two", source="hook")
        nursery.start_soon(host.drain)
        await trio.sleep(1)
        host.resume()
    assert ops.texts == [["one"]]


async def test_an_agent_waits_for_its_namesake_to_leave(autojump_clock: MockClock) -> None:
    old, new = Recorder(takes=10), Recorder()
    async with open_host(clock=Clock.start(0)) as host:
        await add(host, old)
        await host.notify(OPS, "one", source="hook")
        await trio.sleep(1)
        host.remove_agent("ops")
        await add(host, new)
        assert await host.notify(OPS, "two", source="hook")
        await trio.sleep(8)
        assert new.turns == []
        await host.wait_idle()
        assert new.turns[0].started_at_ms == 10_000
    assert (old.texts, new.texts) == ([["one"]], [["two"]])


async def test_removing_an_agent_as_its_turn_ends_hangs_nothing(autojump_clock: MockClock) -> None:
    for after_ms in range(8, 13):
        async with open_host() as host:
            await add(host, Recorder(takes=0.01))
            for text in ("one", "two", "three"):
                await host.notify(OPS, text, source="hook")
            await trio.sleep(after_ms / 1000)
            host.remove_agent("ops")
            with trio.fail_after(60):
                await host.wait_idle()
