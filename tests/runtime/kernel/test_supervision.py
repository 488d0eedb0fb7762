from __future__ import annotations

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe, dead
from wakeward.protocols.actor import Cause, Context
from wakeward.protocols.restart import RestartSpec, RestartType
from wakeward.runtime.kernel import ActorSystem, DeadReason, Edge, Observation, open_system

AT_ONCE = RestartSpec(backoff_first_ms=0, intensity=1_000)
STEADY = RestartSpec(backoff_first_ms=100, jitter=0.0)


@pytest.mark.parametrize(
    "crash", [ValueError("boom"), ExceptionGroup("two", [ValueError(), KeyError()]), SystemExit(3), GeneratorExit()]
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_crash_is_the_actors_own(
    system: ActorSystem, journal: Journal, crash: BaseException, asynchronous: bool
) -> None:
    async def turn(_: Probe) -> None:
        await trio.lowlevel.checkpoint()
        raise crash

    other = system.spawn("other", journal.probe)
    ref = system.spawn("a", journal.probe, restart=AT_ONCE)
    for message in [1, turn if asynchronous else crash, 2]:
        ref.tell(message)
    other.tell("unharmed")
    await system.wait_idle()
    assert journal.of("a") == [1, 2]
    assert journal.of("other") == ["unharmed"]
    assert journal.born == ["other", "a", "a"]
    assert [reason for *_, reason in dead(system)] == [DeadReason.CRASHED]
    statistics = system.actor_statistics("a")
    assert (statistics.crashes, statistics.restarts) == (1, 1)


async def test_the_mailbox_survives_and_waits_out_the_backoff(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, restart=STEADY)
    ref.tell(ValueError("boom"))
    ref.tell("before the restart")
    await system.wait_idle()
    assert system.actor_statistics("a").state == "backoff"
    assert ref.tell("during the backoff")
    await trio.sleep(1)
    assert journal.messages == ["before the restart", "during the backoff"]
    assert journal.instants_ms == [100, 100]


async def test_the_backoff_grows_and_is_reset_by_a_quiet_time(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[Observation] = []
    journal = Journal()
    spec = RestartSpec(backoff_first_ms=100, backoff_cap_ms=300, jitter=0.0, reset_after_ms=5_000, intensity=9)
    async with open_system(observer=seen.append) as system:
        ref = system.spawn("a", journal.probe, restart=spec)
        for pause in (1, 1, 1, 10):
            ref.tell(ValueError("boom"))
            await trio.sleep(pause)
        ref.tell(ValueError("boom"))
        await trio.sleep(1)
    assert [o.at_ms for o in seen if o.edge is Edge.RESTARTED] == [100, 1_200, 2_300, 3_300, 13_100]


async def test_an_actor_is_restarted_without_a_message(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, restart=STEADY)
    ref.tell(ValueError("boom"))
    await trio.sleep(1)
    assert journal.born == ["a", "a"]


@pytest.mark.parametrize(
    ("restart_type", "crash", "survives"),
    [
        (RestartType.PERMANENT, True, True),
        (RestartType.PERMANENT, False, True),
        (RestartType.TRANSIENT, True, True),
        (RestartType.TRANSIENT, False, False),
        (RestartType.TEMPORARY, True, False),
        (RestartType.TEMPORARY, False, False),
    ],
)
async def test_restart_type(
    system: ActorSystem, journal: Journal, restart_type: RestartType, crash: bool, survives: bool
) -> None:
    ref = system.spawn("a", journal.probe, restart=RestartSpec(restart_type=restart_type, backoff_first_ms=0))
    ref.tell(ValueError("boom") if crash else (lambda me: me.context.stop()))
    await system.wait_idle()
    assert bool(ref.tell("still there?")) is survives
    assert journal.born == ["a", "a"] if survives else ["a"]


async def test_a_permanent_actor_that_is_stopped_from_outside_stays_stopped(
    system: ActorSystem, journal: Journal
) -> None:
    ref = system.spawn("a", journal.probe, restart=RestartSpec(restart_type=RestartType.PERMANENT))
    ref.tell(lambda me: [me.context.stop(), ref.stop()])
    assert (await system.wait_stopped("a")).cause is Cause.STOPPED
    assert journal.born == ["a"]


async def test_an_actor_that_crashes_too_often_ends_alone(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    spec = RestartSpec(intensity=2, period_ms=10_000, backoff_first_ms=0)
    loop = system.spawn("loop", journal.probe, restart=spec)
    neighbour = system.spawn("neighbour", journal.probe, restart=spec)
    for _ in range(5):
        loop.tell(ValueError("boom"))
    for _ in range(2):
        neighbour.tell(ValueError("boom"))
    ended = await system.wait_stopped("loop")
    assert ended.cause is Cause.CRASHED
    assert isinstance(ended.error, ValueError)
    await system.wait_idle()
    assert journal.born.count("loop") == 3
    assert neighbour.tell("unharmed")
    reasons = [reason for to, _, reason in dead(system) if to == "loop"]
    assert reasons == [DeadReason.CRASHED] * 3 + [DeadReason.GAVE_UP] * 2


async def test_restarts_outside_the_window_do_not_count(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, restart=RestartSpec(intensity=1, period_ms=1_000, backoff_first_ms=0))
    for _ in range(5):
        ref.tell(ValueError("boom"))
        await trio.sleep(1)
    assert ref.tell("still there")
    assert journal.born == ["a"] * 6


@pytest.mark.parametrize("control", [False, True])
async def test_a_crashing_message_is_tried_again_a_bounded_number_of_times(
    system: ActorSystem, journal: Journal, control: bool
) -> None:
    attempts: list[int] = []

    def poison(_: Probe) -> None:
        attempts.append(1)
        raise ValueError("boom")

    spec = RestartSpec(retries_max=2, backoff_first_ms=0, intensity=99)
    ref = system.spawn("a", journal.probe, restart=spec)
    send = ref.signal if control else ref.tell
    send(1)
    send(poison)
    send(2)
    send(poison)
    await system.wait_idle()
    assert journal.messages == [1, 2]
    assert len(attempts) == 6
    assert [reason for *_, reason in dead(system)] == [DeadReason.CRASHED] * 2


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_message_that_succeeds_when_tried_again_keeps_its_place(
    system: ActorSystem, journal: Journal, asynchronous: bool
) -> None:
    attempts: list[int] = []

    def flaky(me: Probe) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("boom")
        me.journal.entries.append(("a", "flaky"))

    async def turn(me: Probe) -> None:
        await trio.lowlevel.checkpoint()
        flaky(me)

    spec = RestartSpec(retries_max=2, backoff_first_ms=0, intensity=99)
    ref = system.spawn("a", journal.probe, restart=spec)
    for message in (1, turn if asynchronous else flaky, 2):
        ref.tell(message)
    await system.wait_idle()
    assert journal.messages == [1, "flaky", 2]
    assert dead(system) == []


async def test_a_factory_that_raises_is_a_crash(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    def at_birth(_: Context) -> None:
        if len(journal.born) < 3:
            raise OSError("not yet")

    journal.at_birth = at_birth
    ref = system.define("probe", journal.probe, restart=STEADY)("a")
    ref.tell(1)
    await trio.sleep(5)
    assert journal.messages == [1]
    assert journal.instants_ms == [300]
    assert dead(system) == []


async def test_a_crash_while_stopping_does_not_lose_the_rest(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, restart=AT_ONCE)
    for message in [ValueError("boom"), "rest"]:
        ref.tell(message)
    ref.stop()
    assert (await system.wait_stopped("a")).cause is Cause.STOPPED
    assert journal.messages == ["rest"]


async def test_a_crash_of_the_last_message_while_stopping_ends_it(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, restart=AT_ONCE)
    ref.tell(ValueError("boom"))
    ref.stop()
    assert (await system.wait_stopped("a")).cause is Cause.CRASHED
    assert journal.born == ["a"]


async def test_to_stop_an_actor_in_backoff_does_not_wait_for_it(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", journal.probe, restart=STEADY)
    ref.tell(ValueError("boom"))
    await system.wait_idle()
    ref.stop()
    await system.wait_stopped("a")
    assert trio.current_time() == 0


async def test_what_receive_returns_is_a_coroutine_or_nothing(system: ActorSystem) -> None:
    class Wrong:
        def __init__(self, _context: object) -> None: ...

        def receive(self, message: object) -> object:
            return message

    system.spawn("a", Wrong, restart=RestartSpec(restart_type=RestartType.TEMPORARY)).tell(3)
    error = (await system.wait_stopped("a")).error
    assert str(error) == "receive of 'a' returned 3: None or a coroutine is expected"
