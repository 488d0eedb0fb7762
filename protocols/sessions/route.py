"""Where a message with a session key goes: to which owner, into which queue, with which wake.

A key with an owner belongs to that agent and to no other. A key without an owner belongs to the agent that the
configuration names, or it is refused (:class:`InvalidSessionKeyError`). It never goes to every agent: OpenClaw
wakes all agents for such a key, or retries it for ever (openclaw#32724).

A cron run is ephemeral: when its late events arrive, no turn reads its queue any more. So the events of a run,
and of all sessions below it, go to the agent's main session, and their wakes too. If all senders share one
session, they go to ``global``, and the agent stays the wake's target (openclaw#52305, #50818, #80214).
"""

from __future__ import annotations

import enum
import re
from typing import Final, assert_never, final

from attrs import field, frozen

from ..errors import InvalidInputError
from ..values.ecmascript import es_trim
from .key import KeyShape, classify_session_key, normalize_session_key, parse_session_key

# One constant each, though both are "main": the name of a session and the name of an agent change independently.
DEFAULT_MAIN_KEY: Final = "main"
DEFAULT_AGENT_ID: Final = "main"
GLOBAL_KEY: Final = "global"
"""The queue that all senders share under :attr:`Scope.GLOBAL`."""

AGENT_ID_LENGTH_MAX: Final = 64

_ACCEPTED: Final = "expected 'agent:<agent id>:<rest>'"
# ASCII: without it, IGNORECASE would accept U+212A for "k", and two ids would mean one agent.
_VALID_AGENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.IGNORECASE | re.ASCII)
_NOT_IN_AGENT_ID: Final = re.compile(r"[^a-z0-9_-]+")


class InvalidSessionKeyError(InvalidInputError):
    """A session key that cannot be used here. The message names the key and what is accepted."""


class Scope(enum.Enum):
    """Whether each sender has a session, or all senders share one."""

    PER_SENDER = "per-sender"
    GLOBAL = "global"


def normalize_main_key(value: str | None) -> str:
    """The name of an agent's main session in lower case; ``main`` if it is blank."""
    return es_trim(value or "").lower() or DEFAULT_MAIN_KEY


@final
@frozen
class Routing:
    """The part of the configuration that decides a route.

    Work keeps the one it started with, so a reload cannot send its first event to one session and its last to another.

    Attributes:
        main_key: The name of an agent's main session, in lower case. Blank or ``None`` means ``main``.
        scope: Whether each sender has a session, or all senders share one.
    """

    main_key: str = field(default=DEFAULT_MAIN_KEY, converter=normalize_main_key)
    scope: Scope = Scope.PER_SENDER


@final
@frozen
class EventRoute:
    """Where an event is queued, and the target of the wake that goes with it.

    Attributes:
        event_key: The key under which the event is queued.
        agent_id: The wake's agent, if its session does not name it.
        session_key: The wake's session. If both are ``None``, the key has no owner and the configuration must name one.
    """

    event_key: str
    agent_id: str | None = None
    session_key: str | None = None


def event_route(key: str, routing: Routing) -> EventRoute:
    """Find the queue of an event for this session, and the target of its wake."""
    parsed = parse_session_key(key)
    if parsed is None:
        # Without a target: to guess an agent here would wake one that the key does not name.
        return EventRoute(key)
    if not parsed.is_cron_run:  # every other session has turns of its own that read its queue
        return EventRoute(key, None, key)
    return main_route(parsed.agent_id, routing)


def main_route(agent_id: str, routing: Routing) -> EventRoute:
    """The route of an event that is told to the main session of an agent."""
    match routing.scope:
        case Scope.GLOBAL:
            # All senders share this queue, so the target is all that still names the agent.
            return EventRoute(GLOBAL_KEY, agent_id, None)
        case Scope.PER_SENDER:
            # Queue and wake name the same session, or the turn would read another queue than the one that was filled.
            main = main_session_key(agent_id, routing.main_key)
            return EventRoute(main, None, main)
        case _:
            assert_never(routing.scope)


def queue_key(key: str | None, agent_id: str | None = None) -> str:
    """The queue in which an event for this session waits. Writer and reader of a queue both get its name here.

    Args:
        key: Any spelling of a session key.
        agent_id: The owner if the key names none. If the key names one, the two must agree.

    Raises:
        InvalidSessionKeyError: The key is blank, malformed or without an owner, or another agent owns it.
    """
    if not es_trim(key or ""):
        raise InvalidSessionKeyError(f"session key {key!r} is blank, but an event needs one: {_ACCEPTED}")
    owner = owner_of(key, agent_id)
    # Usually both ids are in canonical form already: one comparison in place of a normalisation, on the hot path.
    expected = owner if agent_id == owner else optional_agent_id(agent_id)
    if expected is not None and owner != expected:
        raise InvalidSessionKeyError(
            f"session key {key!r} belongs to agent {owner!r}, expected a key of agent {expected!r}"
        )
    return store_key(key, owner)


def owner_of(key: str | None, default_agent_id: str | None = None) -> str:
    """The id of the agent that owns a session.

    Args:
        key: Any spelling of a session key.
        default_agent_id: The owner that the configuration names for keys without one.

    Raises:
        InvalidSessionKeyError: The key is malformed (the default does not own such keys), or it has no owner and there
            is no default.
    """
    parsed = parse_session_key(key)
    if parsed is not None:
        # The id in a key may be written in a way that no agent's is ("My Agent"), and is folded as agent ids are.
        return normalize_agent_id(parsed.agent_id)
    # A malformed key was meant for some agent. The default agent is probably another one.
    if classify_session_key(key) is KeyShape.MALFORMED_AGENT:
        raise InvalidSessionKeyError(f"session key {key!r} is malformed: {_ACCEPTED}, neither part empty")
    default = optional_agent_id(default_agent_id)
    if default is None:
        raise InvalidSessionKeyError(
            f"session key {key!r} names no owner, and no default agent is configured: {_ACCEPTED}"
        )
    return default


def main_session_key(agent_id: str | None, main_key: str | None = DEFAULT_MAIN_KEY) -> str:
    """The key of an agent's main session: ``agent:<agent id>:<main key>``."""
    return f"agent:{normalize_agent_id(agent_id)}:{normalize_main_key(main_key)}"


def store_key(key: str | None, agent_id: str | None, main_key: str | None = DEFAULT_MAIN_KEY) -> str:
    """The key under which the session that ``key`` means is kept.

    A key with an owner keeps it, whatever ``agent_id`` says. A malformed key stays malformed. Blank and ``main`` mean
    the main session of ``agent_id``; any other text becomes another session of that agent.
    """
    parsed = parse_session_key(key)
    if parsed is not None:
        return str(parsed)
    normalized = normalize_session_key(key)
    # An alias: where the main session has another name, "main" still means it.
    if normalized in {"", DEFAULT_MAIN_KEY}:
        return main_session_key(agent_id, main_key)
    # Malformed. With a prefix it would become a valid key of an agent that it does not name.
    if normalized.startswith("agent:"):
        return normalized
    return f"agent:{normalize_agent_id(agent_id)}:{normalized}"


def normalize_agent_id(value: str | None) -> str:
    """An agent id in canonical form, safe as a file name; ``main`` if no character of it can be kept."""
    return representable_agent_id(value) or DEFAULT_AGENT_ID


def optional_agent_id(value: str | None) -> str | None:
    """Like :func:`normalize_agent_id`, but ``None`` for a blank text."""
    return normalize_agent_id(value) if es_trim(value or "") else None


def representable_agent_id(value: str | None) -> str | None:
    """Like :func:`normalize_agent_id`, but ``None`` if no character can be kept.

    Each run of characters that are not allowed becomes one dash. There are no dashes at the ends.
    """
    trimmed = es_trim(value or "")
    # The usual case first. It also keeps dashes at the end, which the replacement below would strip.
    if _VALID_AGENT_ID.fullmatch(trimmed):
        return trimmed.lower()
    # Cut last, as recorded: so an id of full length may end with a dash.
    return _NOT_IN_AGENT_ID.sub("-", trimmed.lower()).strip("-")[:AGENT_ID_LENGTH_MAX] or None


def is_valid_agent_id(value: str | None) -> bool:
    """Whether an id keeps all its characters: 1 to 64 of ``a-z0-9_-`` in any case, a letter or digit first."""
    return _VALID_AGENT_ID.fullmatch(es_trim(value or "")) is not None
