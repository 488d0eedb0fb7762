"""OpenClaw's system-event queue: what its clients can ask of a queue, and no session of ours does.

The rules are those of ``infra/system-events`` (2026.9.6), as the ``event_queue`` vectors record them. They build on our
:class:`EventQueue`, with OpenClaw's bound, and they are here for three reasons:

- *Replace by context key.* A new event supersedes queued ones that no turn has been shown. Our sessions promise that an
  accepted event reaches a turn, or is dropped by a policy that a user has chosen.
- *Find by words.* A client of OpenClaw can hold an event without its number. We acknowledge by number only, because
  two children that end alike say the same.
- *The last context key.* A producer can ask whether it changes the subject. Nothing in our product asks, and the
  answer does not follow from the queued events, so it would be one more thing to store for every session.

The class holds a queue and uses its public methods. A subclass was rejected: ``EventQueue`` is on the hot path, and
would need a hook wherever an event comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from attrs import define, field

from ..errors import InvalidInputError
from ..values.ecmascript import es_trim
from ..wakes.event import DeliveryContext, Event
from ..wakes.event_queue import (
    Accepted,
    Duplicate,
    EmptyText,
    Enqueued,
    EventQueue,
    QueueOverflow,
    Repeat,
    normalize_context_key,
)
from ..wakes.wake import Source

SYSTEM_EVENTS_MAX: Final = 20
"""How many events OpenClaw keeps for a session."""


@final
@define(eq=False)
class SystemEventQueue:
    """The queue of one session, as OpenClaw's clients know it. At its bound it drops the oldest event.

    Attributes:
        session_key: The session in its canonical form.
        capacity: How many events the queue holds.
        last_context_key: The key of the last accepted event that has one. After a removal: of the last such event that
            is left.
    """

    session_key: str
    capacity: int = SYSTEM_EVENTS_MAX
    # A field, not read from the queue: after a drop at the bound the two differ, as recorded.
    last_context_key: str | None = field(default=None, init=False)
    _queue: EventQueue = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Our own default refuses the new event; the recorded queue drops the oldest one.
        self._queue = EventQueue(self.session_key, self.capacity, QueueOverflow.DROP_OLDEST)

    def enqueue(
        self,
        text: str,
        *,
        event_id: int,
        accepted_at_ms: int,
        context_key: str | None = None,
        delivery: DeliveryContext | None = None,
        repeat: Repeat = Repeat.SKIP,
    ) -> Enqueued:
        """Offer an event. It has no source of its own, and its text is not trusted. See :meth:`EventQueue.enqueue`."""
        answer = self._queue.enqueue(
            text,
            event_id=event_id,
            accepted_at_ms=accepted_at_ms,
            source=Source.OTHER.value,
            context_key=context_key,
            delivery=delivery,
            repeat=repeat,
        )
        # A duplicate does not change the subject: it says what is queued already.
        if isinstance(answer, Accepted) and answer.event.context_key is not None:
            self.last_context_key = answer.event.context_key
        return answer

    def replace(
        self,
        text: str,
        *,
        event_id: int,
        accepted_at_ms: int,
        context_key: str | None,
        delivery: DeliveryContext | None = None,
    ) -> tuple[Enqueued, tuple[Event, ...]]:
        """Offer an event that supersedes all queued events of its context key and delivery, whatever they say.

        If there is exactly one such event, and it says the same, it keeps its place and the new one is a duplicate.

        Returns:
            What became of the new event, and the superseded events, oldest first.

        Raises:
            InvalidInputError: There is no context key. Nothing has changed.
        """
        # OpenClaw looks at the text first: a blank one is no error, even without a context key.
        text = es_trim(text)
        if not text:
            return EmptyText(), ()
        # A delivery context that names nothing counts as none, as it does when an event is queued.
        superseded = self._superseded(context_key, delivery or None)
        if len(superseded) == 1 and superseded[0].text == text:
            return Duplicate(superseded[0]), ()
        # The old events leave first. Otherwise a full queue would drop its oldest event, though room is being made.
        self._queue.consume(superseded)
        answer = self.enqueue(
            text, event_id=event_id, accepted_at_ms=accepted_at_ms, context_key=context_key, delivery=delivery
        )
        return answer, superseded

    def peek(self) -> tuple[Event, ...]:
        """All events in order. Changes nothing."""
        return self._queue.peek()

    def consume(self, events: Iterable[Event | int]) -> tuple[Event, ...]:
        """Remove exactly these events, by number. Returns those that were still queued."""
        # Read once, because the caller may hand over an iterator, and it is asked twice.
        asked = tuple(events)
        removed = self._queue.consume(asked)
        # As recorded: a call that names an event, queued or not, makes the queue look for its last context key again. A
        # drop at the bound does not, so the key of a dropped event can stay until then.
        if asked:
            newest_first = reversed(self._queue.peek())
            self.last_context_key = next((event.context_key for event in newest_first if event.context_key), None)
        return removed

    def drain(self) -> tuple[Event, ...]:
        """Remove all events and return them."""
        return self.consume(self.peek())

    def find(
        self,
        text: str,
        *,
        accepted_at_ms: int,
        context_key: str | None = None,
        delivery: DeliveryContext | None = None,
    ) -> Event | None:
        """The oldest event that says exactly this. The arguments are compared as they are, not normalised."""
        for event in self._queue.peek():
            same = event.text == text and event.accepted_at_ms == accepted_at_ms
            if same and event.context_key == context_key and event.delivery == delivery:
                return event
        return None

    def context_changed(self, context_key: str | None) -> bool:
        """Whether an event with this context key would change the subject."""
        return normalize_context_key(context_key) != self.last_context_key

    def _superseded(self, context_key: str | None, delivery: DeliveryContext | None) -> tuple[Event, ...]:
        key = normalize_context_key(context_key)
        if key is None:
            raise InvalidInputError(
                f"replacing events of {self.session_key!r}: got context key {context_key!r}, "
                "expected the key of the events to replace"
            )
        return tuple(e for e in self._queue.peek() if e.context_key == key and e.delivery == delivery)
