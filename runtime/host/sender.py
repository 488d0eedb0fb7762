"""How wakes and events enter a host: what people say is checked, the key is resolved once, and the message is handed to
the router.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NoReturn, final

from ...actors.router import Directory, Routed, locate_message, refusal_of
from ...protocols.errors import InvalidInputError
from ...protocols.receipt import Receipt, Refusal
from ...protocols.sessions.locate import Location
from ...protocols.values.ecmascript import es_trim
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.messages import Notice, Wake
from ...protocols.wakes.turn import Failed, Outcome, Skipped
from ...protocols.wakes.wake import DEFAULT_COALESCE_MS, Intent, Source, WakeTask
from ..kernel import ActorRef, ActorSystem
from .ledger import MemoryLedger
from .tickets import Caller, Tickets
from .turn_runner import current_turn

_SOURCES: Final[dict[str, Source]] = {source.value: source for source in Source}
_INTENTS: Final[dict[str, Intent]] = {intent.value: intent for intent in Intent}
# A member is found by itself as well as by its text: they are equal. To call the enum costs five times as much.

_DRAINING: Final = Receipt(Refusal.DRAINING, "the host is draining")
_DRAINED: Final = Skipped("host drained")


@final
class HostSender:
    """The way into a host.

    Attributes:
        closed: The host is draining: nothing is taken any more.
    """

    def __init__(
        self,
        system: ActorSystem,
        directory: Directory,
        router: ActorRef[Routed],
        tickets: Tickets,
        ledger: MemoryLedger,
    ) -> None:
        self._now_ms = system.clock.now_ms
        self._directory = directory
        self._router = router
        self._tickets = tickets
        self._ledger = ledger
        self.closed = False

    def send(self, message: Wake | Notice) -> Receipt:
        """Hand a message over, and say truthfully at once whether somebody owns it."""
        if self.closed:
            receipt = _DRAINING
        else:
            found = self._directory.resolve(message.session_key, message.agent_id)
            if isinstance(found, Location):
                locate_message(message, found)
                return self._router.tell(message)
            receipt = found
        self._ledger.record(refusal_of(message, receipt, self._now_ms()))
        return receipt

    def ask(self, wake: Wake, *, until_deferred: bool) -> Caller:
        """Hand a wake over for a caller who waits for its outcome."""
        caller = self._tickets.open(at_close=_DRAINED)
        wake.ticket, wake.answer_at_deferral = caller.ticket, until_deferred
        receipt = self.send(wake)
        if not receipt:
            caller.answer(receipt)
        return caller

    async def outcome_of(self, caller: Caller) -> Outcome:
        """Wait for the outcome of a wake. One that was refused is a failure with the reason."""
        answer = await caller.wait()
        if isinstance(answer, Receipt):
            return Failed(answer.detail, transient=answer.refusal in {Refusal.FULL, Refusal.UNAVAILABLE})
        return answer

    async def notify(self, notice: Notice) -> Receipt:
        """Hand a notice over, and wait until its event is accepted for good, or refused."""
        caller = self._tickets.open(at_close=_DRAINING)
        notice.ticket = caller.ticket
        receipt = self.send(notice)
        if not receipt:
            caller.answer(receipt)
        answer = await caller.wait()
        assert isinstance(answer, Receipt), answer
        return answer

    def check_no_wait_for_itself(self, session_key: str | None, agent_id: str | None) -> None:
        """Refuse a turn that would wait for its own session (openclaw#13508).

        Raises:
            InvalidInputError: It would.
        """
        turn = current_turn.get()
        if turn is None:
            return
        found = self._directory.resolve(session_key, agent_id)
        if isinstance(found, Location) and found.session_key == turn.session_key:
            raise InvalidInputError(f"a turn of {turn.session_key!r} cannot wait for its own session; use wake")


def wake_of(
    session_key: str | None,
    source: Source | str,
    intent: Intent | str,
    reason: str | None,
    coalesce_ms: int | None,
    agent_id: str | None,
    tasks: Sequence[WakeTask],
    delivery: DeliveryContext | None,
    heartbeat_interval_ms: int | None,
) -> Wake:
    """The message of a wake.

    Raises:
        InvalidInputError: ``source``, ``intent`` or ``coalesce_ms`` cannot be used.
    """
    return Wake(
        session_key,
        _SOURCES.get(source) or _unknown(Source, source),
        _INTENTS.get(intent) or _unknown(Intent, intent),
        reason or "",
        agent_id,
        DEFAULT_COALESCE_MS if coalesce_ms is None else _checked_ms("coalesce_ms", coalesce_ms),
        tuple(tasks),
        delivery,
        heartbeat_interval_ms,
    )


def notice_of(
    session_key: str,
    text: str,
    source: Source | str,
    intent: Intent | str | None,
    reason: str | None,
    context_key: str | None,
    delivery: DeliveryContext | None,
    trusted: bool,
    coalesce_ms: int,
    agent_id: str | None,
) -> Notice:
    """The message of an event and its wake.

    Raises:
        InvalidInputError: The text is blank, or ``source``, ``intent`` or ``coalesce_ms`` cannot be used.
    """
    if not isinstance(text, str) or not es_trim(text):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
        raise InvalidInputError(f"the event for session {session_key!r} has no text: {text!r}")
    known = _SOURCES.get(source) or _unknown(Source, source)
    return Notice(
        session_key,
        text,
        known,
        None if intent is None else _INTENTS.get(intent) or _unknown(Intent, intent),
        reason or known.value,
        agent_id,
        context_key,
        delivery,
        trusted,
        _checked_ms("coalesce_ms", coalesce_ms),
    )


def _unknown(choices: type[enum.StrEnum], value: object) -> NoReturn:
    accepted = ", ".join(choice.value for choice in choices)
    raise InvalidInputError(f"{choices.__name__.lower()} {value!r}: expected one of {accepted}")


def _checked_ms(name: str, value: object) -> int:
    if type(value) is not int:
        raise InvalidInputError(f"{name} {value!r}: expected whole milliseconds")
    return value
