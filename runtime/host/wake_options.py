"""How a wake is asked for, as people say it, and what comes back."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypedDict, final

import trio

from ...protocols.errors import InvalidInputError
from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.event_queue import Accepted, Duplicate, EmptyText, Enqueued, Full
from ...protocols.wakes.messages import Wake
from ...protocols.wakes.wake import DEFAULT_COALESCE_MS, Intent, Source, WakeTask

SOURCES: Final[dict[str, Source]] = {source.value: source for source in Source}
INTENTS: Final[dict[str, Intent]] = {intent.value: intent for intent in Intent}
# A member is found by itself as well as by its text: they are equal. Calling the enum costs five times as much.


class WakeOptions(TypedDict, total=False):
    """The options of :meth:`Host.wake <wakeward.runtime.host.Host.wake>`.

    Attributes:
        reason: For people. It decides nothing.
        coalesce_ms: How long to wait for company; 250 by default, 0 at once.
        agent_id: The owner, where the key names none.
        tasks: Due work to hand to the turn.
        delivery: Where the answer should go, when that is not the session's own route.
        heartbeat_interval_ms: This is the tick of a cadence kept elsewhere, with that interval: due by definition.
    """

    reason: str | None
    coalesce_ms: int | None
    agent_id: str | None
    tasks: Sequence[WakeTask]
    delivery: DeliveryContext | None
    heartbeat_interval_ms: int | None


def wake_of(session_key: str | None, source: Source | str, intent: Intent | str, options: WakeOptions) -> Wake:
    """The message.

    Raises:
        InvalidInputError: ``source`` or ``intent`` is none of the known ones.
    """
    coalesce_ms = checked_ms("coalesce_ms", options.get("coalesce_ms"))
    return Wake(
        session_key,
        source_of(source),
        intent_of(intent),
        options.get("reason") or "",
        options.get("agent_id"),
        coalesce_ms,
        tuple(options.get("tasks", ())),
        options.get("delivery"),
        options.get("heartbeat_interval_ms"),
    )


def source_of(value: Source | str) -> Source:
    """The source of that name, or itself.

    Raises:
        InvalidInputError: None of them; the message lists them.
    """
    return SOURCES.get(value) or _unknown(Source, value)


def intent_of(value: Intent | str) -> Intent:
    """The intent of that name, or itself.

    Raises:
        InvalidInputError: None of them; the message lists them.
    """
    return INTENTS.get(value) or _unknown(Intent, value)


def _unknown(choices: type[enum.StrEnum], value: object) -> NoReturn:
    accepted = ", ".join(choice.value for choice in choices)
    raise InvalidInputError(f"{choices.__name__.lower()} {value!r}: expected one of {accepted}")


def checked_ms(name: str, value: object, default: int = DEFAULT_COALESCE_MS) -> int:
    """A number of milliseconds, before it gets where nobody can be told that it is none.

    Raises:
        InvalidInputError: It is none.
    """
    if value is None:
        return default
    if type(value) is not int:
        raise InvalidInputError(f"{name} {value!r}: expected whole milliseconds")
    return value


@final
class Settled:
    """Waits for what a message is settled with. Calling it again changes nothing."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: Any = None

    def __call__(self, value: object) -> None:
        """Settle."""
        if not self._event.is_set():
            self._value = value
            self._event.set()

    async def wait(self) -> Any:
        """The value, once there is one."""
        await self._event.wait()
        return self._value


def receipt_of(answer: Enqueued | Receipt, session_key: str) -> Receipt:
    """What became of an event, as a receipt."""
    match answer:
        case Receipt():
            return answer
        case Accepted():
            return ACCEPTED
        case Duplicate(of=event):
            return Receipt(detail=f"event {event.id} says it already")
        case Full(capacity=capacity):
            return Receipt(Refusal.FULL, f"session {session_key!r} holds {capacity} events; try again later")
        case EmptyText():
            raise AssertionError("blank texts are refused before they are sent")
