"""Keys of a terminal as bytes: ``enter``, ``C-c``, ``up``, ``M-x``, ``S-tab``, ``^D``, in the notation of tmux and
OpenClaw.

The sequences are those of xterm (ctlseqs): a modified cursor or editing key carries ``1 + shift + 2 alt + 4 control``.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from ..errors import InvalidInputError

_ESC: Final = "\x1b"
_PLAIN: Final = {
    "enter": "\r",
    "return": "\r",
    "tab": "\t",
    "escape": _ESC,
    "esc": _ESC,
    "space": " ",
    "bspace": "\x7f",
    "backspace": "\x7f",
    "btab": f"{_ESC}[Z",
    # F1 to F4 come from the VT100's keypad (SS3); from F5 on a number, with gaps, as xterm has it.
    **{f"f{number}": f"{_ESC}O{final}" for number, final in zip(range(1, 5), "PQRS", strict=True)},
    **{
        f"f{number}": f"{_ESC}[{code}~"
        for number, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)
    },
}
_CURSOR: Final = {"up": "A", "down": "B", "right": "C", "left": "D"}
_EDITING: Final = {
    "home": 1,
    "insert": 2,
    "ic": 2,
    "delete": 3,
    "del": 3,
    "dc": 3,
    "end": 4,
    "pageup": 5,
    "pgup": 5,
    "ppage": 5,
    "pagedown": 6,
    "pgdn": 6,
    "npage": 6,
}
_MODIFIERS: Final = "cms"


@frozen
class _Modifiers:
    control: bool
    alt: bool
    shift: bool

    @property
    def parameter(self) -> int:
        # One more than the sum of the bits, as xterm counts; 1 is a key without modifiers, and is left out.
        return 1 + self.shift + 2 * self.alt + 4 * self.control


def encode_keys(keys: list[str] | tuple[str, ...]) -> bytes:
    """The bytes that a terminal sends for these keys, one after the other.

    Raises:
        InvalidInputError: There is no key of that name. Then no key is encoded.
    """
    return "".join(_encode(key) for key in keys).encode()


def encode_paste(text: str) -> bytes:
    """A text as a terminal sends it when it is pasted: in brackets, so that it is not taken for typing."""
    return f"{_ESC}[200~{text}{_ESC}[201~".encode()


def _encode(key: str) -> str:
    # Two characters only: "^" alone is the key itself.
    if len(key) == 2 and key[0] == "^":
        return _control(key, key[1])
    modifiers, base = _parse(key)
    name = base.lower()
    # A terminal has no modified tab: shift and tab is a key of its own, CSI Z.
    if name == "tab" and modifiers.shift:
        name = "btab"
    if name in _CURSOR:
        return _cursor(_CURSOR[name], modifiers)
    if name in _EDITING:
        return _editing(_EDITING[name], modifiers)
    if name in _PLAIN:
        return (_ESC if modifiers.alt else "") + _PLAIN[name]
    if len(base) != 1:
        raise InvalidInputError(
            f"key {key!r}: expected one character or a name such as 'enter', 'up', 'f1', with C-, M-, S- before it"
        )
    # A modifier of a letter is not encoded in a number: shift is upper case, alt is ESC before it.
    char = base.upper() if modifiers.shift else base
    return (_ESC if modifiers.alt else "") + (_control(key, char) if modifiers.control else char)


def _parse(key: str) -> tuple[_Modifiers, str]:
    found: set[str] = set()
    # More than two: in "C--" the last "-" is the key.
    while len(key) > 2 and key[1] == "-" and key[0].lower() in _MODIFIERS:
        found.add(key[0].lower())
        key = key[2:]
    return _Modifiers(control="c" in found, alt="m" in found, shift="s" in found), key


def _cursor(final: str, modifiers: _Modifiers) -> str:
    return f"{_ESC}[{final}" if modifiers.parameter == 1 else f"{_ESC}[1;{modifiers.parameter}{final}"


def _editing(code: int, modifiers: _Modifiers) -> str:
    return f"{_ESC}[{code}~" if modifiers.parameter == 1 else f"{_ESC}[{code};{modifiers.parameter}~"


def _control(key: str, char: str) -> str:
    # DEL, by convention: it is no clearing of bits.
    if char == "?":
        return "\x7f"
    code = ord(char.upper())
    if not 64 <= code <= 95:
        raise InvalidInputError(f"key {key!r}: there is no control character of {char!r}, expected @ to _, or ?")
    return chr(code & 31)  # a terminal makes a control character by clearing the upper bits: C-c is 3
