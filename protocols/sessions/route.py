"""Where things go that carry a session key: to which owner, into which queue, with which wake.

A key with an owner belongs to that agent and to nobody else; one without belongs to the agent that the
configuration names, or it is refused (:class:`InvalidSessionKeyError`). Never to everybody: OpenClaw wakes
all agents for such a key, or retries it for ever (openclaw#32724).

A cron run is ephemeral: when its late events arrive, nobody drains its queue any more. So a run, and all that
is below it, puts its events on the agent's main session and wakes that; or, where all senders share one
session, on ``global``, with the agent kept as the wake's target (openclaw#52305, #50818, #80214).
"""

from __future__ import annotations

import enum
import re
from typing import Final, assert_never, final

from attrs import field, frozen

from ..errors import InvalidInputError
from ..values.ecmascript import es_trim
from .key import KeyShape, classify_session_key, normalize_session_key, parse_session_key

DEFAULT_MAIN_KEY: Final = "main"
DEFAULT_AGENT_ID: Final = "main"
GLOBAL_KEY: Final = "global"
"""The queue that all agents share under :attr:`Scope.GLOBAL`."""

AGENT_ID_LENGTH_MAX: Final = 64

_ACCEPTED: Final = "expected 'agent:<agent id>:<rest>'"
_VALID_AGENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.IGNORECASE | re.ASCII)
_NOT_IN_AGENT_ID: Final = re.compile(r"[^a-z0-9_-]+")


class InvalidSessionKeyError(InvalidInputError):
    """A session key that cannot be used here. The message names the key and what would be accepted."""


class Scope(enum.Enum):
    """Whether each sender has a session, or all share one."""

    PER_SENDER = "per-sender"
    GLOBAL = "global"


def normalize_main_key(value: str | None) -> str:
    """The name of an agent's main session, folded; ``main`` for a blank."""
    return es_trim(value or "").lower() or DEFAULT_MAIN_KEY


@final
@frozen
class Routing:
    """What of the configuration decides a route. A snapshot taken when work starts: a reload cannot split it.

    Attributes:
        main_key: The name of an agent's main session. Folded; a blank or ``None`` is ``main``.
        scope: Whether each sender has a session, or all share one.
    """

    main_key: str = field(default=DEFAULT_MAIN_KEY, converter=normalize_main_key)
    scope: Scope = Scope.PER_SENDER


@final
@frozen
class WakeTarget:
    """Whom a wake is for. ``None`` leaves the field to whoever dispatches."""

    agent_id: str | None = None
    session_key: str | None = None


@final
@frozen
class EventRoute:
    """Where an event is queued, and whom the wake that goes with it is for.

    Attributes:
        event_key: The key under which the event is queued.
        agent_id: The wake's agent, where its session alone does not say it.
        session_key: The wake's session. Both ``None``: the key has no owner, the configuration must name one.
    """

    event_key: str
    agent_id: str | None = None
    session_key: str | None = None


def event_route(key: str, routing: Routing) -> EventRoute:
    """Where an event for this session is queued, and which wake target goes with it."""
    parsed = parse_session_key(key)
    if parsed is None:
        return EventRoute(key)
    if not parsed.is_cron_run:
        return EventRoute(key, None, key)
    match routing.scope:
        case Scope.GLOBAL:
            return EventRoute(GLOBAL_KEY, parsed.agent_id, None)
        case Scope.PER_SENDER:
            main = main_session_key(parsed.agent_id, routing.main_key)
            return EventRoute(main, None, main)
        case _:
            assert_never(routing.scope)


def scoped_wake(key: str | None, target: WakeTarget, routing: Routing) -> WakeTarget:
    """The target of a wake that something in the session ``key`` asks for.

    What the key decides replaces what ``target`` said; a key without an owner decides nothing.
    """
    route = event_route(key or "", routing)
    return WakeTarget(
        agent_id=target.agent_id if route.agent_id is None else route.agent_id,
        session_key=target.session_key if route.session_key is None else route.session_key,
    )


def queue_key(key: str | None, agent_id: str | None = None) -> str:
    """The queue in which an event for this session waits: the key in the one form that its consumer uses too.

    Args:
        key: Any spelling of a session key.
        agent_id: The owner where the key names none. Where it names one, they must agree.

    Raises:
        InvalidSessionKeyError: The key is blank, malformed or without an owner, or another agent owns it.
    """
    if not es_trim(key or ""):
        raise InvalidSessionKeyError(f"session key {key!r} is blank, but an event needs one: {_ACCEPTED}")
    owner = owner_of(key, agent_id)
    expected = owner if agent_id == owner else optional_agent_id(agent_id)  # the usual case is cheap
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
        InvalidSessionKeyError: The key is malformed (no default answers for that), or has no owner and there
            is no default.
    """
    parsed = parse_session_key(key)
    if parsed is not None:
        return normalize_agent_id(parsed.agent_id)
    if classify_session_key(key) is KeyShape.MALFORMED_AGENT:
        raise InvalidSessionKeyError(f"session key {key!r} is malformed: {_ACCEPTED}, neither part empty")
    default = optional_agent_id(default_agent_id)
    if default is None:
        raise InvalidSessionKeyError(
            f"session key {key!r} names no owner, and no default agent is configured: {_ACCEPTED}"
        )
    return default


def main_session_key(agent_id: str | None, main_key: str | None = DEFAULT_MAIN_KEY) -> str:
    """The key of an agent's main session."""
    return f"agent:{normalize_agent_id(agent_id)}:{normalize_main_key(main_key)}"


def store_key(key: str | None, agent_id: str | None, main_key: str | None = DEFAULT_MAIN_KEY) -> str:
    """The key under which a session asked for by ``key`` is kept.

    A key with an owner stays with it, whatever ``agent_id`` says; a malformed one stays malformed. A blank or
    ``main`` is the main session of ``agent_id``, and everything else becomes another session of it.
    """
    parsed = parse_session_key(key)
    if parsed is not None:
        return str(parsed)
    normalized = normalize_session_key(key)
    if normalized in {"", DEFAULT_MAIN_KEY}:
        return main_session_key(agent_id, main_key)
    if normalized.startswith("agent:"):
        return normalized
    return f"agent:{normalize_agent_id(agent_id)}:{normalized}"


def normalize_agent_id(value: str | None) -> str:
    """An agent id in canonical form, safe as a file name; ``main`` where nothing of it can be kept."""
    return representable_agent_id(value) or DEFAULT_AGENT_ID


def optional_agent_id(value: str | None) -> str | None:
    """As :func:`normalize_agent_id`, but ``None`` for a blank."""
    return normalize_agent_id(value) if es_trim(value or "") else None


def representable_agent_id(value: str | None) -> str | None:
    """As :func:`normalize_agent_id`, but ``None`` where nothing can be kept.

    What may not stand in an id becomes a dash, one for each run of it, and none at the ends.
    """
    trimmed = es_trim(value or "")
    if _VALID_AGENT_ID.fullmatch(trimmed):
        return trimmed.lower()
    return _NOT_IN_AGENT_ID.sub("-", trimmed.lower()).strip("-")[:AGENT_ID_LENGTH_MAX] or None


def is_valid_agent_id(value: str | None) -> bool:
    """Whether an id keeps every character: 1 to 64 of ``a-z0-9_-`` in any case, letter or digit first."""
    return _VALID_AGENT_ID.fullmatch(es_trim(value or "")) is not None
