"""OpenClaw's queue of system events: replace, find by words, the last context key."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.openclaw.system_events import SYSTEM_EVENTS_MAX, SystemEventQueue
from wakeward.protocols.wakes.event import DeliveryContext, Event
from wakeward.protocols.wakes.event_queue import Accepted, Duplicate, EmptyText, Enqueued, Repeat

KEY = "agent:ops:main"


@define(eq=False)
class Client:
    """Numbers the events of one queue."""

    queue: SystemEventQueue = field(factory=lambda: SystemEventQueue(KEY))
    last_id: int = 0

    def say(self, text: str, context_key: str | None = None, **more: Any) -> Enqueued:
        return self._noted(self.queue.enqueue(text, context_key=context_key, **self._number(), **more))

    def replace(
        self, text: str, context_key: str | None, delivery: DeliveryContext | None = None
    ) -> tuple[Enqueued, tuple[Event, ...]]:
        answer, replaced = self.queue.replace(text, context_key=context_key, delivery=delivery, **self._number())
        return self._noted(answer), replaced

    def take(self, text: str, context_key: str | None = None, **more: Any) -> Event:
        answer = self.say(text, context_key, **more)
        assert isinstance(answer, Accepted)
        return answer.event

    def _number(self) -> dict[str, int]:
        return {"event_id": self.last_id + 1, "accepted_at_ms": self.last_id * 10}

    def _noted(self, answer: Enqueued) -> Enqueued:
        self.last_id += isinstance(answer, Accepted)
        return answer


def test_an_event_names_no_source_and_is_not_trusted() -> None:
    event = Client().take(" done ", "Exec:1")
    assert event == Event(1, KEY, "done", "exec:1", "other", False, 0, None)


def test_at_the_bound_the_oldest_event_is_dropped() -> None:
    client = Client()
    events = [client.take(str(number)) for number in range(SYSTEM_EVENTS_MAX + 1)]
    assert client.queue.peek() == tuple(events[1:])


def test_repeats_are_those_of_every_queue() -> None:
    client = Client()
    first = client.take("a", "k")
    assert client.say("a", "k") == Duplicate(first)
    assert client.take("a", "k", repeat=Repeat.KEEP).id == 2


def test_replacing_supersedes_all_of_the_context_and_delivery() -> None:
    client = Client()
    first, elsewhere = client.take("1", "k"), client.take("1", "k", delivery=DeliveryContext("slack"))
    second, other = client.take("2", "k"), client.take("o")
    answer, replaced = client.replace("2", " K ", DeliveryContext())
    assert isinstance(answer, Accepted)
    assert replaced == (first, second)
    assert client.queue.peek() == (elsewhere, other, answer.event)


def test_a_single_event_that_says_the_same_keeps_its_place() -> None:
    client = Client()
    first = client.take("1", "k")
    client.take("o")
    assert client.replace(" 1 ", "k") == (Duplicate(first), ())
    assert [event.text for event in client.queue.peek()] == ["1", "o"]


def test_replacing_needs_a_context_key_and_changes_nothing_without() -> None:
    client = Client()
    client.take("a")
    with pytest.raises(InvalidInputError, match=r"'agent:ops:main': got context key '  '"):
        client.replace("a", "  ")
    assert len(client.queue.peek()) == 1


def test_replacing_by_a_blank_text_changes_nothing_and_is_no_error() -> None:
    client = Client()
    event = client.take("a", "k")
    assert client.replace(" \n", "k") == client.replace("", None) == (EmptyText(), ())
    assert client.queue.peek() == (event,)


def test_replacing_in_a_full_queue_drops_nothing_more_than_it_must() -> None:
    client = Client(SystemEventQueue(KEY, capacity=2))
    first, second = client.take("a"), client.take("b", "k")
    answer, replaced = client.replace("c", "k")
    assert isinstance(answer, Accepted)
    assert (answer.dropped, replaced) == (None, (second,))
    answer, replaced = client.replace("d", "l")
    assert isinstance(answer, Accepted)
    assert (answer.dropped, replaced) == (first, ())


def test_the_context_changes_with_the_subject() -> None:
    client = Client()
    assert client.queue.context_changed("k")
    first = client.take("a", "K")
    client.take("b")
    assert not client.queue.context_changed(" k")
    second = client.take("c", "l")
    client.queue.consume([second])
    assert client.queue.last_context_key == "k"
    client.queue.consume([first])
    assert client.queue.last_context_key is None


def test_draining_takes_everything_and_ends_the_subject() -> None:
    client = Client()
    events = (client.take("a", "k"), client.take("b"))
    assert (client.queue.drain(), client.queue.drain()) == (events, ())
    assert client.queue.context_changed(None) is False


def test_the_last_context_key_outlives_a_drop_until_a_removal() -> None:
    client = Client(SystemEventQueue(KEY, capacity=1))
    client.take("a", "k")
    client.take("b")
    client.queue.consume([])
    assert client.queue.last_context_key == "k"
    client.queue.consume([99])
    assert client.queue.last_context_key is None


def test_an_event_is_found_by_exactly_what_it_says() -> None:
    client = Client()
    client.take("other")
    event = client.take("a", "K", delivery=DeliveryContext("Telegram", "1"))
    wanted: dict[str, Any] = {"accepted_at_ms": 10, "context_key": "k", "delivery": event.delivery}
    assert client.queue.find("a", **wanted) is event
    changes: list[dict[str, Any]]
    changes = [{"accepted_at_ms": 11}, {"context_key": "K"}, {"delivery": DeliveryContext()}]
    for change in changes:
        assert client.queue.find("a", **(wanted | change)) is None
    assert client.queue.find("A", **wanted) is None


said = st.sampled_from(["a", "b", " a "])
context_keys = st.sampled_from([None, "k", " K", "l"])
deliveries = st.sampled_from([None, DeliveryContext(), DeliveryContext("x")])


class Account(RuleBasedStateMachine):
    """Every accepted event is queued, or was returned when it left; also when it was replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(SystemEventQueue(KEY, capacity=3))
        self.left: list[int] = []

    def note(self, answer: Enqueued) -> None:
        if isinstance(answer, Accepted) and answer.dropped is not None:
            self.left.append(answer.dropped.id)

    @rule(text=said, key=context_keys, delivery=deliveries, repeat=st.sampled_from(Repeat))
    def enqueue(self, text: str, key: str | None, delivery: DeliveryContext | None, repeat: Repeat) -> None:
        self.note(self.client.say(text, key, delivery=delivery, repeat=repeat))

    @rule(text=said, key=context_keys.filter(bool), delivery=deliveries)
    def replace(self, text: str, key: str | None, delivery: DeliveryContext | None) -> None:
        place = (key or "").strip().lower(), delivery or None
        alike = tuple(e for e in self.client.queue.peek() if (e.context_key, e.delivery) == place)
        answer, replaced = self.client.replace(text, key, delivery)
        if [event.text for event in alike] == [text.strip()]:
            assert (answer, replaced) == (Duplicate(alike[0]), ())
        else:
            assert isinstance(answer, Accepted)
            assert replaced == alike
        self.left += [event.id for event in replaced]
        self.note(answer)

    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.integers(1, self.client.last_id + 1), max_size=3))
        self.left += [event.id for event in self.client.queue.consume(ids)]

    @invariant()
    def what_was_accepted_is_accounted_for(self) -> None:
        queued = [event.id for event in self.client.queue.peek()]
        assert sorted(queued + self.left) == list(range(1, self.client.last_id + 1))
        assert queued == sorted(queued)

    @invariant()
    def an_empty_queue_has_no_last_context_key(self) -> None:
        assert self.client.queue.peek() or self.client.queue.last_context_key is None


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
