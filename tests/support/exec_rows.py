"""Feeds the recorded exits to the rules of a job: where a notice goes, and what it says.

OpenClaw decides at the exit, from a bag of facts, what a job here decides when it starts (its contract) and when it
ends (whether it is told, and with which text). The adapter puts the two together, and says the wake as OpenClaw does:
by the fields that its dispatcher fills in later.
"""

from __future__ import annotations

from typing import Any

from wakeward.protocols.jobs.exit import ExitReason, ExitStatus
from wakeward.protocols.jobs.notice import exit_context_key, told_text
from wakeward.protocols.openclaw.direct_session import DirectScope, direct_event_route, main_peer
from wakeward.protocols.sessions.key import is_subagent
from wakeward.protocols.sessions.route import GLOBAL_KEY, EventRoute, Routing, Scope, queue_key
from wakeward.protocols.values.ecmascript import es_trim
from wakeward.protocols.wakes.event import DeliveryContext

Facts = dict[str, Any]

NOTHING: Facts = {"event": None, "wake": None}


def told_by(status: str, session: Facts) -> Facts:
    """The event and the wake of a finished session of OpenClaw's, as a ``notify`` row expects them.

    Raises:
        InvalidSessionKeyError: Nobody owns the session. Here such a job is refused when it starts.
    """
    key = es_trim(session["session_key"] or "")
    if not is_due(session):
        return NOTHING
    text = told_text(
        session["id"],
        status=ExitStatus(status),
        reason=ExitReason(session["exit_reason"]) if session["exit_reason"] else None,
        exit_code=session["exit_code"],
        exit_signal=session["exit_signal"],
        output=session["tail"] or session["aggregated"],
        cleanup_failed=session["finalization_failed"],
        notify_on_empty_success=session["notify_on_exit_empty_success"],
    )
    if text is None:
        return NOTHING
    route = route_of(key, session["event_routing"])
    event: Facts = {
        "session_key": queue_key(route.event_key, session["agent_id"]),
        "text": text,
        "context_key": exit_context_key(session["id"]),
        "delivery_context": delivery_row(delivery_of(session["delivery_context"])),
    }
    return {"event": event, "wake": wake_row(key, session["agent_id"], route)}


def is_due(session: Facts) -> bool:
    """Whether this is the moment in which OpenClaw settles the end of a session."""
    wanted = session["backgrounded"] and session["notify_on_exit"]
    seen = session["exit_notified"] or session["terminal_poll_observed"]
    return wanted and not seen and bool(es_trim(session["session_key"] or ""))


def route_of(key: str, policy: Facts | None) -> EventRoute:
    """Where OpenClaw queues the event of this key."""
    policy = policy or {}
    routing = Routing(policy.get("main_key"), Scope(policy.get("session_scope") or "per-sender"))
    peer = main_peer(policy.get("allow_from") or (), DirectScope(policy.get("dm_scope") or "main"))
    return direct_event_route(key, routing, peer)


def wake_row(key: str, agent_id: str | None, route: EventRoute) -> Facts | None:
    """The wake of an exit, in the fields that OpenClaw gives to its dispatcher."""
    if is_subagent(key):
        return None
    return {
        "source": "exec-event",
        "intent": "event",
        "reason": "exec-event",
        "coalesce_ms": 0,
        "agent_id": (agent_id or None) if key == GLOBAL_KEY else route.agent_id,
        "session_key": route.session_key,
    }


def delivery_of(given: Facts | None) -> DeliveryContext | None:
    return (DeliveryContext(**given) or None) if given is not None else None


def delivery_row(delivery: DeliveryContext | None) -> Facts | None:
    if not delivery:
        return None
    return {name: getattr(delivery, name) for name in ("channel", "to", "account_id", "thread_id")}
