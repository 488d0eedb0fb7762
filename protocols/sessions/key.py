"""The session key: one string that names a session and, if it has an owner, the agent that owns it.

    agent:<agent id>:<rest>

The agent id is the owner. The rest says what the session is: ``main``, ``cron:nightly:run:7``,
``subagent:x``, ``telegram:group:-100:thread:5``. A key of another form has no owner: ``global``, ``node-7``, a
legacy alias. A key that starts like an agent key and is none (``agent::x``) is malformed, and no agent may be
taken for its owner.

Keys compare without regard to case, because people type them. But two channels give out ids in which case has a
meaning. So a Signal group id (one segment) and a Matrix room and event id (everything after
``matrix:channel:``) keep their case (:func:`normalize_session_key`). What a key says is read from this normal
form.

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
"""How many parsed keys are remembered. The least recently used one is forgotten first."""

REMEMBERED_KEY_LENGTH_MAX: Final = 512
"""A longer key is parsed each time, so that hostile keys cannot fill the memory."""

_AGENT_PREFIX: Final = "agent:"
THREAD_MARKER: Final = ":thread:"
_CRON_RUN: Final = re.compile(r"cron:[^:]+:run:[^:]+")
# ASCII: without it, IGNORECASE would accept U+017F for "s" and U+212A for "k".
_SIGNAL_GROUP: Final = re.compile(r"(?:^|:)signal:group:([^:]+)", re.IGNORECASE | re.ASCII)
# A key may be nested in another agent's key, so the prefix may repeat.
_MATRIX_ROOM: Final = re.compile(r"(?:(?:agent:[^:]*:)+:*)?matrix:(?:channel|group):", re.IGNORECASE | re.ASCII)


@final
@frozen
class AgentKey:
    """A session key that has an owner, in normal form. ``str()`` gives the key back.

    Attributes:
        agent_id: As written in the key, trimmed and in lower case. It may be no valid id; ``owner_of`` makes it one.
        rest: What comes after the owner. It is not empty and does not start with a colon.
    """

    agent_id: str
    rest: str

    def __str__(self) -> str:
        return f"{_AGENT_PREFIX}{self.agent_id}:{self.rest}"

    @property
    def is_cron_run(self) -> bool:
        """Whether it is one run of a cron job, or below one (``cron:nightly:run:7:subagent:x``)."""
        # match, not fullmatch: what lives below a run is as ephemeral as the run.
        return _CRON_RUN.match(self.rest) is not None


class KeyShape(enum.Enum):
    """What kind of string was given as a session key."""

    MISSING = "missing"
    AGENT = "agent"
    MALFORMED_AGENT = "malformed_agent"
    LEGACY_OR_ALIAS = "legacy_or_alias"


def parse_session_key(key: str | None) -> AgentKey | None:
    """The owner and the rest of a key; ``None`` if it has no owner or is malformed.

    It takes about 0.1 us for a key that was seen before, and 2 us for a new one.
    """
    if key is None:
        return None
    # The length is asked before the cache, because the cache would keep even a hostile key alive.
    return _remembered(key) if len(key) <= REMEMBERED_KEY_LENGTH_MAX else _parse(key)


def normalize_session_key(key: str | None) -> str:
    """The form in which two keys of one session are equal: trimmed, in lower case except for opaque peer ids."""
    # ECMAScript's trim, not str.strip: the two programs must name a session alike.
    raw = es_trim(key or "")
    folded = raw.lower()
    # On the hot path most keys have no opaque part, and skip the search for it.
    if "signal:" in folded or "matrix:" in folded:
        return _fold_around(raw, _opaque_spans(raw))
    return folded


def classify_session_key(key: str | None) -> KeyShape:
    """Tell apart a key with an owner, a malformed one, one that has no owner, and none at all."""
    raw = es_trim(key or "")
    if not raw:
        return KeyShape.MISSING
    # Parsed, because a key that begins with "agent:" need not have an owner.
    if parse_session_key(raw):
        return KeyShape.AGENT
    # Told apart from keys without an owner, because the default agent must not get it.
    return KeyShape.MALFORMED_AGENT if raw.lower().startswith(_AGENT_PREFIX) else KeyShape.LEGACY_OR_ALIAS


def is_subagent(key: str | None) -> bool:
    """Whether it is a subagent's session: ``agent:<id>:subagent:...``, or the same without an owner."""
    return key_body(key).startswith("subagent:")


def key_body(key: str | None) -> str:
    """The part of a key that says what the session is: everything but the owner, in lower case."""
    parsed = parse_session_key(key)
    # The rest is trimmed again: white space after the owner ("agent:ops: subagent:x") does not count, as recorded.
    return parsed.rest.lstrip(ES_WHITESPACE) if parsed else es_trim(key or "").lower()


def last_index_of(raw: str, marker: str) -> int:
    """Where the marker is for the last time in the trimmed, lower-case form of a text; -1: nowhere.

    In ``raw`` itself that place is off by the white space before it, and by one for each U+0130, the letter that
    becomes longer in lower case. OpenClaw cuts there, and a session must have the same name in both programs.
    """
    return es_trim(raw).lower().rfind(marker)


def _parse(key: str) -> AgentKey | None:
    normalized = normalize_session_key(key)
    if not normalized.startswith(_AGENT_PREFIX):
        return None
    head, _, rest = normalized[len(_AGENT_PREFIX) :].partition(":")
    agent_id = es_trim(head)
    if not agent_id or not rest or rest[0] == ":":  # an empty part is no name: "agent::x", "agent:ops:", "agent:ops::x"
        return None
    return AgentKey(agent_id, rest)


# The cache keeps the keys alive, so both their number and their length have a limit.
_remembered = lru_cache(maxsize=PARSED_KEYS_MAX)(_parse)


def _opaque_spans(raw: str) -> list[tuple[int, int, bool]]:
    """The parts of a key that keep their case: start, end, and whether white space around them is removed."""
    # As recorded, white space around a Signal id does not count; in a Matrix id it does.
    spans = [(*match.span(1), True) for match in _SIGNAL_GROUP.finditer(raw)]
    room = _MATRIX_ROOM.match(raw)
    if room:
        start = room.end()
        at = last_index_of(raw[start:], THREAD_MARKER)
        if at == -1:
            spans.append((start, len(raw), False))
        else:
            # The marker itself does not keep its case: ":THREAD:" and ":thread:" are one session.
            spans += [(start, start + at, False), (start + at + len(THREAD_MARKER), len(raw), False)]
    # An empty span would split the folded text there, and trim both halves.
    return sorted(span for span in spans if span[0] < span[1])


def _fold_around(raw: str, spans: list[tuple[int, int, bool]]) -> str:
    pieces: list[str] = []
    cursor = 0
    for start, end, trimmed in spans:
        if start < cursor:  # a Signal group that is named inside a Matrix room: the room's span keeps it already
            continue
        pieces += [es_trim(raw[cursor:start]).lower(), es_trim(raw[start:end]) if trimmed else raw[start:end]]
        cursor = end
    pieces.append(es_trim(raw[cursor:]).lower())
    return "".join(pieces)
