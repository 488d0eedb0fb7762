r"""Makes terminal output readable: control sequences are removed, and other control characters are made visible.

The parser follows Paul Williams' state machine of DEC terminals. It recognises only what has to be removed: CSI
sequences, the string sequences (OSC, DCS, SOS, PM, APC) with their terminator, and two-character escapes with their
intermediates. It has no buffer: a sequence that spans two pieces costs one state. So a hostile stream that never ends
its sequence makes nothing grow. OpenClaw (``sanitizeBinaryOutput``) then removes format characters (bidi overrides,
zero-width characters: they hide text from the reader) and shows the other controls as ``\x1b``; so do we.
"""

from __future__ import annotations

import enum
import re
from typing import Final, final

# ESC, and the one-byte forms (C1) of DCS, SOS, CSI, OSC, PM and APC, which a terminal obeys as well.
_INTRODUCER: Final = re.compile("[\x1b\x90\x98\x9b\x9d\x9e\x9f]")
# BEL ends an OSC in xterm, CAN and SUB cancel, ESC may begin ST, 0x9c is ST in one byte.
_STRING_END: Final = re.compile("[\x07\x18\x1a\x1b\x9c]")
_STRING_OPENERS: Final = frozenset("]PX^_")

_FORMAT: Final = re.compile(
    "[\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\ud800-\udfff]"
)
"""Unicode 15 general categories Cf and Cs."""

# All but tab, line feed and carriage return, which belong to text.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class _State(enum.Enum):
    TEXT = enum.auto()
    ESCAPE = enum.auto()
    CSI = enum.auto()
    STRING = enum.auto()
    STRING_ESCAPE = enum.auto()


@final
class TerminalSanitizer:
    """The sanitiser of one stream. It is fed with text as it comes, and returns what a reader may see."""

    def __init__(self) -> None:
        self._state = _State.TEXT

    def feed(self, text: str) -> str:
        """The readable part of ``text``. A sequence that is not finished is dropped, now and later."""
        # Most output has no sequence: then one search over it is all the work.
        if self._state is not _State.TEXT or _INTRODUCER.search(text):
            text = self._strip(text)
        return show_controls(text)

    def _strip(self, text: str) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            match self._state:
                case _State.TEXT:
                    at = self._plain(text, at, out)
                case _State.ESCAPE:
                    at = self._escape(text, at)
                case _State.CSI:
                    at = self._csi(text, at, out)
                case _State.STRING:
                    at = self._string(text, at)
                case _State.STRING_ESCAPE:
                    at = self._string_escape(text, at)
        return "".join(out)

    def _plain(self, text: str, at: int, out: list[str]) -> int:
        found = _INTRODUCER.search(text, at)
        if found is None:
            out.append(text[at:])
            return len(text)
        out.append(text[at : found.start()])
        self._begin(found.group())
        return found.end()

    def _begin(self, introducer: str) -> None:
        if introducer == "\x1b":
            self._state = _State.ESCAPE
        else:
            self._state = _State.CSI if introducer == "\x9b" else _State.STRING

    def _escape(self, text: str, at: int) -> int:
        char = text[at]
        # A new ESC starts the sequence over. Space to "/" are intermediates: the final character is still to come.
        if char == "\x1b" or " " <= char <= "/":
            return at + 1
        if char == "[":
            self._state = _State.CSI
        else:
            self._state = _State.STRING if char in _STRING_OPENERS else _State.TEXT
        # A character that cannot end an escape is text, and is looked at again as such.
        return at + 1 if "0" <= char <= "~" else at

    def _csi(self, text: str, at: int, out: list[str]) -> int:
        char = text[at]
        # A sequence within a sequence: terminals give the old one up and begin the new one.
        if _INTRODUCER.match(char):
            self._begin(char)
            return at + 1
        # CAN and SUB cancel a sequence.
        if char in {"\x18", "\x1a"} or "@" <= char <= "~":
            self._state = _State.TEXT
            return at + 1
        if char < " " or char == "\x7f":
            out.append(char)  # a C0 control inside a sequence is carried out at once, and does not end it
            return at + 1
        # No byte of a sequence lies above "~": it is given up, and the character is text.
        if char > "~":
            self._state = _State.TEXT
            return at
        return at + 1

    def _string(self, text: str, at: int) -> int:
        found = _STRING_END.search(text, at)
        if found is None:
            return len(text)
        self._state = _State.STRING_ESCAPE if found.group() == "\x1b" else _State.TEXT
        return found.end()

    def _string_escape(self, text: str, at: int) -> int:
        if text[at] == "\\":
            self._state = _State.TEXT
            return at + 1
        self._state = _State.ESCAPE  # any other escape ends the string and starts a sequence
        return at


def show_controls(text: str) -> str:
    r"""Remove format characters, and show control characters as ``\xNN``, except tabs and line ends."""
    # No format character is ASCII, and most output is.
    if not text.isascii():
        text = _FORMAT.sub("", text)
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
