from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing
from loguru import logger
from support.probe import Journal, Probe
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem, AddressError, Edge, MailboxSpec, Observation, open_system
from wakeward.runtime.kernel.dead_letters import LOG_LINES_MAX, RING_MAX


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    lines: list[Any] = []
    logger.enable("wakeward")
    sink = logger.add(lambda message: lines.append(message.record), format="{message}")  # pyright: ignore[reportAttributeAccessIssue]  loguru hands over a str with a record
    yield lines
    logger.remove(sink)


async def test_one_hook_sees_the_edges(journal: Journal, autojump_clock: trio.testing.MockClock) -> None:
    seen: list[Observation] = []
    async with open_system(observer=seen.append) as system:
        ref = system.spawn("a", journal.probe, restart=RestartSpec(backoff_first_ms=500, jitter=0.0))
        ref.tell(1)
        ref.tell(lambda _: trio.sleep(1))
        crash = ValueError("boom")
        ref.tell(crash)
        await trio.sleep(2)
        system.passivate("a")
        ref.kill()
    assert [(o.edge, o.at_ms) for o in seen] == [
        (Edge.ACTIVATED, 0),
        (Edge.HANDLING_STARTED, 0),
        (Edge.HANDLING_ENDED, 1_000),
        (Edge.CRASHED, 1_000),
        (Edge.DEAD_LETTER, 1_000),
        (Edge.RESTARTED, 1_500),
        (Edge.PASSIVATED, 2_000),
        (Edge.STOPPED, 2_000),
    ]
    assert seen[3].detail is crash
    assert {o.address for o in seen} == {"a"}


async def test_an_observer_that_fails_changes_nothing(journal: Journal) -> None:
    def fail(_: Observation) -> None:
        raise ValueError("observer")

    async with open_system(observer=fail) as system:
        system.spawn("a", journal.probe).tell(1)
        await system.wait_idle()
        assert journal.messages == [1]
        assert system.statistics().crashes == 0


async def test_a_dead_letter_says_from_whom_for_whom_why_and_when(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    await trio.sleep(1.5)
    system.spawn("a", journal.probe).tell(lambda me: me.context.tell("nobody", "hello"))
    await system.wait_idle()
    (letter,) = system.dead_letters()
    assert (letter.sender, letter.to, letter.reason.value, letter.at_ms, letter.message) == (
        "a",
        "nobody",
        "unknown",
        1_500,
        "hello",
    )


async def test_dead_letters_are_counted_without_bound_and_kept_within_one(system: ActorSystem) -> None:
    for number in range(RING_MAX + 5):
        system.tell("nobody", number)
    assert [letter.message for letter in system.dead_letters()] == list(range(5, RING_MAX + 5))
    assert system.statistics().dead_letters == {"unknown": RING_MAX + 5}


async def test_logging_of_dead_letters_is_throttled(
    system: ActorSystem, logged: list[Any], autojump_clock: trio.testing.MockClock
) -> None:
    for _ in range(LOG_LINES_MAX + 90):
        system.tell("nobody", 1)
    assert len(logged) == LOG_LINES_MAX
    assert logged[0]["extra"] == {"actor": "nobody"}
    await trio.sleep(1)
    system.tell("nobody", 1)
    assert [line["message"] for line in logged[LOG_LINES_MAX:]] == [
        "90 more dead letters were not logged",
        "dead letter for nobody: int from outside: unknown ",
    ]


async def test_a_crash_is_logged_with_its_actor_and_its_exception(
    system: ActorSystem, journal: Journal, logged: list[Any]
) -> None:
    system.spawn("a", journal.probe).tell(ValueError("boom"))
    await system.wait_idle()
    crash = logged[0]
    assert crash["message"] == "a crashed: ValueError('boom')"
    assert crash["extra"]["actor"] == "a"
    assert crash["exception"].type is ValueError


async def test_statistics_of_an_actor(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe)
    watcher = system.spawn("watcher", journal.probe)
    watcher.tell(lambda me: me.context.watch("a"))
    ref.tell(lambda me: [me.context.set_timer(key, 10**6, "tick") for key in "xyz"])
    ref.tell(lambda _: trio.sleep(5))
    ref.tell("waits")
    await trio.sleep(2)
    ref.stop()
    statistics = system.actor_statistics("a")
    assert statistics.state == "handling, stopping"
    assert (statistics.waiting, statistics.handled, statistics.timers, statistics.watchers) == (1, 1, 3, 1)
    assert statistics.handling_age_ms == 2_000
    with pytest.raises(AddressError, match="'nobody': no such actor"):
        system.actor_statistics("nobody")


async def test_statistics_of_the_system(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    probe = system.define("probe", journal.probe, mailbox=MailboxSpec(capacity=3))
    for key in range(5):
        probe(str(key))
    for _ in range(4):
        probe("0").tell(lambda _: trio.sleep(1))
    await trio.sleep(0.5)
    statistics = system.statistics()
    assert statistics.actors == {"handling": 1, "dormant": 4}
    assert (statistics.handlings, statistics.waiting, statistics.dead_letters) == (1, 2, {"full": 1})
    await system.wait_idle()
    assert system.statistics().handled == 3


async def test_the_dump_says_who_is_doing_what(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def waits_for_ever(_: Probe) -> None:
        await asked.ask(lambda _reply: "never answered")

    asked = system.spawn("asked", journal.probe)
    turner = system.spawn("turner", journal.probe)
    turner.tell(waits_for_ever)
    turner.tell("waits")
    crasher = system.spawn("crasher", journal.probe, restart=RestartSpec(backoff_first_ms=9_000, jitter=0.0))
    crasher.tell(ValueError("boom"))
    await trio.sleep(2)
    text = system.dump()
    for line in (
        "wakeward: open, at 2000 ms",
        "turner: function for 2000 ms, waits for asked",
        "turner: 1 waiting",
        "crasher: until 9000 ms",
        "turner asks asked, due at 30000 ms",
    ):
        assert line in text


async def test_the_dump_is_bounded(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    for number in range(50):
        system.spawn(f"a{number}", journal.probe).tell(lambda _: trio.sleep(1))
    await trio.sleep(0.5)
    assert "... and 30 more" in system.dump()
