"""Turns records into bytes and back: a kind, a version, and a canonical JSON body.

A body is JSON because it can be read with nothing but a database's own tools; canonical (sorted keys, no spaces,
fields at their default left out), so that equal records have equal bodies. A reader that meets a kind or a version
that it does not know refuses the agent, and says so; the host goes on with the others (rolling upgrades: two versions
of the program on one journal).

Rejected: pickle (it runs code), MessagePack (not readable by hand, and no faster here).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final, final

from attrs import frozen
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn

from ..errors import WakewardError
from ..jobs.record import JobRecord
from ..wakes.event import DeliveryContext, Event
from ..wakes.session_record import SessionRecord
from .port import RECORD_BYTES_MAX
from .records import AgentForgotten, AgentRecord, EventIdsUsed, EventsRemoved, JobForgotten, Record, SessionForgotten

__all__ = ["RecordError", "StoredRecord", "decode_record", "encode_record"]

# A name for each class, and not the class's own: a class that is renamed must still read what is stored.
_KINDS: Final[dict[str, tuple[type[Record], int]]] = {
    "agent": (AgentRecord, 1),
    "agent-forgotten": (AgentForgotten, 1),
    "session": (SessionRecord, 1),
    "session-forgotten": (SessionForgotten, 1),
    "event": (Event, 1),
    "events-removed": (EventsRemoved, 1),
    "event-ids-used": (EventIdsUsed, 1),
    "job": (JobRecord, 1),
    "job-forgotten": (JobForgotten, 1),
}
_KIND_OF: Final = {record_type: (kind, version) for kind, (record_type, version) in _KINDS.items()}


class RecordError(WakewardError):
    """A record cannot be stored, or what is stored cannot be read. The message says which."""


@final
@frozen
class StoredRecord:
    """A record as it is stored.

    Attributes:
        body: UTF-8, at most :data:`~wakeward.protocols.journal.port.RECORD_BYTES_MAX` bytes.
    """

    kind: str
    version: int
    body: bytes


def encode_record(record: Record) -> StoredRecord:
    """Turn a record into its stored form.

    Raises:
        RecordError: It is too large, or holds text that no engine takes (a lone surrogate).
    """
    kind, version = _KIND_OF[type(record)]
    # Not ASCII: escapes take two to three times the bytes, nobody can read them, and a lone surrogate would pass.
    text = json.dumps(_converter().unstructure(record), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        body = text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(f"a record of kind {kind!r} holds a lone surrogate at {error.start}") from error
    # Bytes and not characters, because that is what an engine bounds.
    if len(body) > RECORD_BYTES_MAX:
        raise RecordError(f"a record of kind {kind!r} has {len(body)} bytes, at most {RECORD_BYTES_MAX} are accepted")
    return StoredRecord(kind, version, body)


def decode_record(stored: StoredRecord) -> Record:
    """Turn a stored form back into its record.

    Raises:
        RecordError: It is of a kind or version that this program does not know, or its body is damaged.
    """
    known = _KINDS.get(stored.kind)
    # Older versions are read: a field that came later has a default.
    if known is None or stored.version > known[1]:
        raise RecordError(
            f"a record of kind {stored.kind!r}, version {stored.version}: this program knows "
            f"{', '.join(f'{kind} up to {version}' for kind, (_, version) in _KINDS.items())}"
        )
    try:
        return _converter().structure(json.loads(stored.body), known[0])
    except Exception as error:  # whatever is wrong with a body, the caller needs one answer
        raise RecordError(f"a record of kind {stored.kind!r} is damaged: {error!r}") from error


@cache
def _converter() -> Converter:
    converter = Converter(omit_if_default=True)
    # A thread id is a number or a text, and must stay what it was: cattrs cannot choose between the two by itself.
    converter.register_structure_hook_func(_is_thread_id, lambda value, _: value)
    converter.register_unstructure_hook(
        DeliveryContext, make_dict_unstructure_fn(DeliveryContext, converter, _cattrs_omit_if_default=True)
    )
    return converter


def _is_thread_id(kind: Any) -> bool:
    return kind == int | str | None
