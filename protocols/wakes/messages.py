"""The messages that actors send each other about wakes and events.

Messages are not values: they are made once, handed over, and never compared, so they are plain slotted objects (a
frozen instance costs about three times as much to make).
"""

from __future__ import annotations

from typing import NamedTuple, final

from attrs import define

from ..receipt import Receipt
from .event import DeliveryContext
from .turn import Outcome
from .wake import DEFAULT_COALESCE_MS, Intent, Source, WakeTask


class Ticket(NamedTuple):
    """Who waits for an answer, as a value: the host keeps a table from tickets to callers.

    A ticket can be stored. ``boot`` names the run of the host that gave it, so that a ticket of an earlier run reaches
    nobody.
    """

    boot: str
    number: int


Answer = Outcome | Receipt
"""What a caller gets: the outcome of its wake's turn, or what became of its event, or why nothing will come of it."""


@final
@define(eq=False)
class Wake:
    """A request that one session take a turn.

    Attributes:
        session_key: The session; ``None`` means the main session of ``agent_id``.
        agent_id: The owner, where the key does not name it (``global`` and legacy keys).
        coalesce_ms: How long to wait for company; 0 runs at once.
        tasks: Due work to hand to the turn.
        delivery: Where the answer should go, when that differs from the session's own route.
        heartbeat_interval_ms: Set on a tick of a cadence kept elsewhere: such a tick is due by definition.
        ticket: Whoever waits for the outcome of the turn that this wake leads to. Answered once.
        answer_at_deferral: Answer already at the first deferral; the wake itself goes on.
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
    answer_at_deferral: bool = False
    located: bool = False


@final
@define(eq=False)
class Notice:
    """Event plus wake in one message: the queue that is filled is the queue that is drained.

    Attributes:
        session_key: The queue the event goes to.
        agent_id: The owner, where the key does not name it.
        source: Who says it; also the source of its wake.
        trusted: Whether the text may be shown as our own; what comes from outside may not.
        intent: How urgent its wake is; ``None`` queues the event without waking anybody (a subagent's session).
        ticket: Whoever waits to hear what became of the event (accepted, or refused and why). Answered once.
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
    trusted: bool = False
    coalesce_ms: int = 0
    ticket: Ticket | None = None
    job_id: str | None = None
    reply_to: str | None = None
    located: bool = False


@final
@define(eq=False)
class NoticeSeen:
    """Told to the router: somebody has been shown this exit, so the event that announces it is to be taken back.

    Drop the event with this context key unless a turn has it already, and the wake that came with it if nothing else
    is waiting. Answers openclaw#120488: a result that a poll has shown must not be announced again.
    """

    session_key: str
    context_key: str
    agent_id: str | None = None
    located: bool = False


@final
@define(eq=False)
class NoticeRefused:
    """Told to ``Notice.reply_to``: there was no room for the event, or no agent took it. Offer it again later."""

    job_id: str
