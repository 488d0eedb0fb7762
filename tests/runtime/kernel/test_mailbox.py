from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.probe import Journal, Probe, dead
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.receipt import Refusal
from wakeward.runtime.kernel import (
    ActorSystem,
    AskFailedError,
    DeadReason,
    MailboxOverflow,
    MailboxSpec,
    Merge,
    open_system,
)


def first(message: Any) -> Any:
    return message[0]


async def test_drop_oldest(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(capacity=2, overflow=MailboxOverflow.DROP_OLDEST))
    assert all(ref.tell(number) for number in range(4))
    await system.wait_idle()
    assert journal.messages == [2, 3]
    assert dead(system) == [("a", 0, DeadReason.DROPPED), ("a", 1, DeadReason.DROPPED)]


async def test_latest_is_a_mailbox_of_one(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(overflow=MailboxOverflow.LATEST))
    assert all(ref.tell(number) for number in range(3))
    await system.wait_idle()
    assert journal.messages == [2]
    assert [reason for *_, reason in dead(system)] == [DeadReason.DROPPED] * 2


async def test_merge_keeps_the_place_of_the_older(system: ActorSystem, journal: Journal) -> None:
    def combine(older: Any, newer: Any) -> Any:
        return (older[0], older[1] + newer[1])

    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(capacity=2, overflow=Merge(first, combine)))
    for message in [("x", 1), ("y", 2), ("x", 3)]:
        assert ref.tell(message)
    assert ref.tell(("z", 4)).refusal is Refusal.FULL
    assert ref.tell(("y", 5))
    await system.wait_idle()
    assert journal.messages == [("x", 4), ("y", 7)]
    assert system.statistics().merged == 2
    assert ref.tell(("z", 6))


async def test_merge_replaces_by_default(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(overflow=Merge(first)))
    ref.tell(("x", 1))
    ref.tell(("x", 2))
    await system.wait_idle()
    assert journal.messages == [("x", 2)]


async def test_requests_never_merge(system: ActorSystem) -> None:
    class Echo:
        def __init__(self, _context: object) -> None: ...

        def receive(self, message: Any) -> None:
            message[1](message[0])

    ref = system.spawn("a", Echo, mailbox=MailboxSpec(capacity=1, overflow=Merge(first)))
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await ref.ask(lambda reply: ("same key", reply)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert answers == ["same key"] * 2


async def test_a_dropped_request_fails_at_once(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(overflow=MailboxOverflow.LATEST))

    async def ask() -> None:
        with pytest.raises(AskFailedError, match="ask of 'a': dropped"):
            await ref.ask(lambda reply: ("older", reply))

    release = trio.Event()
    ref.tell(lambda _: release.wait())
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        ref.tell("newer")
    release.set()


async def test_messages_of_timers_take_no_room_and_are_never_dropped(
    system: ActorSystem, journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    async def turn(me: Probe) -> None:
        for key in range(3):
            me.context.set_timer(key, 10, f"tick {key}")
        await trio.sleep(1)

    spec = MailboxSpec(capacity=1, overflow=MailboxOverflow.DROP_OLDEST)
    ref = system.spawn("a", journal.probe, mailbox=spec)
    ref.tell(turn)
    await trio.sleep(0.5)
    assert ref.tell("older")
    assert ref.tell("newer")
    await trio.sleep(1)
    assert journal.messages == ["tick 0", "tick 1", "tick 2", "newer"]
    assert dead(system) == [("a", "older", DeadReason.DROPPED)]


def test_a_mailbox_has_room() -> None:
    with pytest.raises(InvalidInputError, match=r"MailboxSpec\(capacity=0\): at least 1"):
        MailboxSpec(capacity=0)


async def test_an_idle_actor_has_no_mailbox(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(1)
    await system.wait_idle()
    cell = ref._cell  # pyright: ignore[reportPrivateUsage]  what costs memory cannot be seen from outside
    assert cell.queue is None
    assert cell.control is None


OVERFLOWS = [MailboxOverflow.REJECT, MailboxOverflow.DROP_OLDEST, MailboxOverflow.LATEST]


@given(st.sampled_from(OVERFLOWS), st.integers(1, 4), st.lists(st.integers(0, 6), max_size=8))
def test_what_was_told_was_handled_or_is_a_dead_letter(
    overflow: MailboxOverflow, capacity: int, bursts: list[int]
) -> None:
    async def main() -> None:
        journal, told = Journal(), 0
        async with open_system() as system:
            ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(capacity=capacity, overflow=overflow))
            for burst in bursts:
                for _ in range(burst):
                    told += 1
                    ref.tell(told)
                await system.wait_idle()
            lost = [message for _, message, _ in dead(system)]
            assert sorted(journal.messages + lost) == list(range(1, told + 1))
            assert journal.messages == sorted(journal.messages)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
