"""The queue of one session: repeats, bounds, acknowledgement, and the account of what was accepted."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import astuple, define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.wakes.event import DeliveryContext, Event
from wakeward.protocols.wakes.event_queue import (
    CAPACITY_DEFAULT,
    Accepted,
    Duplicate,
    EmptyText,
    Enqueued,
    EventQueue,
    FailedTurn,
    Full,
    QueueOverflow,
    Repeat,
    normalize_context_key,
)

KEY = "agent:ops:main"


@define(eq=False)
class Owner:
    """Numbers the events of one queue, as its agent does."""

    queue: EventQueue = field(factory=lambda: EventQueue(KEY))
    last_id: int = 0

    def say(self, text: str, context_key: str | None = None, **more: Any) -> Enqueued:
        answer = self.queue.enqueue(
            text,
            event_id=self.last_id + 1,
            accepted_at_ms=self.last_id * 10,
            source="hook",
            context_key=context_key,
            **more,
        )
        self.last_id += isinstance(answer, Accepted)
        return answer

    def take(self, text: str, context_key: str | None = None, **more: Any) -> Event:
        answer = self.say(text, context_key, **more)
        assert isinstance(answer, Accepted)
        return answer.event


def small(capacity: int, overflow: QueueOverflow) -> Owner:
    return Owner(EventQueue(KEY, capacity, overflow))


def texts(queue: EventQueue) -> list[str]:
    return [event.text for event in queue.peek()]


def test_an_event_carries_what_it_was_given_normalised() -> None:
    owner = Owner()
    delivery = DeliveryContext("telegram", "1")
    event = owner.take("\u00a0 done \n", " Exec:1 ", trusted=True, delivery=delivery)
    assert event == Event(1, KEY, "done", "exec:1", "hook", True, 0, delivery)
    assert owner.take("x", delivery=DeliveryContext()).delivery is None
    assert owner.take("y").trusted is False


def test_blank_text_is_no_event() -> None:
    owner = Owner()
    assert isinstance(owner.say(" \ufeff\n"), EmptyText)
    assert len(owner.queue) == 0


def test_without_a_context_key_only_the_last_event_is_repeated() -> None:
    owner = Owner()
    first = owner.take("a")
    assert owner.say("a") == Duplicate(first)
    owner.take("b")
    owner.take("a")
    owner.take("a", "k")
    owner.take("a")
    assert texts(owner.queue) == ["a", "b", "a", "a", "a"]


def test_with_a_context_key_any_event_is_repeated_unless_delivered_elsewhere() -> None:
    owner = Owner()
    first = owner.take("a", "k")
    owner.take("b", "k")
    owner.take("a", "k", delivery=DeliveryContext("telegram"))
    assert owner.say("a", "K") == Duplicate(first)
    assert isinstance(owner.say("a", "k", delivery=DeliveryContext("Telegram ")), Duplicate)
    owner.queue.consume([first])
    assert owner.take("a", "k").id == 4


def test_kept_repeats_are_acknowledged_one_by_one() -> None:
    owner = Owner()
    first, second = owner.take("a", "k"), owner.take("a", "k", repeat=Repeat.KEEP)
    owner.queue.consume([first])
    assert owner.say("a", "k") == Duplicate(second)


def test_at_the_bound_the_new_event_is_refused_and_nothing_accepted_is_lost() -> None:
    owner = small(2, QueueOverflow.REJECT)
    owner.take("a", "k")
    owner.take("b")
    assert owner.say("c") == Full(2)
    assert isinstance(owner.say("b"), Duplicate)
    assert owner.say("b", repeat=Repeat.KEEP) == Full(2)
    assert texts(owner.queue) == ["a", "b"]


def test_by_default_a_thousand_events_wait_and_the_next_is_refused() -> None:
    owner = Owner()
    for number in range(CAPACITY_DEFAULT):
        owner.take(str(number))
    assert owner.say("one too many") == Full(1000)


def test_the_oldest_is_dropped_visibly() -> None:
    owner = small(2, QueueOverflow.DROP_OLDEST)
    first = owner.take("a")
    owner.take("b")
    assert owner.say("c") == Accepted(owner.queue.peek()[-1], dropped=first)
    assert texts(owner.queue) == ["b", "c"]


def test_a_turn_acknowledges_nothing_that_was_dropped_while_it_ran() -> None:
    owner = small(1, QueueOverflow.DROP_OLDEST)
    owner.take("a")
    owner.take("b")
    shown = owner.queue.peek()
    owner.take("c")
    assert owner.queue.consume(shown) == ()
    assert texts(owner.queue) == ["c"]


def test_exactly_what_was_shown_is_acknowledged() -> None:
    owner = Owner()
    for text in "abc":
        owner.take(text)
    shown = owner.queue.peek(2)
    owner.queue.consume([shown[0]])
    late = owner.take("a")
    assert [event.text for event in owner.queue.consume(shown)] == ["b"]
    assert owner.queue.consume(shown) == ()
    assert owner.queue.peek()[-1] is late
    assert texts(owner.queue) == ["c", "a"]


def test_numbers_acknowledge_as_well_in_the_order_asked_for() -> None:
    owner = Owner()
    first, second = owner.take("a"), owner.take("b")
    assert owner.queue.consume([second.id, 99, first.id]) == (second, first)


def test_draining_takes_everything() -> None:
    owner = Owner()
    events = (owner.take("a", "k"), owner.take("b"))
    assert (owner.queue.drain(), owner.queue.drain()) == (events, ())
    assert len(owner.queue) == 0


def test_a_failed_turn_counts_and_too_many_make_an_event_dead() -> None:
    owner = Owner()
    often = owner.take("poison", "k")
    once = evolve(often, redelivered=True, failed_turns=1)
    assert owner.queue.count_failed_turn([often, often, 99], failed_turns_max=2) == FailedTurn(kept=(once,), dead=())
    rare = owner.take("fine")
    shown = owner.queue.peek()
    assert shown == (once, rare)
    told = owner.queue.count_failed_turn(shown, failed_turns_max=2)
    kept = evolve(rare, redelivered=True, failed_turns=1)
    assert told == FailedTurn(kept=(kept,), dead=(evolve(often, redelivered=True, failed_turns=2),))
    assert owner.queue.peek() == (kept,)
    assert owner.take("poison", "k")


def test_an_event_is_replaced_and_never_changed_in_place() -> None:
    owner = Owner()
    event = owner.take("a", "k", job_id="j1")
    before = astuple(event)
    for _ in range(2):
        owner.queue.count_failed_turn([event], failed_turns_max=2)
    assert (astuple(event), len(owner.queue)) == (before, 0)
    assert owner.queue.count_failed_turn([event], failed_turns_max=2) == FailedTurn(kept=(), dead=())


def test_the_events_that_tell_of_a_job_are_known() -> None:
    owner = Owner()
    owner.take("a")
    first, second = owner.take("b", job_id="j1"), owner.take("c", "k", job_id="j2")
    assert (first.job_id, owner.queue.job_events) == ("j1", (first, second))
    told = owner.queue.count_failed_turn([first], failed_turns_max=2)
    assert owner.queue.job_events == (*told.kept, second)
    owner.queue.consume([second])
    assert owner.queue.job_events == told.kept
    restored = EventQueue(KEY)
    restored.restore(owner.queue.peek())
    assert restored.job_events == told.kept
    assert restored.count_failed_turn(told.kept, failed_turns_max=2).dead
    assert restored.job_events == ()


def test_a_queue_is_restored_as_it_was() -> None:
    owner = Owner()
    for text in "abc":
        owner.take(text, text)
    queue = EventQueue(KEY, capacity=2)
    queue.restore(owner.queue.peek())
    assert queue.peek() == owner.queue.peek()
    again = Owner(queue, last_id=3)
    assert isinstance(again.say("b", "b"), Duplicate)
    assert again.say("d") == Full(2)


def test_what_is_not_of_this_queue_cannot_be_restored() -> None:
    owner = Owner()
    first, second = owner.take("a"), owner.take("b")
    with pytest.raises(InvalidInputError, match=r"event 1 .*above 2"):
        EventQueue(KEY).restore([second, first])
    with pytest.raises(InvalidInputError, match=r"'agent:ops:main': expected .* 'agent:x:main'"):
        EventQueue("agent:x:main").restore([first])


def test_numbers_only_grow() -> None:
    queue = EventQueue(KEY)
    queue.enqueue("a", event_id=7, accepted_at_ms=0, source="hook")
    queue.drain()
    with pytest.raises(AssertionError):
        queue.enqueue("b", event_id=7, accepted_at_ms=0, source="hook")


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_queue_holds_at_least_one_event(capacity: int) -> None:
    with pytest.raises(InvalidInputError, match=rf"'agent:ops:main': got capacity {capacity}"):
        EventQueue(KEY, capacity)


def test_an_empty_queue_is_a_queue_and_holds_no_memory() -> None:
    owner = Owner()
    names = ("_events", "_alike_counts", "_job_event_ids")
    idle = [getattr(owner.queue, name) for name in names]
    owner.take("a", "k", job_id="j1")
    owner.queue.drain()
    assert idle == [getattr(owner.queue, name) for name in names] == [None, None, None]
    assert (bool(owner.queue), len(owner.queue)) == (True, 0)


said = st.sampled_from(["a", "b", " a ", "A"])
context_keys = st.sampled_from([None, None, "k", " K", "l"])
job_ids = st.sampled_from([None, None, "j1", "j2"])
deliveries = st.sampled_from([None, DeliveryContext(), DeliveryContext("x"), DeliveryContext("X ", thread_id=1)])


class Account(RuleBasedStateMachine):
    """Compares the queue with a list. Every event that was accepted is queued, or was returned when it left."""

    @initialize(overflow=st.sampled_from(QueueOverflow))
    def choose_what_happens_at_the_bound(self, overflow: QueueOverflow) -> None:
        self.overflow = overflow
        self.owner = small(4, overflow)
        self.model: list[Event] = []
        self.left = {"consumed": 0, "dropped": 0, "dead": 0}
        self.accepted: list[tuple[Event, tuple[object, ...]]] = []

    def leave(self, how: str, events: tuple[Event, ...]) -> None:
        self.left[how] += len(events)
        gone = {event.id for event in events}
        self.model = [event for event in self.model if event.id not in gone]

    def first_said(self, text: str, key: str | None, delivery: DeliveryContext | None) -> Event | None:
        where = self.model[-1:] if key is None else self.model
        return next((e for e in where if (e.text, e.context_key, e.delivery) == (text, key, delivery)), None)

    @rule(text=said, key=context_keys, delivery=deliveries, repeat=st.sampled_from(Repeat), job_id=job_ids)
    def enqueue(
        self, text: str, key: str | None, delivery: DeliveryContext | None, repeat: Repeat, job_id: str | None
    ) -> None:
        normal = (text.strip(), normalize_context_key(key), delivery or None)
        duplicate = self.first_said(*normal) if repeat is Repeat.SKIP else None
        answer = self.owner.say(text, key, delivery=delivery, repeat=repeat, job_id=job_id)
        if duplicate is not None:
            assert answer == Duplicate(duplicate)
        elif len(self.model) == 4 and self.overflow is QueueOverflow.REJECT:
            assert answer == Full(4)
        else:
            assert isinstance(answer, Accepted)
            dropped = () if answer.dropped is None else (answer.dropped,)
            assert dropped == (tuple(self.model[:1]) if len(self.model) == 4 else ())
            self.leave("dropped", dropped)
            self.model.append(answer.event)
            self.accepted.append((answer.event, astuple(answer.event, recurse=False)))

    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.integers(1, self.owner.last_id + 1), max_size=4))
        removed = self.owner.queue.consume(ids)
        assert {event.id for event in removed} == {e.id for e in self.model} & set(ids)
        assert self.owner.queue.consume(ids) == ()
        self.leave("consumed", removed)

    @rule(limit=st.integers(0, 5))
    def fail(self, limit: int) -> None:
        told = self.owner.queue.count_failed_turn(self.owner.queue.peek(limit), failed_turns_max=2)
        shown = [evolve(e, redelivered=True, failed_turns=e.failed_turns + 1) for e in self.model[:limit]]
        self.model[:limit] = shown
        assert told.kept == tuple(event for event in shown if event.failed_turns < 2)
        assert told.dead == tuple(event for event in shown if event.failed_turns == 2)
        self.leave("dead", told.dead)

    @invariant()
    def order_is_kept_and_nothing_comes_back(self) -> None:
        queued = self.owner.queue.peek()
        assert list(queued) == self.model
        assert [event.id for event in queued] == sorted(event.id for event in queued)
        assert len(self.owner.queue) == len(queued) <= 4
        assert self.owner.queue.job_events == tuple(event for event in queued if event.job_id is not None)

    @invariant()
    def what_was_accepted_is_accounted_for(self) -> None:
        assert len(self.accepted) == len(self.owner.queue) + sum(self.left.values())

    @invariant()
    def no_event_is_changed_in_place(self) -> None:
        assert all(astuple(event, recurse=False) == before for event, before in self.accepted)


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(st.integers(0, 30), st.integers(1, 7))
def test_turns_of_bounded_size_see_every_event_once_in_order(count: int, limit: int) -> None:
    owner = Owner()
    accepted, seen = [owner.take(str(number)) for number in range(count)], list[Event]()
    while len(owner.queue):
        seen += owner.queue.consume(owner.queue.peek(limit))
    assert seen == accepted
