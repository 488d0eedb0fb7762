"""Tickets: every caller gets exactly one answer."""

from __future__ import annotations

from typing import Final

import pytest
import trio
import trio.testing
from trio.testing import MockClock
from wakeward.protocols.receipt import Receipt, Refusal
from wakeward.protocols.wakes.messages import Answer, Ticket
from wakeward.protocols.wakes.turn import Ran, Skipped
from wakeward.runtime.host.tickets import Caller, Tickets

DRAINED: Final = Skipped("host drained")
REFUSED: Final = Receipt(Refusal.FULL, "full")


async def collect(caller: Caller, into: list[Answer]) -> None:
    into.append(await caller.wait())


def test_every_ticket_is_another_one() -> None:
    tickets = Tickets("boot")
    assert [tickets.open(DRAINED).ticket for _ in range(3)] == [Ticket("boot", number) for number in (1, 2, 3)]
    assert len(tickets) == 3


async def test_an_answer_reaches_the_caller_that_holds_the_ticket_and_no_other(autojump_clock: MockClock) -> None:
    tickets = Tickets("boot")
    got: dict[int, list[Answer]] = {number: [] for number in range(3)}
    callers = [tickets.open(DRAINED) for _ in got]
    async with trio.open_nursery() as nursery:
        for number, caller in enumerate(callers):
            nursery.start_soon(collect, caller, got[number])
        await trio.testing.wait_all_tasks_blocked()
        tickets.answer(callers[1].ticket, Ran("one"))
        await trio.testing.wait_all_tasks_blocked()
        assert got == {0: [], 1: [Ran("one")], 2: []}
        tickets.close()
    assert got == {0: [DRAINED], 1: [Ran("one")], 2: [DRAINED]}
    assert len(tickets) == 0


@pytest.mark.parametrize("second", ["answer", "caller", "close"])
async def test_the_first_answer_counts(second: str) -> None:
    tickets = Tickets("boot")
    caller = tickets.open(DRAINED)
    tickets.answer(caller.ticket, Ran("first"))
    assert len(tickets) == 0
    if second == "answer":
        tickets.answer(caller.ticket, REFUSED)
    elif second == "caller":
        caller.answer(REFUSED)
    else:
        caller.close()
    assert await caller.wait() == Ran("first")
    assert await caller.wait() == Ran("first")


async def test_an_answer_before_anybody_waits_is_kept() -> None:
    tickets = Tickets("boot")
    caller = tickets.open(DRAINED)
    caller.answer(REFUSED)
    tickets.close()
    assert await caller.wait() is REFUSED


@pytest.mark.parametrize("ticket", [None, Ticket("boot", 99), Ticket("an earlier run", 1)])
def test_a_ticket_that_nobody_holds_reaches_nobody(ticket: Ticket | None) -> None:
    tickets = Tickets("boot")
    tickets.open(DRAINED)
    tickets.answer(ticket, Ran())
    assert len(tickets) == 1


async def test_a_caller_that_was_cancelled_is_forgotten(autojump_clock: MockClock) -> None:
    tickets = Tickets("boot")
    caller = tickets.open(DRAINED)
    with trio.move_on_after(5) as scope:
        await caller.wait()
    assert scope.cancelled_caught
    assert len(tickets) == 0
    tickets.answer(caller.ticket, Ran())  # reaches nobody
    tickets.close()


async def test_of_two_who_are_answered_together_one_may_open_a_new_ticket(autojump_clock: MockClock) -> None:
    """Closing answers those who wait now; whoever is woken by it and asks again waits for another answer."""
    tickets = Tickets("boot")
    got: list[Answer] = []

    async def ask_twice() -> None:
        await collect(tickets.open(DRAINED), got)
        await collect(tickets.open(REFUSED), got)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_twice)
        await trio.testing.wait_all_tasks_blocked()
        tickets.close()
        await trio.testing.wait_all_tasks_blocked()
        assert (got, len(tickets)) == ([DRAINED], 1)
        tickets.close()
    assert got == [DRAINED, REFUSED]
