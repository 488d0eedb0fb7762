"""Durations as people write them (``"30m"``, ``"1h30m"``, ``90``, a timedelta), in ``int`` milliseconds.

A duration is converted once, where a person's value enters the program; from then on it is :class:`Milliseconds`.

The grammar of the text form, its rounding and its bounds were recorded from OpenClaw: one number with or without a
unit, or several numbers that each have one, with nothing between them. Fractions are binary floating point, halves
round up, and the result is an integer that a double can hold exactly.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final, Literal

from ..errors import InvalidInputError
from .ecmascript import es_trim

Unit = Literal["ms", "s", "m", "h", "d"]

Duration = str | int | float | timedelta
"""The forms in which a person may give a duration."""

DURATION_MS_MAX: Final = 2**53 - 1
"""The longest duration, about 285,000 years: the largest integer that every reader of JSON reads exactly."""

DURATION_PART_LENGTH_MAX: Final = 100
"""The most characters that one number with its unit may have."""

# Largest first: format_duration goes through them in this order.
_UNIT_MS: Final[dict[str, int]] = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
# Not \d, which matches digits of every script. And "ms" before "m": the first alternative that fits is taken.
_PART: Final = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_ONE: Final = re.compile(_PART + "?")
_SEVERAL: Final = re.compile(f"(?:{_PART})+")
_EACH: Final = re.compile(_PART)
_ACCEPTED: Final = "500ms, 30s, 5m, 2h, 1d or 1h30m"


class Milliseconds(int):
    """A duration that has been converted. Converting it again returns it unchanged.

    So a configured value can be handed on as it is, and a value with duration fields can be copied with
    :func:`attrs.evolve`: a plain number would be taken for seconds.
    """

    __slots__ = ()


def duration_ms(value: Duration, *, default_unit: Unit = "s") -> Milliseconds:
    """Convert a duration in any form that a person may give.

    Args:
        value: Text, a number, or a timedelta.
        default_unit: The unit of a number without one, also if the number is written as text.

    Raises:
        InvalidInputError: It is no duration, negative, not finite, or above :data:`DURATION_MS_MAX`.
    """
    match value:
        case Milliseconds():  # before int: it is one, and would be read as seconds
            return value
        case str():
            return Milliseconds(parse_duration_ms(value, default_unit))
        case timedelta():
            # Compared as timedeltas: a float of the largest one is not exact.
            if timedelta(0) <= value <= timedelta(milliseconds=DURATION_MS_MAX):
                return Milliseconds((value + timedelta(microseconds=500)) // timedelta(milliseconds=1))
        case int() | float() if not isinstance(value, bool):
            exact = value * _UNIT_MS[default_unit]  # NaN and infinity fail the comparison below
            if 0 <= exact <= DURATION_MS_MAX:
                return Milliseconds(_round_half_up(exact))
        case _:
            pass
    accepted = f"text such as {_ACCEPTED}, a number ({default_unit}) or a timedelta, not negative"
    raise InvalidInputError(f"invalid duration {value!r}: use {accepted}")


def parse_duration_ms(raw: str, default_unit: Unit = "ms") -> int:
    """Convert a duration in text form, exactly as OpenClaw reads it.

    Args:
        raw: For example ``"30m"``, ``" 1H30M "``, ``"0.5h"``. White space is ignored at both ends, and nowhere else.
        default_unit: The unit of a single number without one.

    Raises:
        InvalidInputError: It does not have that form, or is out of bounds.
    """
    text = es_trim(raw).lower()
    if one := _ONE.fullmatch(text):
        parts = [(one[1], one[2] or default_unit)]
    elif _SEVERAL.fullmatch(text):
        parts = _EACH.findall(text)
    else:
        raise InvalidInputError(f"invalid duration {raw!r}: use {_ACCEPTED}")
    # A bound on each part, as recorded, so that a long row of digits is refused and not worked on.
    if any(len(number) + len(unit) > DURATION_PART_LENGTH_MAX for number, unit in parts):
        raise InvalidInputError(f"invalid duration {raw!r}: a number has at most {DURATION_PART_LENGTH_MAX} characters")
    total_ms = 0.0
    for number, unit in parts:  # not sum(): from Python 3.12 on it rounds more exactly than OpenClaw does
        total_ms += float(number) * _UNIT_MS[unit]
    # Compared before rounding: above this bound a double cannot tell whole numbers apart.
    if total_ms > DURATION_MS_MAX:
        raise InvalidInputError(f"invalid duration {raw!r}: at most {DURATION_MS_MAX} ms")
    return _round_half_up(total_ms)


def format_duration(ms: int) -> str:
    """A duration for people: ``"1h30m"``, ``"250ms"``, ``"0s"``. :func:`parse_duration_ms` reads it back.

    Raises:
        InvalidInputError: ``ms`` is negative.
    """
    if ms < 0:
        raise InvalidInputError(f"a duration cannot be negative, got {ms!r} ms")
    shown: list[str] = []
    # Whole units only, so that reading it back gives exactly the same number.
    for unit, unit_ms in _UNIT_MS.items():
        count, ms = divmod(ms, unit_ms)
        if count:
            shown.append(f"{count}{unit}")
    return "".join(shown) or "0s"


def _round_half_up(value: float) -> int:
    """``Math.round``: halves towards positive infinity. Adding 0.5 and cutting is wrong just below a half."""
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)
