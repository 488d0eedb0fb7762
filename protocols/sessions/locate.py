"""Find the agent that owns a session key."""

from __future__ import annotations

from typing import final

from attrs import frozen

from ..errors import InvalidInputError
from .key import parse_session_key
from .route import (
    Routing,
    event_route,
    main_session_key,
    normalize_agent_id,
    queue_key,
    representable_agent_id,
)


@final
@frozen
class Location:
    """The owner of a key, and the session of that owner that the key means."""

    agent_id: str
    session_key: str


def locate(session_key: str | None, agent_id: str | None, routing: Routing, unowned: str | None = None) -> Location:
    """Find the owner and the session that an event or a wake is for.

    Args:
        session_key: Any spelling; ``None`` means the agent's main session. A cron run, and anything below it, also
            means the main session, or under global scope the agent's ``global`` one.
        agent_id: The owner if the key names none.
        routing: Main key and scope.
        unowned: The agent that owns keys without an owner, if neither the key nor ``agent_id`` names one.

    Raises:
        InvalidInputError: No owner can be found, or key and agent contradict each other. The message says which.
    """
    owner = normalize_agent_id(agent_id) if agent_id is not None else None
    if session_key is None:
        # What the caller names comes first; the configured owner only stands in.
        owner = owner or unowned
        if owner is None:
            raise InvalidInputError("neither a session key nor an agent is named, and no agent owns what has no owner")
        # Also under global scope: who names an agent alone means that agent's main session.
        return Location(owner, main_session_key(owner, routing.main_key))
    parsed = parse_session_key(session_key)
    if parsed is None:
        owner = owner or unowned
        if owner is None:
            raise InvalidInputError(
                f"session key {session_key!r} names no agent (expected 'agent:<agent id>:<rest>'), "
                "and no agent owns what has no owner"
            )
        # queue_key refuses a malformed key, which has no owner that could be guessed.
        return Location(owner, queue_key(session_key, owner))
    # Not normalize_agent_id: it would give an id that cannot be kept to the agent "main", which does not own it.
    holder = representable_agent_id(parsed.agent_id)
    if holder is None:
        raise InvalidInputError(f"session key {session_key!r}: no agent can be called {parsed.agent_id!r}")
    if owner not in (None, holder):  # either of the two may be the mistake, so none is preferred
        raise InvalidInputError(f"session key {session_key!r} belongs to agent {holder!r}, not to {owner!r}")
    # Under global scope the route is the bare key "global". With the holder it becomes the holder's own global session,
    # so a shared name never leads to another agent.
    return Location(holder, queue_key(event_route(session_key, routing).event_key, holder))
