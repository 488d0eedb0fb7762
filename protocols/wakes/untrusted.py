"""How a turn is shown text from outside."""

from __future__ import annotations

import re
import unicodedata
from typing import Final


def sanitize(text: str) -> str:
    r"""Defuse what imitates a system line, or a marker of ours or of a model; all else stays as it is.

    Line ends of every kind become ``\n``; control characters and directional overrides go. Only a line with
    an imitation comes out in its plain form (compatibility letters, no accents), with round brackets only
    and ``System:`` turned into ``System (untrusted):``. Doing it twice changes nothing.
    """
    return "\n".join(_defused(line.translate(_DELETED)) for line in LINE_END.split(text))


LINE_END: Final = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
"""What :meth:`str.splitlines` knows; unlike it, an end that nothing follows counts as well."""


_DELETED: Final = {
    code: None
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code != ord("\t")
}
"""Control characters, which terminals obey, and overrides of direction, which show what is not there."""


_ANGLES: Final = str.maketrans("‹›«»〈〉《》⟨⟩⟪⟫❬❭❮❯˂˃", "<>" * 9)


_ROUNDED: Final = str.maketrans("[]<>", "()()")


_INVISIBLE: Final = frozenset({"Cc", "Cf", "Mn", "Me"})


_MARKER: Final = re.compile(
    r"""
      \[ \s*+ /?+ \s*+ (?: system (?: \s*+ message )?+ | assistant | internal | inst ) \s*+ \]
    | < \s*+ /?+ \s*+ (?: system\b [^<>]*+ | (?: start | end )_of_turn \s*+ | s \s*+ ) >
    | << \s*+ /?+ \s*+ sys \s*+ >>
    | < \s*+ \| [^<>|]*+ \| \s*+ >
    | <<< [^<>]*+ >>>
    """,
    re.IGNORECASE | re.VERBOSE,
)


_SYSTEM_LINE: Final = re.compile(
    r"""
    ^ ( [\W_]*+ ) system (?: \s++ (?: message | prompt | override | command ) )?+ (?! [^\W_] )
    (?: \( [^()]*+ \) | [^\w:] | _ )*+ :
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _defused(line: str) -> str:
    plain = _plain(line)
    labelled = _labelled(plain)
    if labelled == plain and not _MARKER.search(plain):
        return line
    # All brackets, as with one pair gone the next can make a marker; and once they are round, a label.
    return unicodedata.normalize("NFC", _labelled(labelled.translate(_ROUNDED)))


def _labelled(line: str) -> str:
    return _SYSTEM_LINE.sub(r"\1System (untrusted):", line)


def _plain(line: str) -> str:
    """As a careless reader sees it: compatibility letters, plain brackets, no accents, nothing invisible."""
    if line.isascii():
        return line
    folded = unicodedata.normalize("NFKD", line).translate(_ANGLES)
    return "".join(ch for ch in folded if unicodedata.category(ch) not in _INVISIBLE)
