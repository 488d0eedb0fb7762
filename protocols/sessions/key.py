"""The session key: one string that names a session and, where it has one, the agent that owns it.

    agent:<agent id>:<rest>

The agent id is the owner. The rest says what the session is: ``main``, ``cron:nightly:run:7``,
``subagent:x``, ``telegram:group:-100:thread:5``. Whatever has not that form has no owner: ``global``,
``node-7``, a legacy alias. What starts like an agent key without being one (``agent::x``) is malformed, and
nobody may answer for it.

Keys compare without regard to case, because people type them; but two channels hand out ids in which case
carries meaning, so a Signal group id (one segment) and a Matrix room and event id (everything after
``matrix:channel:``) keep theirs (:func:`normalize_session_key`). What a key says is read from the normal
form; what is split off a key (:func:`split_thread`, :func:`split_cron_run`) is cut from it as written.

Every message asks who owns its key, so :func:`parse_session_key` remembers a bounded number of its answers.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import Final, final

from attrs import frozen

from ..values.ecmascript import ES_WHITESPACE, es_trim

PARSED_KEYS_MAX: Final = 4096
"""How many parsed keys are remembered; the least recently used is forgotten first."""

REMEMBERED_KEY_LENGTH_MAX: Final = 512
"""Longer keys are parsed anew each time, so that hostile keys cannot fill the memory."""

_AGENT_PREFIX: Final = "agent:"
_THREAD_MARKER: Final = ":thread:"
_RUN_MARKER: Final = ":run:"
_CRON_RUN: Final = re.compile(r"cron:[^:]+:run:[^:]+")
_SUBAGENT: Final = re.compile(r"(?:^|:)subagent:")
# ASCII: case-insensitive must not mean that U+017F or U+212A pass for "s" and "k".
_SIGNAL_GROUP: Final = re.compile(r"(?:^|:)signal:group:([^:]+)", re.IGNORECASE | re.ASCII)
_MATRIX_ROOM: Final = re.compile(r"(?:(?:agent:[^:]*:)+:*)?matrix:(?:channel|group):", re.IGNORECASE | re.ASCII)


@final
@frozen
class AgentKey:
    """A session key that has an owner, in normal form. ``str()`` gives the key back.

    Attributes:
        agent_id: As written in the key, trimmed and folded. Not always a valid id: ``owner_of`` makes it one.
        rest: What comes after the owner. Never empty, never starts with a colon.
    """

    agent_id: str
    rest: str

    def __str__(self) -> str:
        return f"{_AGENT_PREFIX}{self.agent_id}:{self.rest}"

    @property
    def is_cron_run(self) -> bool:
        """One run of a cron job, or anything below it (``cron:nightly:run:7:subagent:x``)."""
        return _CRON_RUN.match(self.rest) is not None


class KeyShape(enum.Enum):
    """What a string offered as a session key turns out to be."""

    MISSING = "missing"
    AGENT = "agent"
    MALFORMED_AGENT = "malformed_agent"
    LEGACY_OR_ALIAS = "legacy_or_alias"


@final
@frozen
class ThreadSplit:
    """A key without its last ``:thread:<id>``, and that id. ``base_key`` is ``None`` for a blank key."""

    base_key: str | None
    thread_id: str | None


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


def parse_session_key(key: str | None) -> AgentKey | None:
    """The owner and the rest of a key, or ``None`` where it has no owner or is malformed.

    Some 0.1 us for a key seen before, 2 us for a new one.
    """
    if key is None:
        return None
    return _remembered(key) if len(key) <= REMEMBERED_KEY_LENGTH_MAX else _parse(key)


def normalize_session_key(key: str | None) -> str:
    """The form in which two keys of one session are equal: trimmed, and folded but for opaque peer ids."""
    raw = es_trim(key or "")
    folded = raw.lower()
    if "signal:" in folded or "matrix:" in folded:
        return _fold_around(raw, _opaque_spans(raw))
    return folded


def classify_session_key(key: str | None) -> KeyShape:
    """Tell a key with an owner from a broken one, from one that never had an owner, and from none."""
    raw = es_trim(key or "")
    if not raw:
        return KeyShape.MISSING
    if parse_session_key(raw):
        return KeyShape.AGENT
    return KeyShape.MALFORMED_AGENT if raw.lower().startswith(_AGENT_PREFIX) else KeyShape.LEGACY_OR_ALIAS


def is_unscoped_sentinel(key: str | None) -> bool:
    """``global`` or ``unknown``: names of a queue that belongs to no agent."""
    return es_trim(key or "").lower() in {"global", "unknown"}


def is_cron(key: str | None) -> bool:
    """The session of a cron job, of one of its runs, or anything below it."""
    parsed = parse_session_key(key)
    return parsed is not None and parsed.rest.lstrip(ES_WHITESPACE).startswith("cron:")


def is_cron_run(key: str | None) -> bool:
    """One run of a cron job, or anything below it."""
    parsed = parse_session_key(key)
    return parsed is not None and parsed.is_cron_run


def is_subagent(key: str | None) -> bool:
    """A subagent's session: ``agent:<id>:subagent:...``, or the same without an owner."""
    return _body(key).startswith("subagent:")


def is_acp(key: str | None) -> bool:
    """A session of the Agent Client Protocol: ``agent:<id>:acp:...``, or the same without an owner."""
    return _body(key).startswith("acp:")


def subagent_depth(key: str | None) -> int:
    """How many subagents deep a session is; 0 for one that no agent has spawned."""
    folded = es_trim(key or "").lower()
    parsed = parse_session_key(folded)
    return len(_SUBAGENT.findall(parsed.rest.lower() if parsed else folded))


def split_thread(key: str | None) -> ThreadSplit:
    """Cut the last ``:thread:<id>`` off. The id is ``None`` where there is no marker, or nothing after it."""
    raw = es_trim(key or "")
    if not raw:
        return ThreadSplit(None, None)
    at = _last_index(raw, _THREAD_MARKER)
    if at == -1:
        return ThreadSplit(raw, None)
    return ThreadSplit(raw[:at], es_trim(raw[at + len(_THREAD_MARKER) :]) or None)


def split_cron_run(key: str | None) -> CronRunSplit:
    """Cut ``:run:<id>`` off a key of exactly the shape ``agent:<id>:cron:<job>:run:<run>``.

    Any other key (one below a run, a channel's id with ``:run:`` in it) comes back whole, without a run id.
    """
    raw = es_trim(key or "")
    if not raw:
        return CronRunSplit(None, None)
    parsed = parse_session_key(raw)
    if parsed is None or not _CRON_RUN.fullmatch(parsed.rest):
        return CronRunSplit(raw, None)
    at = _last_index(raw, _RUN_MARKER)
    return CronRunSplit(raw[:at], raw[at + len(_RUN_MARKER) :])


def delivery_route(key: str | None) -> DeliveryRoute | None:
    """The outside peer that a session talks with, or ``None`` where the key is not wholly such an address.

    Two shapes: ``<channel>:<kind>:<peer>`` and, for direct peers, ``<channel>:<account>:<kind>:<peer>``. A
    key nested in another agent's (``agent:a:agent:b:...``) stays opaque: it is that agent's business.
    """
    split = split_thread(key)
    parsed = parse_session_key(split.base_key)
    match parsed.rest.split(":") if parsed else ():
        case ["agent", *_]:
            return None
        case [channel, account, "direct" | "dm" as kind, first, *more]:
            account_id = es_trim(account)
        case [channel, "channel" | "direct" | "dm" | "group" as kind, first, *more]:
            account_id = None
        case _:
            return None
    channel = es_trim(channel)
    if not channel or account_id == "" or not es_trim(first):
        return None
    peer_id = es_trim(":".join([first, *more]))
    return DeliveryRoute(channel, PeerKind(kind), peer_id, account_id, split.thread_id)


def _parse(key: str) -> AgentKey | None:
    normalized = normalize_session_key(key)
    if not normalized.startswith(_AGENT_PREFIX):
        return None
    head, _, rest = normalized[len(_AGENT_PREFIX) :].partition(":")
    agent_id = es_trim(head)
    if not agent_id or not rest or rest[0] == ":":
        return None
    return AgentKey(agent_id, rest)


_remembered = lru_cache(maxsize=PARSED_KEYS_MAX)(_parse)


def _body(key: str | None) -> str:
    """The part of a key that tells what it is for: all but the owner, if it has one."""
    parsed = parse_session_key(key)
    return parsed.rest.lstrip(ES_WHITESPACE) if parsed else es_trim(key or "").lower()


def _last_index(raw: str, marker: str) -> int:
    """Where the trimmed and folded text has the marker for the last time.

    In ``raw`` itself that place is off by the white space before it, and by one for every U+0130, the letter
    that grows when it is folded. OpenClaw cuts there, and a session must have one name in both.
    """
    return es_trim(raw).lower().rfind(marker)


def _opaque_spans(raw: str) -> list[tuple[int, int, bool]]:
    """The parts of a key that keep their case: start, end, and whether white space around them goes."""
    spans = [(*match.span(1), True) for match in _SIGNAL_GROUP.finditer(raw)]
    room = _MATRIX_ROOM.match(raw)
    if room:
        start = room.end()
        at = _last_index(raw[start:], _THREAD_MARKER)
        if at == -1:
            spans.append((start, len(raw), False))
        else:
            spans += [(start, start + at, False), (start + at + len(_THREAD_MARKER), len(raw), False)]
    return sorted(span for span in spans if span[0] < span[1])


def _fold_around(raw: str, spans: list[tuple[int, int, bool]]) -> str:
    pieces: list[str] = []
    cursor = 0
    for start, end, trimmed in spans:
        if start < cursor:  # a Signal group named within a Matrix room: the room has kept it already
            continue
        pieces += [es_trim(raw[cursor:start]).lower(), es_trim(raw[start:end]) if trimmed else raw[start:end]]
        cursor = end
    pieces.append(es_trim(raw[cursor:]).lower())
    return "".join(pieces)
