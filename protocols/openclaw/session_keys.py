"""What OpenClaw reads from a session key beyond its owner.

Why it is recorded and not ours: our runtime needs the owner of a key, and whether it is a cron run or a subagent
(:mod:`~wakeward.protocols.sessions.key`). Clients of OpenClaw also use the key as an address book: the outside
peer of a session, its thread, the run of a cron job, the depth of a subagent, the target of a wake. These rules decide
nothing in this project. They stand here so that the recorded rows can be checked, and so that a gateway for such
clients does not have to find them out again.
"""

from __future__ import annotations

import enum
import re
from typing import Final, final

from attrs import frozen

from ..sessions.key import THREAD_MARKER, key_body, last_index_of, parse_session_key
from ..sessions.route import Routing, event_route
from ..values.ecmascript import es_trim

_RUN_MARKER: Final = ":run:"
_CRON_RUN_ONLY: Final = re.compile(r"cron:[^:]+:run:[^:]+")
_SUBAGENT: Final = re.compile(r"(?:^|:)subagent:")


@final
@frozen
class ThreadSplit:
    """A key without its last ``:thread:<id>``, and that id. ``base_key`` is ``None`` for a blank key."""

    base_key: str | None
    thread_id: str | None


def split_thread(key: str | None) -> ThreadSplit:
    """Cut the last ``:thread:<id>`` off. The id is ``None`` if there is no marker, or nothing after it."""
    # Not the normal form: the parts come back in the case in which they were given.
    raw = es_trim(key or "")
    if not raw:
        return ThreadSplit(None, None)
    at = last_index_of(raw, THREAD_MARKER)
    if at == -1:
        return ThreadSplit(raw, None)
    # Cut at a place of the lower-case form, as OpenClaw does; see last_index_of.
    return ThreadSplit(raw[:at], es_trim(raw[at + len(THREAD_MARKER) :]) or None)


@final
@frozen
class CronRunSplit:
    """The key of a cron job, and the id of its run. ``base_key`` is ``None`` for a blank key."""

    base_key: str | None
    run_id: str | None


class PeerKind(enum.Enum):
    """Who is at the other end of a channel."""

    CHANNEL = "channel"
    DIRECT = "direct"
    DM = "dm"
    GROUP = "group"


@final
@frozen
class DeliveryRoute:
    """Where an answer to this session goes outside: the channel, the account there, the peer, the thread."""

    channel: str
    peer_kind: PeerKind
    peer_id: str
    account_id: str | None = None
    thread_id: str | None = None


@final
@frozen
class WakeTarget:
    """The agent and the session that a wake is for. ``None``: the dispatcher fills the field in."""

    agent_id: str | None = None
    session_key: str | None = None


def is_unscoped_sentinel(key: str | None) -> bool:
    """Whether the key is ``global`` or ``unknown``: OpenClaw's names for a queue that belongs to no agent."""
    return es_trim(key or "").lower() in {"global", "unknown"}


def is_cron(key: str | None) -> bool:
    """Whether the session is a cron job's, one of its runs', or below one of them."""
    # With an owner only: "cron:nightly" alone belongs to no agent's cron.
    return parse_session_key(key) is not None and key_body(key).startswith("cron:")


def is_cron_run(key: str | None) -> bool:
    """Whether the session is one run of a cron job, or below one."""
    parsed = parse_session_key(key)
    return parsed is not None and parsed.is_cron_run


def is_acp(key: str | None) -> bool:
    """Whether it is a session of the Agent Client Protocol: ``agent:<id>:acp:...``, or the same without an owner."""
    return key_body(key).startswith("acp:")


def subagent_depth(key: str | None) -> int:
    """How many subagents deep the session is; 0 if no agent started it."""
    # Lower case before parsing: opaque ids keep their case, and "Subagent:" inside one counts, as recorded.
    folded = es_trim(key or "").lower()
    parsed = parse_session_key(folded)
    return len(_SUBAGENT.findall(parsed.rest.lower() if parsed else folded))


def split_cron_run(key: str | None) -> CronRunSplit:
    """Cut ``:run:<id>`` off a key of exactly the shape ``agent:<id>:cron:<job>:run:<run>``.

    Any other key (one below a run, a channel id that contains ``:run:``) comes back whole, without a run id.
    """
    raw = es_trim(key or "")
    if not raw:
        return CronRunSplit(None, None)
    parsed = parse_session_key(raw)
    # fullmatch: below a run (":run:7:subagent:x") the key names another session, and must stay whole.
    if parsed is None or not _CRON_RUN_ONLY.fullmatch(parsed.rest):
        return CronRunSplit(raw, None)
    at = last_index_of(raw, _RUN_MARKER)
    return CronRunSplit(raw[:at], raw[at + len(_RUN_MARKER) :])


def delivery_route(key: str | None) -> DeliveryRoute | None:
    """The outside peer that a session talks with; ``None`` if the key is not exactly such an address.

    There are two shapes: ``<channel>:<kind>:<peer>``, and for direct peers ``<channel>:<account>:<kind>:<peer>``. A key
    that is nested in another agent's key (``agent:a:agent:b:...``) gives ``None``: it concerns that other agent.
    """
    # First, because the thread is no part of the peer's id.
    split = split_thread(key)
    parsed = parse_session_key(split.base_key)
    match parsed.rest.split(":") if parsed else ():
        case ["agent", *_]:
            return None
        # The longer shape first: "telegram:direct:dm:42" names an account "direct", as recorded.
        case [channel, account, "direct" | "dm" as kind, first, *more]:
            account_id = es_trim(account)
        case [channel, "channel" | "direct" | "dm" | "group" as kind, first, *more]:
            account_id = None
        case _:
            return None
    channel = es_trim(channel)
    if not channel or account_id == "" or not es_trim(first):
        return None
    # A peer's id may contain colons, so everything after the kind belongs to it.
    peer_id = es_trim(":".join([first, *more]))
    return DeliveryRoute(channel, PeerKind(kind), peer_id, account_id, split.thread_id)


def scoped_wake(key: str | None, target: WakeTarget, routing: Routing) -> WakeTarget:
    """The target of a wake that something in the session ``key`` asks for.

    What the key decides replaces what ``target`` said. A key without an owner decides nothing.
    """
    route = event_route(key or "", routing)
    return WakeTarget(
        # Not `or`: None alone means that the key does not decide the field.
        agent_id=target.agent_id if route.agent_id is None else route.agent_id,
        session_key=target.session_key if route.session_key is None else route.session_key,
    )
