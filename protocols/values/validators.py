"""Validators for attrs fields. Their errors say what is accepted."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import Attribute

from ..errors import InvalidInputError

E = TypeVar("E", bound=enum.Enum)

Check = Callable[[Any, "Attribute[Any]", Any], None]


def at_least(least: int, *, optional: bool = False) -> Check:
    """Accept a whole number, ``least`` or more, and ``None`` if it is optional."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if value is None and optional:
            return
        # bool is an int in Python, but "turns_max = true" is a mistake.
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InvalidInputError(f"{attribute.alias} {value!r}: expected a whole number, {least} or more")

    return check


def is_a(kind: type) -> Check:
    """Accept an instance of that class, or ``None``."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        # None passes: it means "not given" in every field that uses this.
        if value is not None and not isinstance(value, kind):
            raise InvalidInputError(f"{attribute.alias} {value!r}: expected a {kind.__name__}")

    return check


def one_of(kind: type[E]) -> Callable[[E | str], E]:
    """Make a converter that gives a member of that enum, from the member or from its text."""

    def convert(value: E | str) -> E:
        try:
            return kind(value)
        except ValueError:
            accepted = ", ".join(repr(member.value) for member in kind)
            # from None: the enum's own error says the same, without what is accepted.
            raise InvalidInputError(f"{value!r}: expected one of {accepted}") from None

    return convert
