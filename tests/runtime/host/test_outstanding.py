"""The book of outstanding work: who waits is woken when the last thing ends, and not before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked
from wakeward.protocols.actor import Context
from wakeward.protocols.errors import HostClosedError
from wakeward.runtime.host.outstanding import Outstanding
from wakeward.runtime.kernel import ActorSystem, open_system

OPS = ("agent:ops", "agent:ops:main")


@define(eq=False)
class Stage:
    """A book over an empty system, and who has come back from waiting."""

    book: Outstanding
    system: ActorSystem
    nursery: trio.Nursery
    woken: list[str] = field(factory=list[str])

    def waits(self, name: str, wait: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await wait()
            self.woken.append(name)

        self.nursery.start_soon(run)

    async def settled(self) -> list[str]:
        await wait_all_tasks_blocked()
        return sorted(self.woken)


@asynccontextmanager
async def staged() -> AsyncGenerator[Stage]:
    async with open_system() as system, trio.open_nursery() as nursery:
        stage = Stage(Outstanding(system), system, nursery)
        yield stage
        nursery.cancel_scope.cancel(reason="end of the test")


def begin(book: Outstanding, what: str) -> None:
    match what:
        case "session":
            book.set_busy(*OPS, True)
        case "turn":
            book.open_turn(1)
        case _:
            book.count_child(+1)


def end(book: Outstanding, what: str) -> None:
    match what:
        case "session":
            book.set_busy(*OPS, False)
        case "turn":
            book.close_turn(1)
        case _:
            book.count_child(-1)


async def test_with_nothing_to_do_nobody_waits(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        await stage.book.wait_idle()
        await stage.book.wait_quiet()


@pytest.mark.parametrize("last", ["session", "turn", "child"])
async def test_who_waits_for_rest_is_woken_by_the_last_end_and_not_before(autojump_clock: MockClock, last: str) -> None:
    others = [what for what in ("session", "turn", "child") if what != last]
    async with staged() as stage:
        for what in ("session", "turn", "child"):
            begin(stage.book, what)
        stage.waits("one", stage.book.wait_idle)
        stage.waits("two", stage.book.wait_idle)
        for what in others:
            end(stage.book, what)
            assert await stage.settled() == []
        end(stage.book, last)
        assert await stage.settled() == ["one", "two"]


async def test_quiet_is_without_turns_and_children_whatever_is_pending(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        for what in ("session", "turn", "child"):
            begin(stage.book, what)
        stage.waits("quiet", stage.book.wait_quiet)
        stage.waits("idle", stage.book.wait_idle)
        end(stage.book, "turn")
        assert await stage.settled() == []
        end(stage.book, "child")
        assert await stage.settled() == ["quiet"]
        assert (stage.book.is_quiet, stage.book.is_idle) == (True, False)


async def test_what_begins_before_a_waiter_has_looked_keeps_it_waiting(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        begin(stage.book, "turn")
        stage.waits("idle", stage.book.wait_idle)
        stage.waits("quiet", stage.book.wait_quiet)
        await wait_all_tasks_blocked()
        end(stage.book, "turn")
        begin(stage.book, "child")  # in the same step: the waiters have been woken, and have not run
        assert await stage.settled() == []
        end(stage.book, "child")
        assert await stage.settled() == ["idle", "quiet"]


async def test_a_waiter_that_begins_something_when_it_is_woken(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        begin(stage.book, "turn")

        async def goes_on() -> None:
            await stage.book.wait_quiet()
            stage.book.open_turn(2)

        stage.waits("first", goes_on)
        await wait_all_tasks_blocked()
        end(stage.book, "turn")
        assert await stage.settled() == ["first"]
        stage.waits("second", stage.book.wait_quiet)
        assert await stage.settled() == ["first"]
        stage.book.close_turn(2)
        assert await stage.settled() == ["first", "second"]


async def test_a_message_that_nobody_has_handled_may_still_make_work(autojump_clock: MockClock) -> None:
    class Worker:
        def __init__(self, _ctx: Context) -> None: ...

        async def receive(self, _message: str) -> None:
            await trio.sleep(5)
            begin(stage.book, "session")

    async with staged() as stage:
        ref = stage.system.spawn("worker", Worker)
        assert ref.tell("work")
        stage.waits("idle", stage.book.wait_idle)
        assert await stage.settled() == []
        await trio.sleep(6)
        assert await stage.settled() == []
        end(stage.book, "session")
        assert await stage.settled() == ["idle"]


async def test_an_end_that_comes_twice_changes_nothing(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        begin(stage.book, "turn")
        begin(stage.book, "session")
        assert stage.book.is_open(1)
        for _ in range(2):
            end(stage.book, "turn")
            end(stage.book, "session")
        assert (stage.book.is_open(1), stage.book.is_idle) == (False, True)
        begin(stage.book, "session")
        begin(stage.book, "session")
        end(stage.book, "session")
        assert stage.book.is_idle


async def test_the_same_session_key_of_two_agents_is_two_sessions(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.book.set_busy("agent:a", "global", True)
        stage.book.set_busy("agent:b", "global", True)
        stage.book.set_busy("agent:a", "global", False)
        assert not stage.book.is_idle


async def test_a_waiter_that_was_cancelled_is_not_missed_by_the_others(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        begin(stage.book, "child")
        stage.waits("stays", stage.book.wait_idle)
        for wait in (stage.book.wait_idle, stage.book.wait_quiet):
            with trio.move_on_after(1) as scope:
                await wait()
            assert scope.cancelled_caught
        end(stage.book, "child")
        assert await stage.settled() == ["stays"]


async def test_after_the_drain_who_waits_for_what_is_pending_is_told(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        begin(stage.book, "session")
        told: list[str] = []

        async def wait() -> None:
            with pytest.raises(HostClosedError, match="the host has drained"):
                await stage.book.wait_idle()
            told.append("told")

        stage.nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        stage.book.abandon()
        await wait_all_tasks_blocked()
        assert told == ["told"]
        await wait()  # also whoever comes later


async def test_after_a_drain_that_left_nothing_waiting_ends_in_peace(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        stage.book.abandon()
        await stage.book.wait_idle()
