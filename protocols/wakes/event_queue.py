"""The events that one session has accepted and no turn has yet been through with.

Decisions only: time and numbers are passed in, what becomes of an event is returned. The rules of repeats,
context and removal are OpenClaw's (``infra/system-events``, 2026.9.6). What differs is the bound, where by
default the *new* event is refused, and the books: an event leaves in one of four ways, each counted, so that
at every instant

    accepted = queued + consumed + dropped + replaced + parked

A turn is shown some events (:meth:`EventQueue.peek`), and when it has run, exactly those are acknowledged
(:meth:`EventQueue.consume`), by their number: what was accepted meanwhile stays, also when it says the same.
Showing marks nothing. So under ``DROP_OLDEST`` an event can fall out while a turn is at it; it is handed
back as ``Accepted.dropped``, where its owner sees whether a running turn has it, and counted as dropped, not
as consumed.

The queue is one dict by event number, which is also the order: appending, dropping the oldest and
acknowledging are O(1). Beside it stands the number of events per context key and text, so that a repeat is
searched for only where there is one. Both exist only while there are events: most sessions are idle.
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
"""How many events one session holds unless told otherwise."""


class QueueOverflow(enum.Enum):
    """What happens to one event too many."""

    REJECT = "reject"
    """The new one is refused; nothing accepted is lost."""
    DROP_OLDEST = "drop-oldest"
    """The new one is taken, and the oldest is dropped, visibly."""


class Repeat(enum.Enum):
    """What an event does that says what a queued one said: same text, context key and delivery."""

    SKIP = "skip"
    """Nothing new. Without a context key only the last event counts, with one any."""
    KEEP = "keep"
    """Each occurrence is news of its own (two children that ended alike)."""
    REPLACE = "replace"
    """Supersede all that are queued of the same context key and delivery, whatever they say. Needs a context
    key. If they are one event and it says the same, it keeps its place."""


@final
@value_class
class Accepted:
    """Queued.

    Attributes:
        event: As it was queued.
        dropped: The oldest, which had to go for it.
        replaced: The events it supersedes, oldest first.
    """

    event: Event
    dropped: Event | None = None
    replaced: tuple[Event, ...] = ()


@final
@value_class
class Duplicate:
    """Not queued: ``of`` says it already."""

    of: Event


@final
@frozen
class EmptyText:
    """Not queued: nothing is left of the text once trimmed."""


@final
@value_class
class Full:
    """Not queued, try again later: ``capacity`` events wait."""

    capacity: int


Enqueued = Accepted | Duplicate | EmptyText | Full
"""What became of an event that was offered."""

_EMPTY_TEXT: Final = EmptyText()


@final
@frozen
class QueueStatistics:
    """The books of one queue since it was made. All but ``queued_count`` only grow."""

    queued_count: int
    accepted_count: int
    consumed_count: int
    dropped_count: int
    replaced_count: int
    parked_count: int
    refused_count: int
    duplicate_count: int


@frozen
class FailedTurn:
    kept: tuple[Event, ...]
    dead: tuple[Event, ...]


def normalize_context_key(key: str | None) -> str | None:
    """Trimmed, in lower case; blank is none."""
    return (es_trim(key).lower() or None) if key else None


@final
@define(eq=False)
class EventQueue:
    """One session's queue.

    Attributes:
        session_key: In its canonical form; the events carry it.
        capacity: The bound of admission, at least 1.
        overflow: What happens at the bound.
        unseen_drop_count: Dropped events that no turn has yet been told of; see :meth:`consume`.
    """

    session_key: str
    capacity: int = CAPACITY_DEFAULT
    overflow: QueueOverflow = QueueOverflow.REJECT
    unseen_drop_count: int = field(default=0, init=False)
    _events: dict[int, Event] | None = field(default=None, init=False)
    _alike_counts: dict[tuple[str, str], int] | None = field(default=None, init=False)
    _last_id: int = field(default=-1, init=False)
    _last_context_key: str | None = field(default=None, init=False)
    _accepted_count: int = field(default=0, init=False)
    _consumed_count: int = field(default=0, init=False)
    _dropped_count: int = field(default=0, init=False)
    _replaced_count: int = field(default=0, init=False)
    _parked_count: int = field(default=0, init=False)
    _refused_count: int = field(default=0, init=False)
    _duplicate_count: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise InvalidInputError(
                f"event queue of {self.session_key!r}: got capacity {self.capacity!r}, expected 1 or more"
            )

    def __len__(self) -> int:
        return 0 if self._events is None else len(self._events)

    def __bool__(self) -> bool:
        """Always true: an empty queue is still a queue. Ask :meth:`has` or ``len``."""
        return True

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
            text: Trimmed here.
            event_id: 0 or more, above every number so far; used up only when the answer is :class:`Accepted`.
            accepted_at_ms: On the host's timeline.
            source: Who says it.
            context_key: What it is about; case and white space around it do not matter.
            trusted: Whether the text is our own.
            delivery: Where an answer to it should go; one that names nothing counts as none.
            repeat: What to do when it has been said before.

        Raises:
            InvalidInputError: ``Repeat.REPLACE`` without a context key. Nothing has changed.
        """
        text = es_trim(text)
        if not text:
            return _EMPTY_TEXT
        context_key = normalize_context_key(context_key)
        delivery = delivery or None
        replaced = self._superseded(context_key, delivery) if repeat is Repeat.REPLACE else ()
        said = self._find_said(repeat, text, context_key, delivery, replaced)
        if said is not None:
            self._duplicate_count += 1
            return Duplicate(said)
        if not replaced and len(self) >= self.capacity and self.overflow is QueueOverflow.REJECT:
            self._refused_count += 1
            return Full(self.capacity)
        self._replaced_count += len(replaced)
        for event in replaced:
            self._take(event.id)
        event = Event(
            event_id, self.session_key, text, context_key, source, trusted, accepted_at_ms, delivery, job_id=job_id
        )
        self._append(event)
        return Accepted(event, self._drop_surplus(), replaced)

    def peek(self, limit: int | None = None) -> tuple[Event, ...]:
        """The oldest events, in order; all of them without a limit. Changes nothing."""
        return () if self._events is None else tuple(islice(self._events.values(), limit))

    def has(self) -> bool:
        """Whether an event waits."""
        return self._events is not None

    def consume(self, shown: Iterable[Event | int], *, seen_drop_count: int = 0) -> tuple[Event, ...]:
        """Acknowledge what a turn was shown: exactly these events, by number. They do not come back.

        Args:
            shown: Events or their numbers. Those no longer here are passed over, so twice is once.
            seen_drop_count: As much of :attr:`unseen_drop_count` as the turn was told of.

        Returns:
            What was removed, in the order asked for.
        """
        assert 0 <= seen_drop_count <= self.unseen_drop_count, (seen_drop_count, self.unseen_drop_count)
        self.unseen_drop_count -= seen_drop_count
        removed = self._remove(shown)
        self._consumed_count += len(removed)
        return removed

    @property
    def job_events(self) -> list[Event]:
        return [e for e in self.peek() if e.job_id is not None]

    def drain(self) -> tuple[Event, ...]:
        """Take everything at once, acknowledged."""
        return self.consume(self.peek())

    def count_failed_turn(self, shown: Iterable[Event | int], *, failed_turns_max: int) -> FailedTurn:
        """Note that a turn which was shown these events failed. They stay, marked as redelivered.

        Returns:
            Those that have now been in ``failed_turns_max`` failed turns: removed, for the dead letters.
        """
        events = self._events or {}
        parked: list[Event] = []
        for event_id in dict.fromkeys(_ids(shown)):
            event = events.get(event_id)
            if event is None:
                continue
            failed = evolve(event, redelivered=True, failed_turns=event.failed_turns + 1)
            events[event_id] = failed
            if failed.failed_turns >= failed_turns_max:
                parked.append(failed)
        self._remove(parked)
        self._parked_count += len(parked)
        return FailedTurn(
            tuple(e for e in (events.get(i) for i in dict.fromkeys(_ids(shown))) if e is not None), tuple(parked)
        )

    def restore(self, events: Iterable[Event]) -> None:
        """Put back events that an earlier life of this queue accepted, in order, whatever the bound.

        Raises:
            InvalidInputError: An event of another queue, or out of order. Those before it have been taken.
        """
        for event in events:
            if event.session_key != self.session_key or event.id <= self._last_id:
                raise InvalidInputError(
                    f"restoring event {event.id!r} of {event.session_key!r}: expected an event of "
                    f"{self.session_key!r} with a number above {self._last_id}"
                )
            self._append(event)

    def find(
        self,
        text: str,
        *,
        accepted_at_ms: int,
        context_key: str | None = None,
        delivery: DeliveryContext | None = None,
    ) -> Event | None:
        """The oldest event that says exactly this, for peers that know an event by its words only."""
        for event in self.peek():
            same = event.text == text and event.accepted_at_ms == accepted_at_ms
            if same and event.context_key == context_key and event.delivery == delivery:
                return event
        return None

    @property
    def last_context_key(self) -> str | None:
        """The context key that was spoken of last.

        A duplicate does not move it, nor does it when that event is dropped. After events were consumed it
        is that of the last one left which has any.
        """
        return self._last_context_key

    def context_changed(self, context_key: str | None) -> bool:
        """Whether speaking of this context now would be a change of subject."""
        return normalize_context_key(context_key) != self._last_context_key

    def statistics(self) -> QueueStatistics:
        """A snapshot of the books."""
        return QueueStatistics(
            queued_count=len(self),
            accepted_count=self._accepted_count,
            consumed_count=self._consumed_count,
            dropped_count=self._dropped_count,
            replaced_count=self._replaced_count,
            parked_count=self._parked_count,
            refused_count=self._refused_count,
            duplicate_count=self._duplicate_count,
        )

    def _superseded(self, context_key: str | None, delivery: DeliveryContext | None) -> tuple[Event, ...]:
        if context_key is None:
            raise InvalidInputError(
                f"replacing events of {self.session_key!r}: got no context key, expected the one to replace"
            )
        return tuple(e for e in self.peek() if e.context_key == context_key and e.delivery == delivery)

    def _find_said(
        self,
        repeat: Repeat,
        text: str,
        context_key: str | None,
        delivery: DeliveryContext | None,
        superseded: tuple[Event, ...],
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
            case Repeat.REPLACE:
                return superseded[0] if len(superseded) == 1 and superseded[0].text == text else None
            case _:
                assert_never(repeat)

    def _candidates(self, text: str, context_key: str | None) -> Iterable[Event]:
        """Where a repeat may be: in the last event without a context key, with one anywhere, if at all."""
        if self._events is None:
            return ()
        if context_key is None:
            return islice(reversed(self._events.values()), 1)
        alike = self._alike_counts is not None and (context_key, text) in self._alike_counts
        return self._events.values() if alike else ()

    def _append(self, event: Event) -> None:
        assert event.id > self._last_id, (event, self._last_id)
        self._last_id = event.id
        if self._events is None:
            self._events = {}
        self._events[event.id] = event
        self._accepted_count += 1
        if event.context_key is not None:
            self._last_context_key = event.context_key
            if self._alike_counts is None:
                self._alike_counts = {}
            alike = (event.context_key, event.text)
            self._alike_counts[alike] = self._alike_counts.get(alike, 0) + 1

    def _drop_surplus(self) -> Event | None:
        if self.overflow is QueueOverflow.REJECT or self._events is None or len(self._events) <= self.capacity:
            return None
        self._dropped_count += 1
        self.unseen_drop_count += 1
        return self._take(next(iter(self._events)))

    def _take(self, event_id: int) -> Event | None:
        """Remove one event from the queue and from the counts beside it."""
        event = None if self._events is None else self._events.pop(event_id, None)
        if event is not None and event.context_key is not None and self._alike_counts is not None:
            alike = (event.context_key, event.text)
            left = self._alike_counts.pop(alike) - 1
            if left:
                self._alike_counts[alike] = left
        return event

    def _remove(self, shown: Iterable[Event | int]) -> tuple[Event, ...]:
        asked = _ids(shown)
        removed = tuple(event for event_id in asked if (event := self._take(event_id)) is not None)
        if self._events is not None and asked:
            newest_first = reversed(self._events.values())
            self._last_context_key = next((e.context_key for e in newest_first if e.context_key), None)
            if not self._events:
                self._events = self._alike_counts = None
        return removed


def _ids(shown: Iterable[Event | int]) -> list[int]:
    return [item if isinstance(item, int) else item.id for item in shown]
