"""The messages that actors send each other about wakes and events.

Messages are not values: they are made once, handed over, and never compared, so they are plain slotted objects (a
frozen instance costs about three times as much to make).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from attrs import define

from .event import DeliveryContext
from .wake import DEFAULT_COALESCE_MS, Intent, Source, WakeTask


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
        settle: Called once with the outcome of the turn that this wake led to, for whoever waits for it.
        settle_on_deferral: Settle already at the first deferral; the wake itself goes on.
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
    settle: Callable[[Any], None] | None = None
    settle_on_deferral: bool = False


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
        settle: Called once with what became of the event (accepted, duplicate, refused and why), when it is durable.
        is_seen: Whether somebody has been shown meanwhile what the event says. Asked when it is queued, and again
            before a turn is shown it: a message that took it back could come too late (openclaw#141202).
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
    settle: Callable[[Any], None] | None = None
    is_seen: Callable[[], bool] | None = None


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
