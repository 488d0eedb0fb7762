"""Text from outside, made harmless: it cannot look like a system line. The idea is explained in :mod:`.event`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final


def sanitize(text: str) -> str:
    r"""Change what imitates a system line, or a marker of ours or of a model. Everything else stays as it is.

    Every kind of line end becomes ``\n``. Control characters and directional overrides are removed. Only a line with an
    imitation is changed further: it becomes plain (compatibility letters, no accents), its brackets become round, and
    ``System:`` becomes ``System (untrusted):``. To sanitize a text twice changes nothing.
    """
    # Split before deletion: some line ends are control characters, and would vanish with two lines made one.
    return "\n".join(_defused(line.translate(_DELETED)) for line in LINE_END.split(text))


# "\r\n" first, so that it ends one line and not two.
LINE_END: Final = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
"""The line ends of :meth:`str.splitlines`. Unlike there, a line end at the end of the text starts one more line."""


# The tab stays: it belongs to text, and makes no line.
_DELETED: Final = {
    code: None
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code != ord("\t")
}
"""Control characters, which a terminal obeys, and directional overrides, which make a text look like another one."""


# NFKD leaves these as they are, though a reader takes them for < and >.
_ANGLES: Final = str.maketrans("‹›«»〈〉《》⟨⟩⟪⟫❬❭❮❯˂˃", "<>" * 9)


# Round brackets open no marker, and the text stays readable.
_ROUNDED: Final = str.maketrans("[]<>", "()()")


# Mn and Me: accents, which NFKD parts from their letters. Cf: zero-width characters and the like.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Mn", "Me"})


# Possessive quantifiers (`*+`) throughout: a pattern that tries every split needs minutes for a hostile text.
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
    # Nothing imitated: the line comes back in its own letters, not in the folded ones.
    if labelled == plain and not _MARKER.search(plain):
        return line
    # All brackets of the line, because without one pair the next pair can form a marker. And label once more, because
    # with round brackets a line can have become a system line ("System <a>:").
    return unicodedata.normalize("NFC", _labelled(labelled.translate(_ROUNDED)))


def _labelled(line: str) -> str:
    return _SYSTEM_LINE.sub(r"\1System (untrusted):", line)


def _plain(line: str) -> str:
    """The line as a careless reader sees it: compatibility letters, plain brackets, no accents, nothing invisible."""
    if line.isascii():  # most lines are, and no letter in them can be folded
        return line
    folded = unicodedata.normalize("NFKD", line).translate(_ANGLES)
    return "".join(ch for ch in folded if unicodedata.category(ch) not in _INVISIBLE)
