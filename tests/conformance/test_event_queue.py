"""Sequences of operations on OpenClaw's system-event queues, and what ours make of them."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from support.vectors import Row, each_row
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.openclaw.system_events import SystemEventQueue
from wakeward.protocols.sessions.key import parse_session_key
from wakeward.protocols.wakes.event import DeliveryContext, Event, resolve_delivery
from wakeward.protocols.wakes.event_queue import Accepted, Repeat

NOBODY = 0
ROUTE_FIELDS = ("channel", "to", "account_id", "thread_id")


class CallFailedError(Exception):
    """The call is an error, to OpenClaw and to us."""


@define(eq=False)
class Queues:
    """OpenClaw's queues by key and its numbering of accepted events and receipts. The rules are elsewhere."""

    by_key: dict[str, SystemEventQueue] = field(factory=dict[str, SystemEventQueue])
    accepted: list[Event] = field(factory=list[Event])
    receipts: list[Event | None] = field(factory=list[Event | None])

    def queue(self, op: Row) -> SystemEventQueue:
        key = parse_session_key(op["session_key"])
        if key is None:
            raise CallFailedError(op["session_key"])
        return self.by_key.setdefault(str(key), SystemEventQueue(str(key)))

    def offer(self, op: Row) -> Event | None:
        queue = self.queue(op)
        offered: dict[str, Any] = {
            "text": op["text"],
            "event_id": len(self.accepted) + 1,
            "accepted_at_ms": op["at"],
            "context_key": op["context_key"],
            "delivery": delivery(op["delivery_context"]),
        }
        if op["replace"]:  # as recorded, this outweighs allow_duplicate
            try:
                answer, _ = queue.replace(**offered)
            except InvalidInputError as error:
                raise CallFailedError from error
        else:
            answer = queue.enqueue(**offered, repeat=Repeat.KEEP if op.get("allow_duplicate") else Repeat.SKIP)
        if not isinstance(answer, Accepted):
            return None
        self.accepted.append(answer.event)
        return answer.event

    def consume(self, op: Row) -> list[Row]:
        queue = self.queue(op)
        removed = [event for wanted in op["events"] for event in queue.consume([number_of(queue, wanted)])]
        return [told(event) for event in removed]

    def enqueue_receipt(self, op: Row) -> Row | None:
        event = self.offer(op)
        self.receipts.append(event)  # an event that was not queued uses up a number too
        return None if event is None else {"receipt": len(self.receipts) - 1}

    def receipt_remove(self, op: Row) -> bool | None:
        event = dict(enumerate(self.receipts)).get(op["receipt"])
        return None if event is None else bool(self.by_key[event.session_key].consume([event]))

    def result(self, op: Row) -> Any:
        match op["op"]:
            case "enqueue":
                return self.offer(op) is not None
            case "enqueue_entry":
                event = self.offer(op)
                return None if event is None else told(event)
            case "enqueue_receipt":
                return self.enqueue_receipt(op)
            case "receipt_remove":
                return self.receipt_remove(op)
            case "consume":
                return self.consume(op)
            case "peek":
                return [event.text for event in self.queue(op).peek()]
            case "peek_entries":
                return [told(event) for event in self.queue(op).peek()]
            case "drain":
                return [event.text for event in self.queue(op).drain()]
            case "drain_entries":
                return [told(event) for event in self.queue(op).drain()]
            case "has":
                return bool(self.queue(op).peek())
            case "context_changed":
                return self.queue(op).context_changed(op["context_key"])
            case "resolve_delivery_context":
                return route(resolve_delivery(self.queue(op).peek()))
            case unknown:
                raise AssertionError(unknown)

    def state(self) -> list[Row]:
        return [
            {
                "session_key": queue.session_key,
                "last_context_key": queue.last_context_key,
                "events": [told(event) for event in queue.peek()],
            }
            for queue in self.by_key.values()
            if queue.peek()
        ]


def delivery(given: Row | None) -> DeliveryContext | None:
    return None if given is None else DeliveryContext(**given)


def route(context: DeliveryContext | None) -> Row | None:
    return None if context is None else {name: getattr(context, name) for name in ROUTE_FIELDS}


def told(event: Event) -> Row:
    return {
        "event": f"e{event.id}",
        "text": event.text,
        "ts": event.accepted_at_ms,
        "context_key": event.context_key,
        "delivery_context": route(event.delivery),
    }


def number_of(queue: SystemEventQueue, wanted: Row) -> int:
    if "ref" in wanted:
        return int(wanted["ref"].removeprefix("e"))
    found = queue.find(
        wanted["text"],
        accepted_at_ms=wanted["ts"],
        context_key=wanted.get("context_key"),
        delivery=delivery(wanted.get("delivery_context")),
    )
    return NOBODY if found is None else found.id


@each_row("event_queue", kind="sequence")
def test_sequence(row: Row) -> None:
    queues = Queues()
    steps = list(zip(row["input"]["ops"], row["expected"]["steps"], strict=True))
    for index, (op, expected) in enumerate(steps):
        try:
            result = queues.result(op)
        except CallFailedError:
            result = "error"
        is_error = isinstance(expected["result"], dict) and "error" in expected["result"]
        wanted = "error" if is_error else expected["result"]
        assert (index, result, by_key(queues.state())) == (index, wanted, by_key(expected["queues"]))


def by_key(queues: list[Row]) -> dict[str, Row]:
    return {queue["session_key"]: queue for queue in queues}
