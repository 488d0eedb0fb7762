"""The string rules of ECMAScript that OpenClaw's recorded behaviour follows.

Lengths count UTF-16 code units. "Trim" removes exactly the white space and line terminators of ECMAScript (ECMA-262,
12.2 and 12.3); :meth:`str.strip` removes another set.
"""

from __future__ import annotations

from typing import Final

ES_WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""Every code point that ``String.prototype.trim`` removes."""


def es_trim(text: str) -> str:
    """``String.prototype.trim``."""
    # str.strip() without a set would also remove U+0085 and U+001C, and leave U+FEFF.
    return text.strip(ES_WHITESPACE)


def utf16_len(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    # isascii looks at a flag of the string, and most texts are.
    return len(text) if text.isascii() else sum(2 if ch > "\uffff" else 1 for ch in text)


def utf16_head(text: str, units_max: int) -> str:
    """The longest prefix of at most ``units_max`` UTF-16 code units; no character is cut in half."""
    head = text[:units_max]  # no character has less than one unit, so the rest cannot fit: bounds the work
    if head.isascii():
        return head
    units = 0
    for index, ch in enumerate(head):
        units += 2 if ch > "\uffff" else 1
        if units > units_max:
            return head[:index]
    return head


def utf16_tail(text: str, units_max: int) -> str:
    """The longest suffix of at most ``units_max`` UTF-16 code units; no character is cut in half."""
    start = max(len(text) - units_max, 0)  # before the text is reversed: an output can be long
    return utf16_head(text[start:][::-1], units_max)[::-1]


def collation_key(text: str) -> tuple[list[tuple[int, str]], str]:
    """A sort key close to ``String.prototype.localeCompare``: punctuation, digits, letters; case decides last."""
    # swapcase: of two texts that differ in case only, lower case comes first.
    return [((ch.isdigit() + 2 * ch.isalpha()), ch.casefold()) for ch in text], text.swapcase()
