"""What kind of text an event is, told by the text alone: the end of a command, an empty acknowledgement,
anything else.

Nobody in this house decides by text; a notice carries its source. But events also arrive from peers that
know nothing else, and a turn's prompt is worded by what it shows. Three kinds, in this order:

- *Exec completions.* Either ours (``Exec completed (<id>, code 0) :: <output>``, see :mod:`.exec_notice`),
  which is read back into its parts, or the free form of remote nodes (``Exec finished (node=n1 id=r1, code
  0)``).
- *Noise.* An agent's way of saying that it has nothing to say: ``HEARTBEAT_OK``, or a silent reply
  (``NO_REPLY``, bare, as JSON, or at the end of thoughts that come to nothing).
- *Cron events.* Everything else that is not blank.

The patterns are written for hostile input: each is anchored or runs over its text once, so that the time
taken grows with the length of the text and no faster. Case-insensitive means the letters of ASCII.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final, final

from attrs import frozen

from ..values.ecmascript import ES_WHITESPACE, es_trim, utf16_len

SILENT_REPLY: Final = "NO_REPLY"
HEARTBEAT_ACK: Final = "HEARTBEAT_OK"


@final
@frozen
class ExecCompletion:
    """The parts of a completion text, each spelled as it was found.

    Attributes:
        action: ``completed`` or ``failed``.
        id: The first characters of the job's id.
        result: ``code 0``, ``signal SIGKILL``.
        output: What is shown of the output; empty if nothing is.
    """

    action: str
    id: str
    result: str
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether the command ended by itself with exit code 0."""
        return self.action.lower() == "completed" and self.result.lower() == "code 0"


def parse_exec_completion(text: str) -> ExecCompletion | None:
    """Read a completion text of our own form; ``None`` when it is not one."""
    match = _COMPLETION.fullmatch(es_trim(text))
    if match is None:
        return None
    action, job_id, result, output = match.groups(default="")
    return ExecCompletion(action, job_id, result, es_trim(output))


def is_exec_completion(text: str) -> bool:
    """Whether a text tells of a command that has ended, in our form or in that of remote nodes."""
    start = text.lstrip(ES_WHITESPACE)
    # The end is not trimmed here: "(a, code 0) :: " is still our form, with nothing after the separator.
    return _NODE_COMPLETION.match(start) is not None or _COMPLETION.fullmatch(start) is not None


def is_relayable_completion(text: str) -> bool:
    """Whether a completion says something worth telling a person: it has output, or it did not succeed."""
    parsed = parse_exec_completion(text)
    if parsed is None:
        return is_exec_completion(text)
    return bool(parsed.output) or not parsed.succeeded


def is_cron_event(text: str) -> bool:
    """Whether a text is none of the other kinds, and not blank."""
    return bool(es_trim(text)) and not is_noise(text) and not is_exec_completion(text)


def is_noise(text: str) -> bool:
    """Whether a text only says that there is nothing to say, or is the prompt of a heartbeat."""
    trimmed = es_trim(text)
    lower = trimmed.lower()
    if not trimmed:
        return False
    return (
        _says_nothing(trimmed)
        or _only_acknowledges(trimmed)
        or _ACK_START.match(lower) is not None
        or "heartbeat poll" in lower
        or "heartbeat wake" in lower
    )


# Silent replies. A model is told to answer NO_REPLY when nobody needs an answer, and does so in many ways.


def _says_nothing(trimmed: str) -> bool:
    if SILENT_REPLY not in trimmed.upper():
        return False
    return _is_silent(trimmed) or _is_silent_json(trimmed) or _is_silent_after_thoughts(trimmed)


def _is_silent(text: str) -> bool:
    """Nothing but the token, perhaps more than once, perhaps in punctuation."""
    return any(_SILENT.fullmatch(said) for said in (text, _without_edge_punctuation(es_trim(text))))


def _without_edge_punctuation(text: str) -> str:
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]).startswith("P"):
        start += 1
    while start < end and unicodedata.category(text[end - 1]).startswith("P"):
        end -= 1
    return text[start:end]


def _is_silent_json(trimmed: str) -> bool:
    """``"NO_REPLY"`` or ``{"action": "NO_REPLY"}``."""
    if SILENT_REPLY not in trimmed or trimmed[0] + trimmed[-1] not in {'""', "{}"}:
        return False
    try:
        parsed: Any = json.loads(trimmed)
    except (ValueError, RecursionError):  # no JSON, or nested too deep to be what we look for
        return False
    match parsed:
        case str() as said:
            pass
        case {"action": str() as said, **others} if not others:
            pass
        case _:
            return False
    return es_trim(said) == SILENT_REPLY


def _is_silent_after_thoughts(trimmed: str) -> bool:
    """Thoughts in tags, or under a heading, that end in the token without an answer before it."""
    start = _end_of_thoughts(trimmed)
    if start:
        answer = trimmed[start:]
        return _is_silent(answer) or _has_only_intent(_before_final_token(answer))
    opening = _OPENING_TAG.match(trimmed) or _HEADING.match(trimmed)
    if opening is None:
        return False
    thoughts = trimmed[opening.end() :]
    return _is_silent(thoughts) or _has_no_answer(_before_final_token(thoughts))


def _end_of_thoughts(text: str) -> int:
    end = 0
    while block := _THOUGHTS.match(text, end):
        end = block.end()
    return end


def _before_final_token(text: str) -> str | None:
    token = _FINAL_TOKEN.search(text)
    return None if token is None else es_trim(text[: token.start()])


def _has_only_intent(said: str | None) -> bool:
    """Nothing, or the mere intent to stay silent, stands before a final token."""
    return said is not None and (not said or _INTENT.fullmatch(said) is not None)


def _has_no_answer(said: str | None) -> bool:
    """As :func:`_has_only_intent`, but thoughts that answer nobody may come first."""
    if said is None or _has_only_intent(said):
        return said is not None
    *thoughts, last = [line for raw in said.split("\n") if (line := es_trim(raw))]
    ends_silent = _INTENT.fullmatch(last) is not None
    return (ends_silent and bool(thoughts) and not _ANSWER.search("\n".join(thoughts))) or (
        _PLACEHOLDER.fullmatch(said) is not None
    )


# Acknowledgements of a heartbeat: the token, perhaps more than once, perhaps in markup, and nothing beside it.


def _only_acknowledges(trimmed: str) -> bool:
    if HEARTBEAT_ACK not in trimmed:
        return False
    if _ACKS.fullmatch(trimmed):
        return True
    said_beside_it = trimmed.startswith(HEARTBEAT_ACK) or _ends_in_ack(trimmed)
    return not said_beside_it and _ACKS.fullmatch(es_trim(_without_markup(trimmed))) is not None


def _ends_in_ack(trimmed: str) -> bool:
    after = trimmed.rpartition(HEARTBEAT_ACK)[2]
    return utf16_len(after) <= _ACK_TAIL_UNITS_MAX and not _WORD.search(after)


def _without_markup(text: str) -> str:
    end = text.rfind(">") + 1  # no tag closes beyond; to find that out anew at each "<" would be quadratic
    plain = _TAG.sub(" ", text[:end]) + text[end:]
    return _NBSP.sub(" ", plain).strip("*`~_")


_ACK_TAIL_UNITS_MAX: Final = 4
"""How much punctuation may follow the token, in UTF-16 code units."""

_S: Final = f"[{ES_WHITESPACE}]"
_ASCII_CASE: Final = re.ASCII | re.IGNORECASE


def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which ``~`` stands for one white space character."""
    return re.compile(pattern.replace("~", _S), _ASCII_CASE)


_COMPLETION: Final = _pattern(
    r"exec (completed|failed) \(([a-z0-9_-]{1,64}), (code -?[0-9]+|signal [^)]+)\)(?: :: ((?s:.*)))?"
)
_NODE_COMPLETION: Final = _pattern(r"exec finished(?::|~*\()")
_ACK_START: Final = _pattern(r"heartbeat_ok(?![a-z0-9_])")
_ACKS: Final = re.compile(rf"(?:{HEARTBEAT_ACK}{_S}*)+")
_WORD: Final = _pattern(r"[a-z0-9_]")
_TAG: Final = _pattern(r"<[^>]*>")
_NBSP: Final = _pattern(r"&nbsp;")

_SILENT: Final = _pattern(r"~*NO_REPLY(?:~+NO_REPLY)*~*")
_FINAL_TOKEN: Final = _pattern(r"(?:\A|~|[*.])NO_REPLY~*\Z")

_TAG_NAME: Final = r"(?:(?:antml:|mm:)?(?:think(?:ing)?|thought)|antthinking)"
_OPENING_TAG: Final = _pattern(rf"~*<~*{_TAG_NAME}\b[^<>]*>")
_THOUGHTS: Final = _pattern(rf"~*<~*{_TAG_NAME}\b[^<>]*>(?s:.*?)<~*/~*{_TAG_NAME}~*>~*")
_HEADING: Final = _pattern(r"~*(?:think(?:ing)?|thought|analysis|reasoning)(?:~*+:)?~*\n")
_PLACEHOLDER: Final = _pattern(r"(?:(?:internal|private)~+)?(?:reasoning|thinking|thoughts?|analysis)(?:~+notes?)?")

_WHO: Final = r"(?:i|i'll|i~+will|i'm|i~+am|we|we'll|we~+will|the~+assistant|assistant|the~+bot|bot|openclaw)"
_WHERE: Final = r"(?:~+(?:here|for~+now|on~+this|in~+this~+(?:chat|thread|channel|conversation)))?"
_STAY_SILENT: Final = rf"(?:will~+)?(?:stay|remain|keep|be)~+(?:quiet|silent){_WHERE}"
_NOT_REPLY: Final = r"(?:do~+not|don't|dont|will~+not|won't|would~+not|should~+not)~+(?:reply|respond)" + _WHERE
_NOTHING_TO_SAY: Final = r"(?:have|has)~+nothing~+(?:to|for)~+(?:say|add|reply|respond)"
_INTENT: Final = _pattern(rf"{_WHO}~+(?:{_STAY_SILENT}|{_NOT_REPLY}|{_NOTHING_TO_SAY})(?:[.!?]+)?~*")
_ANSWER: Final = _pattern(
    r"\b(?:answer|here(?:'s|~+is)|tell~+them|you~+(?:should|can|could|need|must)|please|try|use|send|service~+is"
    r"|resolved|retry|yes|no,|sure)\b"
)
