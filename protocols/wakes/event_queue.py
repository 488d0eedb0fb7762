"""The events that one session has accepted and that no turn has seen through yet.

This module decides only. The caller passes time and event numbers in, and gets back what became of each event. The
rules for repeated events come from OpenClaw (``infra/system-events``, 2026.9.6). Two things are ours. At the bound, the
*new* event is refused by default. And every event that leaves is returned to the caller, which stores and counts it:

    accepted = queued + consumed + dropped + dead

A turn is shown some events (:meth:`EventQueue.peek`). When it has run, exactly these events are acknowledged by number
(:meth:`EventQueue.consume`). An event that was accepted meanwhile stays, even when it says the same. To show an event
changes nothing in the queue. So under ``DROP_OLDEST`` an event can be dropped while a turn works on it. It is returned
as ``Accepted.dropped``, and it counts as dropped, not as consumed; the caller knows whether a turn has it.

The queue is one dict by event number, and its order is the order of acceptance. To append, to drop the oldest and to
acknowledge take O(1). Two small dicts stand beside it.

Rejected: a list with a mark for what was shown. A turn that ends without a word would have to remove its marks, and a
restart would have to repair them. Also rejected: to acknowledge by text, as OpenClaw's clients can
(:mod:`..openclaw.system_events`). Two children that end alike say the same, and each is news.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from itertools import islice
from typing import Final, assert_never, final

from attrs import define, evolve, field, frozen

from ..errors import InvalidInputError
from ..values.ecmascript import es_trim
from ..values.value_class import value_class
from .event import DeliveryContext, Event

CAPACITY_DEFAULT: Final = 1000
"""How many events one session holds when the configuration names no number."""


class QueueOverflow(enum.Enum):
    """What the queue does at its bound."""

    REJECT = "reject"
    """It refuses the new event. No accepted event is lost."""
    DROP_OLDEST = "drop-oldest"
    """It takes the new event and drops the oldest one. The next turn is told how many were dropped."""


class Repeat(enum.Enum):
    """What the queue does with a repeat: an event with the text, context key and delivery of a queued one."""

    SKIP = "skip"
    """It does not queue the repeat. Without a context key, only the last event is compared; with one, all are."""
    KEEP = "keep"
    """It queues the repeat: each occurrence is news (two children that ended alike)."""


@final
@value_class
class Accepted:
    """The event is queued.

    Attributes:
        event: The event as it was queued.
        dropped: The oldest event, if it had to leave to make room.
    """

    event: Event
    dropped: Event | None = None


@final
@value_class
class Duplicate:
    """The event is not queued, because the queued event ``of`` says the same."""

    of: Event


@final
@frozen
class EmptyText:
    """The event is not queued, because its text is blank."""


@final
@value_class
class Full:
    """The event is not queued, because ``capacity`` events wait already. The caller can offer it again later."""

    capacity: int


Enqueued = Accepted | Duplicate | EmptyText | Full
"""What became of an event that was offered."""

_EMPTY_TEXT: Final = EmptyText()


@final
@frozen
class FailedTurn:
    """What a failed turn changed. Each event is the new version, with its higher count.

    Attributes:
        kept: The events that stay in the queue.
        dead: The events that were shown in too many failed turns. They have left the queue, for the dead letters.
    """

    kept: tuple[Event, ...]
    dead: tuple[Event, ...]


def normalize_context_key(key: str | None) -> str | None:
    """Trim the key and turn it into lower case. A blank key is no key."""
    return (es_trim(key).lower() or None) if key else None


@final
@define(eq=False)
class EventQueue:
    """The queue of one session.

    Attributes:
        session_key: The session in its canonical form. Every event carries it.
        capacity: How many events the queue admits, at least 1.
        overflow: What the queue does at this bound.
    """

    session_key: str
    capacity: int = CAPACITY_DEFAULT
    overflow: QueueOverflow = QueueOverflow.REJECT
    # Each dict is None while it is empty: most sessions are idle, and an empty dict costs 64 bytes.
    _events: dict[int, Event] | None = field(default=None, init=False)
    # How many events share a context key and text: the queue searches for a repeat only where there is one.
    _alike_counts: dict[tuple[str, str], int] | None = field(default=None, init=False)
    # Numbers only, in the order of acceptance: a reference to the event would be out of date after a failed turn.
    _job_event_ids: dict[int, None] | None = field(default=None, init=False)
    _last_id: int = field(default=-1, init=False)

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise InvalidInputError(
                f"event queue of {self.session_key!r}: got capacity {self.capacity!r}, expected 1 or more"
            )

    def __len__(self) -> int:
        return 0 if self._events is None else len(self._events)

    def __bool__(self) -> bool:
        """Always true: an empty queue is still a queue. ``len`` says whether an event waits."""
        # Without this, `queue or ...` would take an empty queue for a missing one, because `__len__` gives 0.
        return True

    @property
    def job_events(self) -> tuple[Event, ...]:
        """The queued events that tell of a job's exit, in order. Costs next to nothing when there are none."""
        if self._job_event_ids is None or self._events is None:
            return ()
        return tuple(map(self._events.__getitem__, self._job_event_ids))

    def enqueue(
        self,
        text: str,
        *,
        event_id: int,
        accepted_at_ms: int,
        source: str,
        context_key: str | None = None,
        trusted: bool = False,
        delivery: DeliveryContext | None = None,
        repeat: Repeat = Repeat.SKIP,
        job_id: str | None = None,
    ) -> Enqueued:
        """Offer an event.

        Args:
            text: What the event says; the queue trims it.
            event_id: 0 or more, and above every number so far. Used up only when the answer is :class:`Accepted`.
            accepted_at_ms: The instant on the host's timeline.
            source: Who says it.
            context_key: What it is about. Case and white space around it do not matter.
            trusted: Whether the text is our own.
            delivery: Where an answer to it goes. A delivery context that names nothing counts as none.
            repeat: What to do with a repeat.
            job_id: The job whose exit the event tells, if it tells one.
        """
        text = es_trim(text)
        if not text:
            return _EMPTY_TEXT
        context_key = normalize_context_key(context_key)
        # A delivery context that names nothing is not equal to None, and a repeat would be missed.
        delivery = delivery or None
        # A repeat is a duplicate also when the queue is full: the caller must not offer it again later.
        said = self._find_said(repeat, text, context_key, delivery)
        if said is not None:
            return Duplicate(said)
        rejects = self.overflow is QueueOverflow.REJECT
        if rejects and len(self) >= self.capacity:
            return Full(self.capacity)
        key = self.session_key
        event = Event(event_id, key, text, context_key, source, trusted, accepted_at_ms, delivery, job_id=job_id)
        self._append(event)
        return Accepted(event, None if rejects else self._drop_surplus())

    def peek(self, limit: int | None = None) -> tuple[Event, ...]:
        """The oldest events in order, at most ``limit`` of them. Changes nothing."""
        return () if self._events is None else tuple(islice(self._events.values(), limit))

    def consume(self, shown: Iterable[Event | int]) -> tuple[Event, ...]:
        """Acknowledge what a turn was shown: remove exactly these events, by number.

        Args:
            shown: Events or their numbers. A number that is not queued is ignored, so a second call changes nothing.

        Returns:
            The removed events, in the order of ``shown``.
        """
        # A shown event can be gone: dropped at the bound, or taken back, while the turn ran.
        return tuple(event for event_id in _ids(shown) if (event := self._take(event_id)) is not None)

    def drain(self) -> tuple[Event, ...]:
        """Remove all events and return them."""
        return self.consume(self.peek())

    def count_failed_turn(self, shown: Iterable[Event | int], *, failed_turns_max: int) -> FailedTurn:
        """Note that a turn which was shown these events failed.

        Each event is replaced by a new version, which is marked as redelivered and keeps its place. An event that has
        now been in ``failed_turns_max`` failed turns leaves the queue.

        Returns:
            The new versions, for the caller to store. An event that has left the queue before is in neither part.
        """
        events = self._events or {}
        kept: list[Event] = []
        dead: list[Event] = []
        for event_id in dict.fromkeys(_ids(shown)):  # without repeats: one turn counts once
            event = events.get(event_id)
            if event is None:
                continue
            failed = evolve(event, redelivered=True, failed_turns=event.failed_turns + 1)
            if failed.failed_turns < failed_turns_max:
                events[event_id] = failed  # an existing key of a dict keeps its place in the order
                kept.append(failed)
            else:
                self._take(event_id)
                dead.append(failed)
        return FailedTurn(tuple(kept), tuple(dead))

    def restore(self, events: Iterable[Event]) -> None:
        """Put back events that this queue accepted before a restart, in order. The bound does not apply.

        Raises:
            InvalidInputError: An event belongs to another queue, or is out of order. The events before it are queued.
        """
        for event in events:
            # The dict keeps the order in which it is filled: events put back out of order would be shown out of order.
            if event.session_key != self.session_key or event.id <= self._last_id:
                raise InvalidInputError(
                    f"restoring event {event.id!r} of {event.session_key!r}: expected an event of "
                    f"{self.session_key!r} with a number above {self._last_id}"
                )
            self._append(event)

    def _find_said(
        self, repeat: Repeat, text: str, context_key: str | None, delivery: DeliveryContext | None
    ) -> Event | None:
        """The queued event that makes this one a duplicate."""
        match repeat:
            case Repeat.SKIP:
                for event in self._candidates(text, context_key):
                    same = event.text == text and event.context_key == context_key
                    if same and event.delivery == delivery:
                        return event
                return None
            case Repeat.KEEP:
                return None
            case _:
                assert_never(repeat)

    def _candidates(self, text: str, context_key: str | None) -> Iterable[Event]:
        """The events among which a repeat can be."""
        if self._events is None:
            return ()
        if context_key is None:
            return islice(reversed(self._events.values()), 1)
        # The count does not know the delivery, so events that are alike still have to be compared.
        alike = self._alike_counts is not None and (context_key, text) in self._alike_counts
        return self._events.values() if alike else ()

    def _append(self, event: Event) -> None:
        # A number that is given twice would overwrite an accepted event.
        assert event.id > self._last_id, (event, self._last_id)
        self._last_id = event.id
        if self._events is None:
            self._events = {}
        self._events[event.id] = event
        if event.context_key is not None:
            if self._alike_counts is None:
                self._alike_counts = {}
            alike = (event.context_key, event.text)
            self._alike_counts[alike] = self._alike_counts.get(alike, 0) + 1
        if event.job_id is not None:
            if self._job_event_ids is None:
                self._job_event_ids = {}
            self._job_event_ids[event.id] = None

    def _drop_surplus(self) -> Event | None:
        if self._events is None or len(self._events) <= self.capacity:
            return None
        return self._take(next(iter(self._events)))

    def _take(self, event_id: int) -> Event | None:
        """Remove one event, also from the two dicts beside the queue."""
        events, counts, job_event_ids = self._events, self._alike_counts, self._job_event_ids
        event = None if events is None else events.pop(event_id, None)
        if event is None:
            return None
        if not events:
            self._events = None
        if event.context_key is not None and counts is not None:
            alike = (event.context_key, event.text)
            left = counts.pop(alike) - 1
            if left:
                counts[alike] = left
            elif not counts:
                self._alike_counts = None
        # Asked of the dict, not of the event: for a session without jobs this is one test of a local name.
        if job_event_ids is not None:
            job_event_ids.pop(event_id, None)
            if not job_event_ids:
                self._job_event_ids = None
        return event


def _ids(shown: Iterable[Event | int]) -> list[int]:
    return [item if isinstance(item, int) else item.id for item in shown]
