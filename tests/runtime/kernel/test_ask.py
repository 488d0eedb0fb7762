from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, field
from support.probe import Journal, dead
from wakeward.protocols.actor import Context, Reply
from wakeward.protocols.receipt import Refusal
from wakeward.protocols.restart import RestartSpec, RestartType
from wakeward.runtime.kernel import (
    ActorSystem,
    AskCycleError,
    AskError,
    AskFailedError,
    AskRefusedError,
    AskTimeoutError,
    DeadReason,
    MailboxSpec,
    open_system,
)


@define(eq=False)
class Double:
    """Answers ``(number, reply)`` with twice the number; keeps the reply of ``("keep", reply)``."""

    context: Context
    kept: list[Reply[Any]] = field(factory=list[Reply[Any]])
    seen: list[Any] = field(factory=list[Any])

    def receive(self, message: Any) -> None:
        what, reply = message
        self.seen.append(what)
        if isinstance(what, BaseException):
            raise what
        if what == "keep":
            self.kept.append(reply)
        else:
            reply(2 * what)


def made(what: Any) -> Callable[[Reply[Any]], Any]:
    return lambda reply: (what, reply)


async def outcome(ask: Awaitable[Any]) -> Any:
    try:
        return await ask
    except AskError as error:
        return error


async def test_a_reply_comes_back(system: ActorSystem) -> None:
    ref = system.spawn("a", Double)
    assert await ref.ask(made(21)) == 42


async def test_many_askers_get_their_own_replies(system: ActorSystem) -> None:
    ref = system.spawn("a", Double, mailbox=MailboxSpec(capacity=3))
    answers: dict[int, int] = {}

    async def ask(number: int) -> None:
        answers[number] = await ref.ask(made(number))

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(ask, number)
    assert answers == {number: 2 * number for number in range(50)}
    assert system.statistics().requests == 0


async def test_an_ask_waits_for_room_under_the_same_deadline(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    async def main(message: Any) -> None:
        await trio.sleep(5)
        message(None)

    class Slow:
        def __init__(self, _context: object) -> None: ...

        async def receive(self, message: Any) -> None:
            await main(message)

    ref = system.spawn("slow", Slow, mailbox=MailboxSpec(capacity=1))
    gave_up: list[float] = []

    async def ask(seconds: float) -> None:
        with trio.move_on_after(seconds):
            await ref.ask(lambda reply: reply)
            return
        gave_up.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for seconds in (100, 100, 3, 100):
            nursery.start_soon(ask, seconds)
            await trio.testing.wait_all_tasks_blocked()
    assert gave_up == [3]
    assert trio.current_time() == 15
    assert system.actor_statistics("slow").waiting == 0


async def test_an_asker_that_left_leaves_nothing_parked(system: ActorSystem) -> None:
    release = trio.Event()

    class Stuck:
        def __init__(self, _context: object) -> None: ...

        async def receive(self, _message: object) -> None:
            await release.wait()

    ref = system.spawn("stuck", Stuck, mailbox=MailboxSpec(capacity=1))
    ref.tell(None)
    await trio.testing.wait_all_tasks_blocked()
    ref.tell(None)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ref.ask, lambda reply: reply)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]  only the parking matters
        await trio.testing.wait_all_tasks_blocked()
        assert system.actor_statistics("stuck").waiting == 11
        nursery.cancel_scope.cancel()
    assert system.actor_statistics("stuck").waiting == 1
    release.set()


async def test_the_callers_deadline_cancels_an_ask(system: ActorSystem, autojump_clock: trio.testing.MockClock) -> None:
    ref = system.spawn("a", Double)
    with trio.move_on_after(2) as scope:
        await ref.ask(made("keep"))
    assert scope.cancelled_caught
    assert trio.current_time() == 2
    assert system.statistics().requests == 0


async def test_the_default_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async with open_system(ask_deadline_ms=1_500) as system:
        ref = system.spawn("a", Double)
        results: list[tuple[float, str]] = []

        async def ask(after: float) -> None:
            await trio.sleep(after)
            with pytest.raises(AskTimeoutError, match="ask of 'a': no reply within 1500 ms") as caught:
                await ref.ask(made("keep"))
            results.append((trio.current_time(), str(caught.value)))

        async with trio.open_nursery() as nursery:
            for after in (0, 0.25, 2):
                nursery.start_soon(ask, after)
        assert [at for at, _ in results] == [1.5, 1.75, 3.5]


async def test_a_late_reply_is_counted_and_harmless(system: ActorSystem) -> None:
    behaviours: list[Double] = []

    def factory(context: Context) -> Double:
        behaviours.append(Double(context))
        return behaviours[-1]

    ref = system.spawn("a", factory)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ref.ask, made("keep"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    (reply,) = behaviours[0].kept
    assert reply(1) is False
    assert reply.fail(ValueError()) is False
    assert system.statistics().late_replies == 2
    assert await ref.ask(made(2)) == 4
    assert len(behaviours) == 1


async def test_a_request_that_is_answered_while_it_is_made_is_not_sent(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    def make(reply: Reply[int]) -> Any:
        assert reply(5)
        return (1, reply)

    ref = system.spawn("a", Double)
    assert await ref.ask(make) == 5
    assert system.statistics().requests == 0
    await trio.sleep(100)  # beyond the default deadline, at which nothing must be found
    assert system.statistics().timers == 0
    assert dead(system) == []


async def test_the_second_reply_is_counted_and_harmless(system: ActorSystem) -> None:
    class Twice:
        def __init__(self, _context: object) -> None: ...

        def receive(self, reply: Reply[int]) -> None:
            assert reply(1) is True
            assert reply(2) is False

    ref = system.spawn("a", Twice)
    assert await ref.ask(lambda reply: reply) == 1
    assert system.statistics().late_replies == 1


async def test_a_request_whose_asker_has_gone_is_skipped(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    with trio.CancelScope() as scope:
        scope.cancel()
        await ref.ask(lambda _reply: "request")
    ref.tell("after")
    await system.wait_idle()
    assert journal.messages == ["after"]
    assert dead(system) == [("a", "request", DeadReason.ABANDONED)]


async def test_a_crash_during_an_ask_fails_it_at_once_with_its_cause(system: ActorSystem) -> None:
    ref = system.spawn("a", Double)
    crash = ValueError("boom")
    with pytest.raises(AskFailedError, match="ask of 'a': crashed ValueError") as caught:
        await ref.ask(made(crash))
    assert caught.value.__cause__ is crash


async def test_a_restart_fails_requests_taken_and_keeps_those_waiting(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    ref = system.spawn("a", Double)
    results: dict[str, tuple[float, Any]] = {}

    async def ask(name: str, what: Any) -> None:
        result = await outcome(ref.ask(made(what)))
        results[name] = (trio.current_time(), result)

    async with trio.open_nursery() as nursery:
        for name, what in [("taken", "keep"), ("crashing", ValueError("boom")), ("waiting", 3)]:
            nursery.start_soon(ask, name, what)
            await trio.testing.wait_all_tasks_blocked() if name == "taken" else None
            await trio.lowlevel.checkpoint()
    assert isinstance(results["taken"][1], AskFailedError)
    assert isinstance(results["crashing"][1], AskFailedError)
    assert results["taken"][0] == results["crashing"][0] == 0
    assert results["waiting"][1] == 6


@pytest.mark.parametrize("verb", ["kill", "stop", "crash"])
async def test_the_callees_end_fails_every_request(system: ActorSystem, verb: str) -> None:
    ref = system.spawn("a", Double, restart=RestartSpec(restart_type=RestartType.TEMPORARY))
    results: list[Any] = []

    async def ask() -> None:
        results.append(await outcome(ref.ask(made("keep"))))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        if verb == "crash":
            ref.tell((ValueError("boom"), None))
        else:
            getattr(ref, verb)()
    assert [type(result) for result in results] == [AskFailedError] * 2
    assert {"kill": "killed", "stop": "stopped", "crash": "crashed"}[verb] in str(results[0])


async def test_asking_the_ended_and_the_unknown_is_refused_at_once(system: ActorSystem) -> None:
    ref = system.spawn("a", Double)
    ref.stop()
    await system.wait_stopped("a")
    with pytest.raises(AskRefusedError, match="ask of 'a' refused: a: stopped") as caught:
        await ref.ask(made(1))
    assert caught.value.receipt.refusal is Refusal.STOPPED
    with pytest.raises(AskRefusedError, match="no such actor") as caught:
        await system.ref("nobody:x").ask(made(1))
    assert caught.value.receipt.refusal is Refusal.UNKNOWN


async def test_a_reply_may_be_an_error(system: ActorSystem) -> None:
    class Refuser:
        def __init__(self, _context: object) -> None: ...

        def receive(self, reply: Reply[int]) -> None:
            assert reply.fail(KeyError("no"))

    ref = system.spawn("a", Refuser)
    with pytest.raises(KeyError):
        await ref.ask(lambda reply: reply)
    assert system.statistics().crashes == 0


@define(eq=False)
class Relay:
    """Asks whoever it is told to, in a turn, and passes the answer on."""

    context: Context
    system: ActorSystem

    async def receive(self, message: Any) -> None:
        path, reply = message
        if not path:
            reply("done")
            return
        try:
            reply(await self.system.ref(path[0]).ask(made(path[1:])))
        except AskCycleError as error:
            reply(error)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (["b", "c"], "done"),
        (["a"], "'a' asks itself and could never answer"),
        (["b", "a"], "'b' asks 'a', which waits for 'b' already"),
        (["b", "c", "a"], "'c' asks 'a', which waits for 'c' already"),
    ],
)
async def test_a_cycle_of_asks_raises_at_once(
    system: ActorSystem, autojump_clock: trio.testing.MockClock, path: list[str], answer: str
) -> None:
    for name in "abc":
        system.spawn(name, lambda context: Relay(context, system))
    assert str(await system.ref("a").ask(made(path))) == answer
    assert trio.current_time() == 0


async def test_asks_of_two_actors_for_a_third_are_no_cycle(system: ActorSystem) -> None:
    for name in "abc":
        system.spawn(name, lambda context: Relay(context, system))
    answers: list[Any] = []

    async def ask(name: str) -> None:
        answers.append(await system.ref(name).ask(made(["c"])))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "a")
        nursery.start_soon(ask, "b")
    assert answers == ["done"] * 2
