"""Whatever fails, and whenever: the outside sees what is committed, in order, once, and nothing of what failed.

Two actors save for one owner, a third for another. Hypothesis sends them requests and facts, lets the journal answer
(late, out of order across owners, with a failure), lets them crash, and lets time pass. At the end the journal answers
everything, and the books must agree.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio
import trio.testing
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journal import COMMITTED, FENCED, UNAVAILABLE, ScriptedJournal, list_store
from support.probe import dead
from wakeward.protocols.actor import HOST_OPS, Context
from wakeward.protocols.journal.port import CommitOutcome
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import DeadReason, open_system

SHOW = HOST_OPS
ADDRESSES = ("agent:ops", "jobs:ops", "agent:dev")
RESTART = RestartSpec(intensity=1_000, backoff_first_ms=300, backoff_factor=1, jitter=0.0)


@define(frozen=True)
class Message:
    number: int
    kind: str


@define(eq=False)
class Saver:
    """Its state is what it has saved; it begins from the records of its own in the owner's image."""

    context: Context
    owner: str
    state: list[int]

    def receive(self, message: Message) -> None:
        if message.kind != "only show":
            self.state.append(message.number)
            self.context.save(self.owner, (self.context.address, message.number))
        self.context.emit(SHOW, message.number)
        if message.kind == "crash":
            raise ValueError(message.number)


@define(eq=False)
class World:
    journal: ScriptedJournal = field(factory=ScriptedJournal)
    shown: dict[str, list[int]] = field(factory=lambda: {address: [] for address in ADDRESSES})
    lives: dict[str, Saver] = field(factory=dict[str, Saver])
    sent: dict[str, dict[str, list[Message]]] = field(
        factory=lambda: {lane: {address: [] for address in ADDRESSES} for lane in ("request", "fact")}
    )

    def saved_by(self, address: str) -> list[int]:
        """The durable records of one actor."""
        records: list[Any] = self.journal.durable.get(address.partition(":")[2], [])
        return [number for at, number in records if at == address]


KINDS = st.sampled_from(["save", "save", "save", "only show", "crash"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.sampled_from(ADDRESSES), KINDS),
        st.tuples(st.just("fact"), st.sampled_from(ADDRESSES), KINDS),
        st.tuples(st.just("answer"), st.sampled_from(["ops", "dev"]), st.sampled_from([COMMITTED, UNAVAILABLE])),
        st.tuples(st.just("at once"), st.just(""), st.sampled_from([None, None, COMMITTED, UNAVAILABLE])),
        st.tuples(st.just("settle"), st.just(""), st.just(0.0)),
        st.tuples(st.just("sleep"), st.just(""), st.sampled_from([0.2, 0.5, 1.1])),
    ),
    max_size=40,
)


async def play(world: World, steps: list[tuple[str, str, Any]]) -> list[tuple[str, Message, DeadReason]]:
    store = list_store(world.journal)

    def make(context: Context) -> Saver:
        owner = context.address.partition(":")[2]
        image: list[Any] = store.image(owner)
        state = [number for at, number in image if at == context.address]
        saver = world.lives[context.address] = Saver(context, owner, state)
        return saver

    async with open_system(journal=store) as system:
        system.perform_with({SHOW: lambda address, number, _b, _c: world.shown[address].append(number)})
        for kind in ("agent", "jobs"):
            system.define(kind, make, restart=RESTART)
        for number, (verb, where, what) in enumerate(steps):
            match verb:
                case "request" | "fact":
                    message = Message(number, what)
                    world.sent[verb][where].append(message)
                    assert (system.tell if verb == "request" else system.signal)(where, message)
                case "answer":
                    if world.journal.waiting_count(where):
                        world.journal.answer(where, what)
                case "at once":
                    world.journal.at_once = what
                case "settle":
                    await trio.testing.wait_all_tasks_blocked()
                case _:
                    await trio.sleep(what)
        for _ in range(3):  # what is answered now may let an actor begin again, and save
            world.journal.at_once = COMMITTED
            world.journal.answer_all()
            await trio.sleep(3)
        assert system.statistics().commits_in_flight == 0
        return dead(system)


def check(world: World, letters: list[tuple[str, Message, DeadReason]]) -> None:
    for address in ADDRESSES:
        shown = world.shown[address]
        requests, facts = world.sent["request"][address], world.sent["fact"][address]
        only_shown = {message.number for message in requests + facts if message.kind == "only show"}
        # The outside saw the fold of what is committed, and the actor's state is the same.
        assert [number for number in shown if number not in only_shown] == world.saved_by(address)
        if address in world.lives:
            assert world.lives[address].state == world.saved_by(address)
        # Each message was shown once or is a dead letter, not both.
        lost = [(message.number, reason) for to, message, reason in letters if to == address]
        seen = Counter([*shown, *(number for number, _ in lost)])
        assert seen == Counter({message.number: 1 for message in requests + facts})
        # In order, by lane; a fact is lost by a crash of its own only.
        for lane in (requests, facts):
            numbers = {message.number for message in lane}
            assert [number for number in shown if number in numbers] == sorted(numbers.intersection(shown))
        crashing = {message.number for message in facts if message.kind == "crash"}
        assert {n for n, _ in lost}.intersection({message.number for message in facts}) == crashing
        # A request that is lost was taken back, or crashed its actor.
        assert {reason for _, reason in lost} <= {DeadReason.UNAVAILABLE, DeadReason.CRASHED}


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_the_outside_sees_what_is_committed_and_nothing_else(steps: list[tuple[str, str, Any]]) -> None:
    async def main() -> None:
        world = World()
        letters: Any = await play(world, steps)
        check(world, letters)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@given(STEPS, st.sampled_from([COMMITTED, UNAVAILABLE, FENCED]))
@settings(max_examples=50, deadline=None)
def test_with_a_fenced_owner_nothing_uncommitted_is_shown(
    steps: list[tuple[str, str, Any]], before: CommitOutcome
) -> None:
    async def main() -> None:
        world = World()
        world.journal.at_once = None
        fenced: list[tuple[str, str, Any]] = [("answer", "ops", before), ("answer", "ops", FENCED), ("sleep", "", 0.1)]
        # After the fence requests may be refused at once, so none is sent.
        await play(world, [*steps, *fenced])
        for address in ADDRESSES:
            saved = world.saved_by(address)
            shown = [number for number in world.shown[address] if number in saved]
            assert shown == saved
            messages = world.sent["request"][address] + world.sent["fact"][address]
            unsaved = {message.number for message in messages if message.kind != "only show"} - set(saved)
            assert unsaved.isdisjoint(world.shown[address])

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
