"""The kernel against a simple model of it, over every order of verbs that Hypothesis can think of.

Trio runs in a thread, on a clock that stands still; each rule hands it one step and waits until every task is blocked.
So the model can say exactly what has been handled by then, and what has not and why.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import trio
import trio.testing
from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.kernel_model import BACKOFF_MS, CAPACITY, NAMES, RESTARTS_MAX, WINDOW_MS, Message, Model, ModelActor
from wakeward.protocols.actor import Context
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem, AskError, AskFailedError, AskRefusedError, MailboxSpec, open_system

ADDRESSES = st.sampled_from(NAMES)
KINDS = st.sampled_from(["note", "note", "crash", "turn", "relay"])


# The real thing


@define(eq=False)
class Actor:
    context: Context
    world: World

    def receive(self, message: Message) -> object:
        match message.kind:
            case "crash":
                raise ValueError(message.number)
            case "turn":
                return self._turn(message)
            case "relay":
                self.context.tell(message.to, Message(-message.number, "note", self.context.address))
            case "answer":
                message.reply(message.number)
            case _:
                pass
        self.world.handled.append((self.context.address, message.number))
        return None

    async def _turn(self, message: Message) -> None:
        gate = self.world.gates[self.context.address] = trio.Event()
        await gate.wait()
        self.world.handled.append((self.context.address, message.number))


class World:
    """A running system in a thread, and a way to do one thing in it."""

    def __init__(self) -> None:
        self.clock = trio.testing.MockClock()
        self.handled: list[tuple[str, int]] = []
        self.gates: dict[str, trio.Event] = {}
        self.asks: dict[int, str] = {}
        self._opened = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,), kwargs={"clock": self.clock})
        self._thread.start()
        assert self._opened.wait(10)

    async def _main(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        self.closing = trio.Event()
        spec = RestartSpec(
            intensity=RESTARTS_MAX,
            period_ms=WINDOW_MS,
            backoff_first_ms=BACKOFF_MS,
            backoff_factor=1,
            jitter=0.0,
        )
        async with open_system() as self.system, trio.open_nursery() as self.nursery:
            self.system.define(
                "probe", lambda context: Actor(context, self), mailbox=MailboxSpec(CAPACITY), restart=spec
            )
            self._opened.set()
            await self.closing.wait()

    def do(self, step: Callable[[ActorSystem], Any]) -> Any:
        async def settled() -> Any:
            result = step(self.system)
            if inspect.isawaitable(result):
                result = await result
            await trio.testing.wait_all_tasks_blocked()
            return result

        return trio.from_thread.run(settled, trio_token=self.token)

    async def ask(self, name: str, message: Message) -> None:
        def made(reply: Any) -> Message:
            message.reply = reply
            return message

        try:
            await self.system.ref(name).ask(made)
            self.asks[message.number] = "answered"
        except AskRefusedError:
            self.asks[message.number] = "refused"
        except AskFailedError:
            self.asks[message.number] = "failed"
        except AskError as error:
            self.asks[message.number] = repr(error)

    def advance(self, by_ms: int) -> None:
        async def jump_by_jump() -> None:
            until_s = trio.current_time() + by_ms / 1000 + 1e-7  # beyond what a sum of floats can be short of
            while (left_s := until_s - trio.current_time()) > 1e-9:
                self.clock.jump(min(left_s, max(trio.lowlevel.current_statistics().seconds_to_next_deadline, 1e-9)))
                await trio.testing.wait_all_tasks_blocked()

        self.do(lambda _: jump_by_jump())

    def close(self) -> None:
        def end(system: ActorSystem) -> None:
            self.nursery.start_soon(self._drain)

        self.do(end)
        for _ in range(30):
            self.advance(50)
        self.token.run_sync_soon(self.closing.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _drain(self) -> None:
        await self.system.drain(grace_ms=0)


class KernelAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.model = Model()
        self.numbers = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def both(self, real: Callable[[ActorSystem], Any], model: Callable[[], Any]) -> None:
        expected = model()
        self.model.settle()
        actual = self.world.do(real)
        assert actual == expected

    @rule(name=ADDRESSES, kind=KINDS, to=ADDRESSES)
    def tell(self, name: str, kind: str, to: str) -> None:
        number = self.number()

        def real(system: ActorSystem) -> str:
            receipt = system.ref(name).tell(Message(number, kind, to=to))
            return receipt.refusal.value if receipt.refusal else "accepted"

        self.both(real, lambda: self.model.tell(name, Message(number, kind, to=to)))

    @rule(name=ADDRESSES, kinds=st.lists(KINDS, min_size=2, max_size=6), to=ADDRESSES)
    def tell_a_burst(self, name: str, kinds: list[str], to: str) -> None:
        numbered = [(self.number(), kind) for kind in kinds]

        def real(system: ActorSystem) -> list[str]:
            receipts = [system.ref(name).tell(Message(number, kind, to=to)) for number, kind in numbered]
            return [receipt.refusal.value if receipt.refusal else "accepted" for receipt in receipts]

        self.both(real, lambda: [self.model.tell(name, Message(number, kind, to=to)) for number, kind in numbered])

    @rule(name=ADDRESSES, kind=st.sampled_from(["answer", "keep"]))
    def ask(self, name: str, kind: str) -> None:
        if len(self.model.actors[name].queue) >= CAPACITY:
            return  # it would be parked, which test_ask covers
        message = Message(self.number(), kind)
        self.world.asks[message.number] = "waits"
        self.both(
            lambda _: self.world.nursery.start_soon(self.world.ask, name, message),
            lambda: self.model.ask(name, message),
        )

    @rule(name=ADDRESSES)
    def stop(self, name: str) -> None:
        self.both(lambda system: system.ref(name).stop(), lambda: self.model.stop(name))

    @rule(name=ADDRESSES)
    def kill(self, name: str) -> None:
        self.both(lambda system: system.ref(name).kill(), lambda: self.model.kill(name))

    @rule(name=ADDRESSES)
    def revive(self, name: str) -> None:
        def model() -> bool:
            if self.model.actors[name].state != "stopped":
                return False
            self.model.actors[name] = ModelActor()
            return True

        self.both(lambda system: system.revive(name), model)

    @rule(name=ADDRESSES)
    def passivate(self, name: str) -> None:
        def model() -> bool:
            actor = self.model.actors[name]
            if actor.state != "idle" or any(self.model.asks[number] == "waits" for number in actor.taken):
                return False
            actor.state = "dormant"
            return True

        self.both(lambda system: system.passivate(name), model)

    @precondition(lambda self: any(actor.turn for actor in self.model.actors.values()))
    @rule(data=st.data(), cut=st.booleans())
    def end_turn(self, data: st.DataObject, cut: bool) -> None:
        name = data.draw(st.sampled_from([name for name, actor in self.model.actors.items() if actor.turn]))

        def real(system: ActorSystem) -> None:
            if cut:
                assert system.ref(name).interrupt()
            else:
                self.world.gates[name].set()

        self.both(real, lambda: self.model.end_turn(name, cut=cut))

    @rule(by_ms=st.sampled_from([1, 40, BACKOFF_MS, WINDOW_MS]))
    def advance(self, by_ms: int) -> None:
        self.model.advance(by_ms)
        self.world.advance(by_ms)

    @invariant()
    def what_was_handled_is_what_should_be(self) -> None:
        for name in NAMES:
            actual = [number for at, number in self.world.handled if at == name]
            assert actual == [number for at, number in self.model.handled if at == name]

    @invariant()
    def what_was_not_is_accounted_for(self) -> None:
        letters = self.world.do(lambda system: system.dead_letters())
        assert Counter((x.to, x.message.number, x.reason.value) for x in letters) == self.model.dead

    @invariant()
    def actors_are_where_they_should_be(self) -> None:
        def states(system: ActorSystem) -> dict[str, str]:
            return {name: system.actor_statistics(name).state.partition(",")[0] for name in NAMES}

        assert self.world.do(states) == {name: actor.state for name, actor in self.model.actors.items()}

    @invariant()
    def requests_fare_as_they_should(self) -> None:
        assert self.world.asks == self.model.asks

    def teardown(self) -> None:
        waiting = {message.number for actor in self.model.actors.values() for message in actor.queue}
        told = waiting | {n for _, n in self.model.handled} | {n for _, n, _ in self.model.dead}
        cut = self.model.cut | {actor.turn.number for actor in self.model.actors.values() if actor.turn}
        self.world.close()
        handled = Counter(number for _, number in self.world.handled)
        dead = Counter(letter.message.number for letter in self.world.system.dead_letters())
        assert {n: handled[n] + dead[n] for n in told | cut} == {n: int(n not in cut) for n in told | cut}


TestKernelAgainstModel = KernelAgainstModel.TestCase
TestKernelAgainstModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
