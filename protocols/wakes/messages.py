"""The messages that actors send each other about wakes and events.

Messages are not values: they are made once, handed over, and never compared, so they are plain slotted objects (a
frozen instance costs about three times as much to make).
"""

from __future__ import annotations

from typing import final

from attrs import define

from ..receipt import Receipt
from ..values.value_class import value_class
from .event import DeliveryContext
from .turn import Outcome
from .wake import DEFAULT_COALESCE_MS, Intent, Source, WakeTask


@final
@value_class
class Ticket:
    """A number that stands for a caller who waits for an answer. The host knows which caller it is.

    A ticket can be stored. ``boot`` names the run of the host that gave it, so that a ticket of an earlier run reaches
    nobody.
    """

    boot: str
    number: int


Answer = Outcome | Receipt
"""What a caller gets: the outcome of its wake's turn, or a receipt for its event, or a refusal."""


@final
@define(eq=False)
class Wake:
    """A request that one session take a turn.

    Attributes:
        session_key: The session; ``None`` means the main session of ``agent_id``.
        agent_id: The owner, where the key does not name it (``global`` and legacy keys).
        coalesce_ms: How long it waits for other wakes of the session; 0 does not wait.
        tasks: Due work to hand to the turn.
        delivery: Where the answer should go, when that differs from the session's own route.
        heartbeat_interval_ms: The interval of a heartbeat that another program sends. Such a wake is always due.
        ticket: The caller that waits for the outcome of the turn. It is answered once.
        answer_at_deferral: Answer the caller at the first deferral already. The wake is kept all the same.
        located: Owner and session have been found already, and stand in ``agent_id`` and ``session_key``.
    """

    session_key: str | None
    source: Source
    intent: Intent
    reason: str
    agent_id: str | None = None
    coalesce_ms: int = DEFAULT_COALESCE_MS
    tasks: tuple[WakeTask, ...] = ()
    delivery: DeliveryContext | None = None
    heartbeat_interval_ms: int | None = None
    ticket: Ticket | None = None
    # A caller may not want to wait as long as a guard holds; what it asked for is kept (openclaw#137152).
    answer_at_deferral: bool = False
    # The host looks the owner up for its own messages, to answer its caller at once; the router then does not.
    located: bool = False


@final
@define(eq=False)
class Notice:
    """An event and its wake in one message, so that the turn reads the queue in which the event waits.

    Attributes:
        session_key: The queue the event goes to.
        agent_id: The owner, where the key does not name it.
        source: Who says it; also the source of its wake.
        trusted: Whether the text may be shown as our own; what comes from outside may not.
        intent: How urgent its wake is; ``None`` queues the event without waking anybody (a subagent's session).
        ticket: The caller that waits for a receipt (accepted, or refused and why). It is answered once.
        job_id: The job whose exit it tells. Whether somebody has been shown that exit meanwhile is asked by this id,
            when the event is queued, and again before a turn is shown it: a message that took it back could come too
            late (openclaw#141202).
        reply_to: The actor that is told :class:`NoticeRefused` when there is no room for the event.
    """

    session_key: str
    text: str
    source: Source
    intent: Intent | None
    reason: str = ""
    agent_id: str | None = None
    context_key: str | None = None
    delivery: DeliveryContext | None = None
    # False by default: to forget the argument must not make a text from outside look like ours.
    trusted: bool = False
    coalesce_ms: int = 0
    ticket: Ticket | None = None
    job_id: str | None = None
    reply_to: str | None = None
    located: bool = False


@final
@define(eq=False)
class NoticeSeen:
    """Tells the router that somebody has been shown an exit, so that the event of this exit is taken back.

    The event with this context key is dropped, unless a turn has it already. Its wake is dropped too, if nothing else
    waits. A result that a poll has shown must not be announced again (openclaw#120488).
    """

    session_key: str
    context_key: str
    agent_id: str | None = None
    located: bool = False


@final
@define(eq=False)
class NoticeRefused:
    """Tells ``Notice.reply_to`` that the event found no room or no agent. It can be offered again later."""

    job_id: str
