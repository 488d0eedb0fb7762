"""The direct session of the one person an agent belongs to, as OpenClaw routes it.

Where direct messages belong to the agent's main session, and exactly one peer may send them, OpenClaw tells the exits
of that peer's direct session to the main session too. The recorded ``notify`` rows need the rule. Nothing in Wakeward
knows who may send direct messages (``allow_from`` is a setting of OpenClaw's channels), so nothing else uses it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

from ..sessions.key import parse_session_key
from ..sessions.route import EventRoute, Routing, event_route, main_route
from ..values.ecmascript import es_trim
from .session_keys import split_thread

_DIRECT: Final = frozenset({"direct", "dm"})
_PEER_KINDS: Final = _DIRECT | {"group", "channel"}
# "agent": the key is nested in another agent's. "group" and "channel": kinds, where a channel should stand.
_NO_CHANNELS: Final = frozenset({"agent", "group", "channel"})


class DirectScope(enum.Enum):
    """Which session direct messages belong to: the agent's main session, or one for each peer."""

    MAIN = "main"
    PER_PEER = "per-peer"
    PER_CHANNEL_PEER = "per-channel-peer"
    PER_ACCOUNT_CHANNEL_PEER = "per-account-channel-peer"


def main_peer(allow_from: Iterable[str], direct_scope: DirectScope = DirectScope.MAIN) -> str | None:
    """The one peer whose direct messages are the agent's main session, or ``None``.

    There is one when direct messages belong to the main session and exactly one peer may send them.
    """
    # A set, so that two spellings of one peer count once.
    entries = {es_trim(entry).lower() for entry in allow_from} - {""}
    # "*" lets everybody in, so nobody is the one owner.
    if direct_scope is not DirectScope.MAIN or "*" in entries or len(entries) != 1:
        return None
    return entries.pop()


def direct_event_route(key: str, routing: Routing, peer: str | None) -> EventRoute:
    """Where an event for this session is queued: as :func:`event_route` says, but for the direct session of ``peer``
    (:func:`main_peer`), which is the main session.
    """
    route = event_route(key, routing)
    parsed = parse_session_key(key)
    # A route that has moved already (a cron run) stays as it is.
    if route.event_key != key or parsed is None or peer is None or peer != _direct_peer(key):
        return route
    return main_route(parsed.agent_id, routing)


def _direct_peer(key: str) -> str | None:
    """The peer of a direct session: ``direct:<peer>``, ``<channel>:direct:<peer>``,
    ``<channel>:<account>:direct:<peer>``.

    ``None`` for any other session, and for a key that can be read as more than one of these.
    """
    parsed = parse_session_key(split_thread(key).base_key)
    parts = parsed.rest.lower().split(":") if parsed else [""]
    starts = [start for start in (1, 2, 3) if _has_peer_at(parts, start)]
    # A key with two readings belongs to nobody: to guess would tell one peer's results to another.
    if len(starts) != 1 or parts[starts[0] - 1] not in _DIRECT or parts[0] in _NO_CHANNELS:
        return None
    return es_trim(":".join(parts[starts[0] :])) or None


def _has_peer_at(parts: list[str], start: int) -> bool:
    # With no channel before it, only a direct peer counts, as recorded.
    kinds = _DIRECT if start == 1 else _PEER_KINDS
    return len(parts) > start and parts[start - 1] in kinds and all([*parts[: start - 1], parts[start]])
