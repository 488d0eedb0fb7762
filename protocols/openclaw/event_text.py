"""What kind of text an event is, told by the text alone: the end of a command, noise, or anything else.

Why it is recorded and not ours: in this project nothing is decided by text; a notice carries its source. OpenClaw
sorts the events of a queue by their text, and events also come from peers that send nothing else. A gateway for such
peers needs these rules, and the recorded rows check them. There are three kinds, tried in this order:

- *Exec completions.* Either our form (``Exec completed (<id>, code 0) :: <output>``,
  :mod:`~wakeward.protocols.jobs.completion`), or the free form of remote nodes (``Exec finished (node=n1 id=r1,
  code 0)``).
- *Noise.* The ways in which an agent says that it has nothing to say: ``HEARTBEAT_OK``, or a silent reply
  (``NO_REPLY`` alone, as JSON, or at the end of thoughts without an answer).
- *Cron events.* Every other text that is not blank.

The patterns are written for hostile input: each is anchored or runs over its text once, so the time grows with the
length of the text and no faster. Case-insensitive means the letters of ASCII.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final

from ..jobs.completion import COMPLETION, parse_exec_completion
from ..values.ecmascript import ES_WHITESPACE, es_trim, utf16_len

SILENT_REPLY: Final = "NO_REPLY"
HEARTBEAT_ACK: Final = "HEARTBEAT_OK"


def is_exec_completion(text: str) -> bool:
    """Whether a text reports that a command has ended, in our form or in that of remote nodes."""
    start = text.lstrip(ES_WHITESPACE)
    # The end is not trimmed here: "(a, code 0) :: " is still our form, with nothing after the separator.
    return _NODE_COMPLETION.match(start) is not None or COMPLETION.fullmatch(start) is not None


def is_relayable_completion(text: str) -> bool:
    """Whether a completion is worth telling a person: it has output, or it did not succeed."""
    # The form of the nodes is free, so its output and code cannot be read: it is always worth telling.
    parsed = parse_exec_completion(text)
    if parsed is None:
        return is_exec_completion(text)
    return bool(parsed.output) or not parsed.succeeded


def is_cron_event(text: str) -> bool:
    """Whether a text is of none of the other kinds, and not blank."""
    return bool(es_trim(text)) and not is_noise(text) and not is_exec_completion(text)


def is_noise(text: str) -> bool:
    """Whether a text says only that there is nothing to say, or is the prompt of a heartbeat."""
    trimmed = es_trim(text)
    # As recorded, full Unicode lower case here, though the patterns compare ASCII only.
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


# Silent replies. A model is told to answer NO_REPLY when no answer is needed, and it does so in many ways.


def _says_nothing(trimmed: str) -> bool:
    if SILENT_REPLY not in trimmed.upper():  # the cheap question first: most texts do not contain the token
        return False
    return _is_silent(trimmed) or _is_silent_json(trimmed) or _is_silent_after_thoughts(trimmed)


def _is_silent(text: str) -> bool:
    """Nothing but the token, once or several times, perhaps inside punctuation."""
    return any(_SILENT.fullmatch(said) for said in (text, _without_edge_punctuation(es_trim(text))))


def _without_edge_punctuation(text: str) -> str:
    # Not str.strip: it wants the set of characters, and Unicode has hundreds of punctuation marks.
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]).startswith("P"):
        start += 1
    while start < end and unicodedata.category(text[end - 1]).startswith("P"):
        end -= 1
    return text[start:end]


def _is_silent_json(trimmed: str) -> bool:
    """``"NO_REPLY"`` or ``{"action": "NO_REPLY"}``."""
    # Parsing is the costly step, so the ends of the text are looked at before it.
    if SILENT_REPLY not in trimmed or trimmed[0] + trimmed[-1] not in {'""', "{}"}:
        return False
    try:
        parsed: Any = json.loads(trimmed)
    except (ValueError, RecursionError):  # not JSON, or nested too deeply to be what we look for
        return False
    match parsed:
        case str() as said:
            pass
        case {"action": str() as said, **others} if not others:  # a mapping pattern alone accepts further keys
            pass
        case _:
            return False
    return es_trim(said) == SILENT_REPLY


def _is_silent_after_thoughts(trimmed: str) -> bool:
    """Thoughts in tags or under a heading that end in the token, with no answer before it."""
    start = _end_of_thoughts(trimmed)
    if start:  # the thoughts have an end, so what follows is the answer
        answer = trimmed[start:]
        return _is_silent(answer) or _has_only_intent(_before_final_token(answer))
    # Thoughts without an end: the model stopped within them, so the token at their end is all the answer there is.
    opening = _OPENING_TAG.match(trimmed) or _HEADING.match(trimmed)
    if opening is None:
        return False
    thoughts = trimmed[opening.end() :]
    return _is_silent(thoughts) or _has_no_answer(_before_final_token(thoughts))


def _end_of_thoughts(text: str) -> int:
    end = 0
    # match at the end of the last block, and never search: so each character is read once.
    while block := _THOUGHTS.match(text, end):
        end = block.end()
    return end


def _before_final_token(text: str) -> str | None:
    token = _FINAL_TOKEN.search(text)
    return None if token is None else es_trim(text[: token.start()])


def _has_only_intent(said: str | None) -> bool:
    """Before the final token there is nothing, or only the intent to stay silent."""
    return said is not None and (not said or _INTENT.fullmatch(said) is not None)


def _has_no_answer(said: str | None) -> bool:
    """Like :func:`_has_only_intent`, but thoughts that contain no answer may come first."""
    if said is None or _has_only_intent(said):
        return said is not None
    # There is a last line: a blank text has only intent, and was answered above.
    *thoughts, last = [line for raw in said.split("\n") if (line := es_trim(raw))]
    ends_silent = _INTENT.fullmatch(last) is not None
    return (ends_silent and bool(thoughts) and not _ANSWER.search("\n".join(thoughts))) or (
        _PLACEHOLDER.fullmatch(said) is not None
    )


# Acknowledgements of a heartbeat: the token, once or several times, perhaps in markup, and nothing else.


def _only_acknowledges(trimmed: str) -> bool:
    if HEARTBEAT_ACK not in trimmed:
        return False
    if _ACKS.fullmatch(trimmed):
        return True
    # As recorded: markup is removed only if the token is neither at the start nor at the end of the text.
    has_text_beside = trimmed.startswith(HEARTBEAT_ACK) or _ends_in_ack(trimmed)
    return not has_text_beside and _ACKS.fullmatch(es_trim(_without_markup(trimmed))) is not None


def _ends_in_ack(trimmed: str) -> bool:
    after = trimmed.rpartition(HEARTBEAT_ACK)[2]
    # As recorded: up to four marks after the token ("HEARTBEAT_OK!!") still leave it at the end of the text.
    return utf16_len(after) <= _ACK_TAIL_UNITS_MAX and not _WORD.search(after)


def _without_markup(text: str) -> str:
    end = text.rfind(">") + 1  # no tag closes after it; looking for the end again at each "<" would be quadratic
    plain = _TAG.sub(" ", text[:end]) + text[end:]
    return _NBSP.sub(" ", plain).strip("*`~_")


_ACK_TAIL_UNITS_MAX: Final = 4
"""How much punctuation may follow the token, in UTF-16 code units."""

_S: Final = f"[{ES_WHITESPACE}]"
_ASCII_CASE: Final = re.ASCII | re.IGNORECASE


def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which ``~`` stands for one white space character."""
    return re.compile(pattern.replace("~", _S), _ASCII_CASE)


_NODE_COMPLETION: Final = _pattern(r"exec finished(?::|~*\()")
_ACK_START: Final = _pattern(r"heartbeat_ok(?![a-z0-9_])")
# Here case counts, as recorded; only _ACK_START compares without it.
_ACKS: Final = re.compile(rf"(?:{HEARTBEAT_ACK}{_S}*)+")
_WORD: Final = _pattern(r"[a-z0-9_]")
_TAG: Final = _pattern(r"<[^>]*>")
_NBSP: Final = _pattern(r"&nbsp;")

_SILENT: Final = _pattern(r"~*NO_REPLY(?:~+NO_REPLY)*~*")
_FINAL_TOKEN: Final = _pattern(r"(?:\A|~|[*.])NO_REPLY~*\Z")

_TAG_NAME: Final = r"(?:(?:antml:|mm:)?(?:think(?:ing)?|thought)|antthinking)"
_OPENING_TAG: Final = _pattern(rf"~*<~*{_TAG_NAME}\b[^<>]*>")
# For match only: a lazy .*? then costs one pass over the text. With search it would cost one per opening tag.
_THOUGHTS: Final = _pattern(rf"~*<~*{_TAG_NAME}\b[^<>]*>(?s:.*?)<~*/~*{_TAG_NAME}~*>~*")
# *+ keeps what it has matched, so white space before a missing ":" is not read again and again.
_HEADING: Final = _pattern(r"~*(?:think(?:ing)?|thought|analysis|reasoning)(?:~*+:)?~*\n")
_PLACEHOLDER: Final = _pattern(r"(?:(?:internal|private)~+)?(?:reasoning|thinking|thoughts?|analysis)(?:~+notes?)?")

# The sentences in which models announce that they stay silent, as OpenClaw lists them; not a rule of ours.
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
