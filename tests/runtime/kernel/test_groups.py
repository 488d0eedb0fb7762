"""Groups of actors that are restarted together, and escalation to the whole system."""

from __future__ import annotations

import re

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe
from wakeward.protocols.actor import Cause, Context
from wakeward.protocols.restart import Exhausted, RestartSpec, RestartType, Strategy
from wakeward.runtime.kernel import ActorSystem, AddressError, open_system

AT_ONCE = RestartSpec(backoff_first_ms=0, intensity=1_000)
STEADY = RestartSpec(backoff_first_ms=100, jitter=0.0)


# Groups


@pytest.mark.parametrize(
    ("strategy", "reborn"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
async def test_who_of_a_group_is_restarted(
    system: ActorSystem, journal: Journal, strategy: Strategy, reborn: list[str]
) -> None:
    refs = {name: system.spawn(name, journal.probe, restart=AT_ONCE) for name in "abc"}
    system.group(strategy, *"abc")
    await system.wait_idle()
    journal.born.clear()
    refs["b"].tell(ValueError("boom"))
    for ref in refs.values():
        ref.tell("survives")
    await system.wait_idle()
    assert journal.born == reborn
    assert sorted(journal.entries) == [(name, "survives") for name in "abc"]


async def test_the_handling_of_a_group_member_is_cancelled_before_it_restarts(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    log: list[tuple[str, float]] = []

    async def turn(_: Probe) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            log.append(("cleaned up", trio.current_time()))

    def at_birth(context: Context) -> None:
        log.append((context.address, trio.current_time()))

    a = system.spawn("a", journal.probe, restart=STEADY)
    b = system.spawn("b", journal.probe, restart=STEADY)
    system.group(Strategy.ONE_FOR_ALL, "a", "b")
    b.tell(turn)
    b.tell("kept")
    await trio.sleep(1)
    journal.at_birth = at_birth
    a.tell(ValueError("boom"))
    await trio.sleep(1)
    assert log == [("a", 1.1), ("cleaned up", 1.5), ("b", 1.5)]
    assert journal.of("b") == ["kept"]


async def test_who_depends_on_an_actor_that_is_given_up_ends_too(system: ActorSystem, journal: Journal) -> None:
    refs = [
        system.spawn(name, journal.probe, restart=RestartSpec(restart_type=RestartType.TEMPORARY)) for name in "abc"
    ]
    system.group(Strategy.REST_FOR_ONE, *"abc")
    refs[1].tell(ValueError("boom"))
    assert (await system.wait_stopped("b")).cause is Cause.CRASHED
    assert (await system.wait_stopped("c")).cause is Cause.KILLED
    assert refs[0].tell("unharmed")


async def test_a_revived_member_is_in_its_group_again(system: ActorSystem, journal: Journal) -> None:
    refs = [system.spawn(name, journal.probe, restart=AT_ONCE) for name in "ab"]
    system.group(Strategy.ONE_FOR_ALL, *"ab")
    refs[1].kill()
    system.revive("b")
    refs[1].tell(1)
    refs[0].tell(2)
    await system.wait_idle()
    journal.born.clear()
    refs[1].tell(ValueError("boom"))
    await system.wait_idle()
    assert journal.born == ["a", "b"]


async def test_a_group_is_made_of_known_actors_in_no_other_group(system: ActorSystem, journal: Journal) -> None:
    system.spawn("a", journal.probe)
    with pytest.raises(AddressError, match="'nobody': no such actor, and no such kind among"):
        system.group(Strategy.ONE_FOR_ALL, "a", "nobody")
    system.group(Strategy.ONE_FOR_ALL, "a")
    with pytest.raises(AddressError, match="'a' is in a group already"):
        system.group(Strategy.ONE_FOR_ONE, "a")


# Escalation


async def test_escalation_ends_the_system_with_the_original_exceptions(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    crashes = [ValueError("first"), ExceptionGroup("second", [KeyError("inner")])]
    spec = RestartSpec(intensity=1, exhausted=Exhausted.ESCALATE)

    async def run() -> None:
        async with open_system() as system:
            ref = system.spawn("a", journal.probe, restart=spec)
            for crash in crashes:
                ref.tell(crash)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup, match=re.escape("a: 1 restarts in 60000 ms, at most 1")) as caught:
        await run()
    assert list(caught.value.exceptions) == crashes


async def test_escalation_is_not_lost_when_the_body_fails_too(journal: Journal) -> None:
    spec = RestartSpec(intensity=0, exhausted=Exhausted.ESCALATE)

    async def run() -> None:
        async with open_system() as system:
            system.spawn("a", journal.probe, restart=spec).tell(ValueError("boom"))
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("body")

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ValueError, match="boom")
    assert caught.group_contains(KeyError, match="body")
