from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from support.probe import Journal, Probe, dead
from wakeward.protocols.actor import HOST_OPS, TELL
from wakeward.protocols.errors import InvalidInputError
from wakeward.runtime.kernel import ActorSystem, DeadLetter, DeadReason, MailboxSpec, open_system

OUT = HOST_OPS + 3


async def test_effects_happen_after_the_message_and_in_order(system: ActorSystem, journal: Journal) -> None:
    seen: list[Any] = []
    system.perform_with({OUT: lambda address, a, b, c: seen.append((address, a, b, c))})
    system.spawn("b", journal.probe)

    def message(me: Probe) -> None:
        me.context.emit(OUT, 1)
        me.context.tell("b", "told")
        me.context.set_timer("key", 0, "timer")
        me.context.emit(OUT, 2, "b", ("c",))
        seen.append(("handled", system.actor_statistics("b").waiting, system.statistics().timers))

    system.spawn("a", journal.probe).tell(message)
    await trio.testing.wait_all_tasks_blocked()
    assert seen == [("handled", 0, 0), ("a", 1, None, None), ("a", 2, "b", ("c",))]
    assert journal.entries == [("b", "told"), ("a", "timer")]


async def test_nothing_of_a_message_that_raises_happens(system: ActorSystem, journal: Journal) -> None:
    seen: list[Any] = []
    system.perform_with({OUT: lambda _address, a, _b, _c: seen.append(a)})
    system.spawn("b", journal.probe)

    def message(me: Probe) -> None:
        me.context.emit(OUT, 1)
        me.context.tell("b", "told")
        me.context.signal("b", "signalled")
        me.context.set_timer("key", 0, "timer")
        me.context.watch("nobody")
        me.context.stop()
        raise ValueError("boom")

    ref = system.spawn("a", journal.probe)
    ref.tell(message)
    ref.tell(lambda me: me.context.emit(OUT, 2))
    await system.wait_idle()
    await trio.sleep(0.3)
    assert (seen, journal.messages) == ([2], [])
    assert ref.tell("still there")


async def test_nothing_of_a_factory_that_raises_happens(system: ActorSystem, journal: Journal) -> None:
    def at_birth(context: Any) -> None:
        context.tell("b", f"born {len(journal.born)}")
        if len(journal.born) == 2:  # the first one is b
            raise ValueError("boom")

    system.spawn("b", journal.probe)
    await system.wait_idle()
    journal.at_birth = at_birth
    system.spawn("a", journal.probe)
    await system.wait_idle()
    await trio.sleep(0.3)
    assert journal.messages == ["born 3"]


async def test_outside_a_message_effects_happen_at_once(
    system: ActorSystem, autojump_clock: trio.testing.MockClock
) -> None:
    journal = Journal()
    waiting: list[int] = []

    async def turn(me: Probe) -> None:
        await trio.lowlevel.checkpoint()
        for number in range(2):
            me.context.tell("b", number)
            waiting.append(system.actor_statistics("b").waiting)

    class Farewell(Probe):
        def on_stop(self) -> None:
            self.context.signal("b", "farewell")
            waiting.append(system.actor_statistics("b").waiting_control)

    system.spawn("b", journal.probe)
    ref = system.spawn("a", lambda context: Farewell(context, journal))
    ref.tell(turn)
    await system.wait_idle()
    ref.stop()
    await system.wait_idle()
    assert waiting == [1, 2, 1]
    assert journal.messages == [0, 1, "farewell"]


async def test_what_a_batched_tell_is_refused_is_a_dead_letter_of_the_teller(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    letters: list[DeadLetter] = []
    async with open_system(on_dead_letter=letters.append) as system:
        system.spawn("b", journal.probe, mailbox=MailboxSpec(capacity=1))
        system.spawn("a", journal.probe).tell(lambda me: [me.context.tell("b", number) for number in range(2)])
        await system.wait_idle()
        assert [(x.sender, x.to, x.message, x.reason) for x in letters] == [("a", "b", 1, DeadReason.FULL)]


async def test_a_dead_letter_hook_that_fails_changes_nothing(
    journal: Journal, autojump_clock: trio.testing.MockClock
) -> None:
    def fail(_: DeadLetter) -> None:
        raise ValueError("hook")

    async with open_system(on_dead_letter=fail) as system:
        system.spawn("a", journal.probe).tell(lambda me: [me.context.tell(to, "x") for to in ("nobody", "a")])
        await system.wait_idle()
        assert (journal.messages, system.statistics().crashes) == (["x"], 0)


def fail(*_: object) -> None:
    raise ValueError("performer")


async def test_an_effect_that_raises_costs_no_other_effect(system: ActorSystem, journal: Journal) -> None:
    def message(me: Probe) -> None:
        me.context.emit(OUT)
        me.context.emit(OUT + 1)  # nobody performs it
        me.context.watch([])  # pyright: ignore[reportArgumentType]  the mistake
        me.context.tell("a", "after them")

    system.perform_with({OUT: fail})
    system.spawn("a", journal.probe).tell(message)
    await system.wait_idle()
    assert (journal.messages, system.statistics().crashes) == (["after them"], 0)


async def test_a_host_performs_its_own_operations_only(system: ActorSystem) -> None:
    with pytest.raises(InvalidInputError, match=r"operations \[0\]: 8 and above are accepted"):
        system.perform_with(dict.fromkeys([TELL, OUT], fail))


async def test_an_actor_that_kills_itself_has_handled_the_message(system: ActorSystem, journal: Journal) -> None:
    def message(me: Probe) -> None:
        me.context.tell("b", "last words")
        me.context.set_timer("key", 0, "never")
        ref.kill()

    system.spawn("b", journal.probe)
    ref = system.spawn("a", journal.probe)
    ref.tell(message)
    await system.wait_idle()
    assert journal.entries == [("b", "last words")]
    assert (dead(system), system.statistics().timers) == ([], 0)
