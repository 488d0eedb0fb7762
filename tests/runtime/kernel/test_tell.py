from __future__ import annotations

import contextvars
from collections.abc import Callable

import pytest
import trio
from support.probe import Journal, Probe, dead
from wakeward.protocols.receipt import ACCEPTED, Refusal
from wakeward.runtime.kernel import ActorRef, ActorSystem, AddressError, DeadReason, MailboxSpec

COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


async def test_a_ref_is_good_before_the_actor_exists(system: ActorSystem, journal: Journal) -> None:
    ref = system.ref("probe:a")
    assert ref.tell(1).refusal is Refusal.UNKNOWN
    system.define("probe", journal.probe)
    assert ref.tell(2)
    await system.wait_idle()
    assert journal.entries == [("probe:a", 2)]


async def test_a_defined_actor_is_made_at_its_first_message(system: ActorSystem, journal: Journal) -> None:
    probe = system.define("probe", journal.probe)
    ref = probe("a")
    await system.wait_idle()
    assert journal.born == []
    assert system.actor_statistics("probe:a").state == "dormant"
    ref.tell(1)
    await system.wait_idle()
    assert journal.born == ["probe:a"]


async def test_a_spawned_actor_is_made_at_once(system: ActorSystem, journal: Journal) -> None:
    system.spawn("single", journal.probe)
    await system.wait_idle()
    assert journal.born == ["single"]


async def test_refs_of_one_address_are_equal(system: ActorSystem, journal: Journal) -> None:
    probe = system.define("probe", journal.probe)
    assert probe("a") == system.ref("probe:a") != probe("b")
    assert len({probe("a"), system.ref("probe:a")}) == 1
    assert repr(probe("a")) == "<ActorRef probe:a>"


async def test_tell_returns_before_the_message_is_handled(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    assert ref.tell(1) is ACCEPTED
    assert journal.messages == []
    await system.wait_idle()
    assert journal.messages == [1]


async def test_tell_works_in_finally_while_cancelled(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    with trio.CancelScope() as scope:
        try:
            scope.cancel()
            await trio.sleep_forever()
        finally:
            assert ref.tell("exit")
    await system.wait_idle()
    assert journal.messages == ["exit"]


async def test_messages_of_one_sender_to_one_receiver_keep_their_order(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    for number in range(1_000):
        ref.tell(number)
        if number % 300 == 0:
            await trio.lowlevel.checkpoint()
    await system.wait_idle()
    assert journal.messages == list(range(1_000))


async def test_actors_run_in_the_order_in_which_they_became_ready(system: ActorSystem, journal: Journal) -> None:
    probe = system.define("probe", journal.probe)
    for key in "cab":
        probe(key).tell(1)
    probe("c").tell(2)
    await system.wait_idle()
    assert journal.entries == [("probe:c", 1), ("probe:c", 2), ("probe:a", 1), ("probe:b", 1)]


async def test_a_busy_actor_lets_the_others_run(system: ActorSystem, journal: Journal) -> None:
    def again(probe: Probe) -> None:
        if "b" not in journal.messages:
            ref_a.tell(again)

    ref_a = system.spawn("a", journal.probe)
    ref_b = system.spawn("b", journal.probe)
    for _ in range(200):
        ref_a.tell(again)
    ref_b.tell("b")
    await system.wait_idle()
    assert journal.messages == ["b"]


async def test_busy_actors_let_other_tasks_run(system: ActorSystem, journal: Journal) -> None:
    seen: list[int] = []

    def again(probe: Probe) -> None:
        if not seen:
            ref.tell(again)

    async def other() -> None:
        await trio.lowlevel.checkpoint()
        seen.append(1)

    ref = system.spawn("a", journal.probe)
    ref.tell(again)
    async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - it is about having a task beside
        nursery.start_soon(other)
    await system.wait_idle()
    assert seen == [1]


async def test_the_tellers_contextvars_do_not_show_in_the_activation(system: ActorSystem, journal: Journal) -> None:
    seen: list[str] = []

    async def turn(_: Probe) -> None:
        seen.append(COLOUR.get())
        await trio.lowlevel.checkpoint()

    token = COLOUR.set("red")
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda _: seen.append(COLOUR.get()))
    ref.tell(turn)
    await system.wait_idle()
    COLOUR.reset(token)
    assert seen == ["none", "none"]


async def test_a_full_mailbox_refuses_with_a_reason(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(capacity=2))
    receipts = [ref.tell(number) for number in range(3)]
    assert [receipt.refusal for receipt in receipts] == [None, None, Refusal.FULL]
    assert receipts[2].detail == "a: the mailbox is full (2 waiting)"
    await system.wait_idle()
    assert journal.messages == [0, 1]
    assert dead(system) == [("a", 2, DeadReason.FULL)]
    assert ref.tell(3)


async def test_a_signal_overtakes_and_is_never_refused_for_want_of_room(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe, mailbox=MailboxSpec(capacity=1))
    assert ref.tell("user")
    assert all(ref.signal(f"exit {number}") for number in range(3))
    await system.wait_idle()
    assert journal.messages == ["exit 0", "exit 1", "exit 2", "user"]


async def test_a_signal_arrives_while_the_mailbox_is_being_worked_off(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda _: ref.signal("exit"))
    ref.tell("user")
    await system.wait_idle()
    assert journal.messages == ["exit", "user"]


async def test_an_actor_tells_others_by_address(system: ActorSystem, journal: Journal) -> None:
    system.define("probe", journal.probe)
    ref = system.spawn("a", journal.probe)
    ref.tell(lambda me: me.context.tell("probe:b", "hello"))
    ref.tell(lambda me: me.context.tell("nobody:x", "hello"))
    ref.tell(lambda me: me.context.signal("nobody:x", "exit"))
    await system.wait_idle()
    assert journal.of("probe:b") == ["hello"]
    assert dead(system) == [("nobody:x", "hello", DeadReason.UNKNOWN), ("nobody:x", "exit", DeadReason.UNKNOWN)]
    assert [letter.sender for letter in system.dead_letters()] == ["a", "a"]


async def test_an_actor_may_tell_itself(system: ActorSystem, journal: Journal) -> None:
    ref = system.spawn("a", journal.probe)

    def countdown(number: int) -> Callable[[Probe], None]:
        def step(me: Probe) -> None:
            me.context.tell("a", number)
            if number:
                me.context.tell("a", countdown(number - 1))

        return step

    ref.tell(countdown(3))
    await system.wait_idle()
    assert journal.messages == [3, 2, 1, 0]


async def test_from_another_thread(system: ActorSystem, journal: Journal) -> None:
    system.define("probe", journal.probe)

    def in_thread() -> None:
        for number in range(10):
            system.tell_from_thread("probe:a", number)

    await trio.to_thread.run_sync(in_thread)
    await trio.testing.wait_all_tasks_blocked()
    assert journal.messages == list(range(10))


@pytest.mark.parametrize("kind", ["", "a:b"])
async def test_a_kind_is_a_name_without_a_colon(system: ActorSystem, journal: Journal, kind: str) -> None:
    with pytest.raises(AddressError, match=f"kind {kind!r}: a name without a colon is accepted"):
        system.define(kind, journal.probe)


async def test_an_address_belongs_to_one_actor_at_a_time(system: ActorSystem, journal: Journal) -> None:
    system.define("probe", journal.probe)
    with pytest.raises(AddressError, match="kind 'probe' is defined already"):
        system.define("probe", journal.probe)
    first = system.spawn("a", journal.probe)
    with pytest.raises(AddressError, match="address 'a': one that no living actor has is accepted"):
        system.spawn("a", journal.probe)
    first.stop()
    await system.wait_stopped("a")
    second = system.spawn("a", journal.probe)
    assert first.tell("by the old ref")
    assert second.tell("by the new ref")
    await system.wait_idle()
    assert journal.messages == ["by the old ref", "by the new ref"]


async def test_an_empty_address_is_refused(system: ActorSystem, journal: Journal) -> None:
    with pytest.raises(AddressError, match="address ''"):
        system.ref("")
    with pytest.raises(AddressError, match="address ''"):
        system.spawn("", journal.probe)


async def test_refs_say_which_messages_they_take(system: ActorSystem) -> None:
    class Lamp:
        def __init__(self, _context: object) -> None: ...

        def receive(self, message: bool) -> None: ...

    lamp: ActorRef[bool] = system.spawn("lamp", Lamp)
    lamp.tell(True)
    _: Callable[[], object] = lambda: lamp.tell("on")  # pyright: ignore[reportArgumentType]  this is the point  # noqa: E731  never called
