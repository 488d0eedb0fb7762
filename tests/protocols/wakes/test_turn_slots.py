"""Turn slots: who has one, who is next, and that none is lost."""

from __future__ import annotations

from attrs import asdict, define, field
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from wakeward.protocols.wakes.turn_slots import Place, TurnSlots

A1, A2, A3, B1, B2 = ("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")


def slots_with(capacity: int, *places: Place, limit: int | None = None) -> tuple[TurnSlots, list[bool]]:
    slots = TurnSlots(capacity)
    return slots, [slots.acquire(*place, limit) for place in places]


def test_the_line_of_the_host_is_served_in_order() -> None:
    slots, got = slots_with(1, A1, B1, A2)
    assert (got, slots.waiting_count) == ([True, False, False], 2)
    assert slots.release(*A1) == [B1]
    assert slots.release(*B1) == [A2]
    assert slots.release(*A2) == []
    assert slots.waiting_count == 0


def test_the_limit_of_an_agent_holds_up_nobody_else() -> None:
    slots, got = slots_with(2, A1, A2, limit=1)
    assert got == [True, False]
    assert slots.acquire(*B1, 1)
    assert slots.release(*A1) == [A2]


def test_who_was_over_the_limit_joins_the_line_of_the_host_at_its_end() -> None:
    slots, _ = slots_with(1, A1, A2, limit=1)
    assert not slots.acquire(*B1)
    assert slots.release(*A1) == [B1]
    assert slots.release(*B1) == [A2]


def test_nothing_is_given_back_twice() -> None:
    slots, _ = slots_with(1, A1, B1, B2)
    assert slots.release("a", "ghost") == []
    assert slots.release(*A1) == [B1]
    assert slots.release(*A1) == []
    assert (slots.holds(*B1), slots.waiting_count) == (True, 1)


def test_who_leaves_the_line_is_passed_over() -> None:
    slots, _ = slots_with(1, A1, B1, B2)
    assert slots.release(*B1) == []
    assert slots.release(*A1) == [B2]


def test_a_place_in_line_that_is_given_back_counts_no_longer_for_the_agent() -> None:
    slots, _ = slots_with(1, B1)
    assert [slots.acquire(*place, 1) for place in (A1, A2)] == [False, False]  # A2 waits for the limit of its agent
    assert slots.release(*A1) == []
    assert slots.release(*B1) == [A2]


def test_a_raised_limit_serves_who_waited_for_it() -> None:
    slots, _ = slots_with(3, A1, A2, A3, limit=1)
    assert slots.set_limit("a", 2) == [A2]
    assert slots.set_limit("a", None) == [A3]


def test_a_lowered_limit_takes_nothing_away() -> None:
    slots, _ = slots_with(3, A1, A2, limit=2)
    assert slots.set_limit("a", 1) == []
    assert slots.holds(*A1)
    assert slots.holds(*A2)
    assert not slots.acquire(*A3, 1)
    assert slots.release(*A1) == []
    assert slots.release(*A2) == [A3]


def test_a_larger_host_serves_the_line_and_a_smaller_one_takes_nothing_away() -> None:
    slots, _ = slots_with(1, A1, A2, B1)
    assert slots.resize(2) == [A2]
    assert slots.resize(1) == []
    assert slots.release(*A1) == []
    assert slots.release(*A2) == [B1]


def test_what_an_agent_gives_back_after_a_crash() -> None:
    slots, _ = slots_with(1, A1, A2, A3, limit=2)
    slots.acquire(*B1)
    assert slots.sessions_of("a") == ["1", "2", "3"]
    assert slots.sessions_of("ghost") == []
    for key in slots.sessions_of("a"):
        slots.release("a", key)
    assert (slots.sessions_of("a"), slots.holds(*B1), slots.waiting_count) == ([], True, 0)


PLACES = st.tuples(st.sampled_from("abc"), st.sampled_from("123"))
LIMITS = st.none() | st.integers(1, 3)


@define(eq=False)
class Model:
    """The same rules with nothing but lists, looked through from the beginning each time."""

    capacity: int
    held: list[Place] = field(factory=list[Place])
    line: list[Place] = field(factory=list[Place])
    own_line: list[Place] = field(factory=list[Place])
    limits: dict[str, int] = field(factory=dict[str, int])

    def claimed(self, address: str) -> int:
        return sum(place[0] == address for place in self.held + self.line)

    def may_claim(self, address: str) -> bool:
        return address not in self.limits or self.claimed(address) < self.limits[address]

    def drop(self, place: Place) -> None:
        for places in (self.held, self.line, self.own_line):
            if place in places:
                places.remove(place)

    def serve(self) -> list[Place]:
        for place in list(self.own_line):
            if self.may_claim(place[0]):
                self.own_line.remove(place)
                self.line.append(place)
        served: list[Place] = []
        while self.line and len(self.held) < self.capacity:
            served.append(self.line.pop(0))
            self.held.append(served[-1])
        return served


class SlotsMachine(RuleBasedStateMachine):
    """Any sequence of changes, on slots and on the model."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = TurnSlots(2)
        self.model = Model(2)

    @property
    def places(self) -> list[Place]:
        return self.model.held + self.model.line + self.model.own_line

    @rule(place=PLACES)
    def acquire(self, place: Place) -> None:
        """An agent asks with the limit that it has, as the agents do."""
        if place in self.places:
            return
        model, limit = self.model, self.model.limits.get(place[0])
        over_limit = not model.may_claim(place[0])
        (model.own_line if over_limit else model.line).append(place)
        served = model.serve()
        assert self.slots.acquire(*place, limit) == (place in served)

    @rule(place=PLACES)
    def release(self, place: Place) -> None:
        self.model.drop(place)
        assert self.slots.release(*place) == self.model.serve()

    @rule(address=st.sampled_from("abc"), limit=LIMITS)
    def set_limit(self, address: str, limit: int | None) -> None:
        if limit is None:
            self.model.limits.pop(address, None)
        else:
            self.model.limits[address] = limit
        assert self.slots.set_limit(address, limit) == self.model.serve()

    @rule(capacity=st.integers(0, 4))
    def resize(self, capacity: int) -> None:
        self.model.capacity = capacity
        assert self.slots.resize(capacity) == self.model.serve()

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def agent_crashes(self, data: st.DataObject) -> None:
        """It gives back everything that it has."""
        address = data.draw(st.sampled_from(self.places))[0]
        for key in self.slots.sessions_of(address):
            self.release((address, key))
        assert not self.model.claimed(address)

    @invariant()
    def the_same_have_slots_and_places(self) -> None:
        for address in "abc":
            expected = sorted(key for holder, key in self.places if holder == address)
            assert sorted(self.slots.sessions_of(address)) == expected
            held = [key for key in expected if self.slots.holds(address, key)]
            assert held == sorted(key for holder, key in self.model.held if holder == address)
        assert self.slots.waiting_count == len(self.model.line) + len(self.model.own_line)

    @invariant()
    def no_slot_is_free_while_somebody_waits_for_the_host(self) -> None:
        assert not self.model.line or len(self.model.held) >= self.slots.capacity

    def teardown(self) -> None:
        """Everybody gives back; everybody is served on the way, and nothing is left."""
        self.resize(1)
        while self.model.held:
            self.release(self.model.held[0])
        assert not self.places
        assert self.slots.waiting_count == 0


TestSlots = SlotsMachine.TestCase


def test_nothing_is_kept_of_an_agent_that_wants_nothing() -> None:
    slots = TurnSlots(1)
    for key in ("one", "two", "three"):
        slots.acquire("agent:ops", key, limit=1 if key == "three" else 2)
    for key in ("three", "two", "one"):  # from its own line, from the line of the host, and a slot
        slots.release("agent:ops", key)
    slots.acquire("agent:ops", "one", limit=1)
    slots.acquire("agent:ops", "two", limit=1)
    slots.release("agent:ops", "one")
    slots.release("agent:ops", "two")
    kept = {name: value for name, value in asdict(slots, recurse=False).items() if name != "capacity"}
    assert not any(kept.values()), kept
