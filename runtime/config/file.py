"""Configuration files: TOML, read into :class:`~..protocols.config.HostConfig`. All mistakes are reported at once.

The keys of a file are the arguments of the classes (``min_spacing``, not ``min_spacing_ms``). So a file can say what
the API can, and no list of keys has to be kept beside them. cattrs finds the way through types and containers and
collects the errors. Rejected: its own hooks for tables, because they stop at the first value that a class refuses. Here
each value is first checked against its own attribute, and the class is made of the values that passed.

Each value is converted here, once. What is converted is handed on as it is, down to the gate that reads it.
"""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, partial
from operator import eq
from pathlib import Path
from typing import Any, Final, cast, get_type_hints

import attrs
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    IterableValidationNote,
)

from ...protocols.config import AgentConfig, HostConfig
from ...protocols.errors import ConfigError, InvalidInputError
from ...protocols.schedule.active_hours import ActiveHours
from ...protocols.values.duration import Duration
from .handlers import handler_problems, load_handlers

Table = Mapping[str, Any]


def load_config(path: str | Path) -> HostConfig:
    """Read a configuration file, and load the handlers that it names.

    Args:
        path: A TOML file. If it gives no ``folder``, the configuration's folder is the one of the file.

    Raises:
        ConfigError: It cannot be read, is not TOML, or is wrong. Every mistake is listed with its key, its value and
            what is accepted.
    """
    path = Path(path)
    data = _read(path)
    home = path.resolve().parent
    # Relative to the file, not to where the host was started. A folder of a wrong type is reported later.
    if isinstance(folder := data.get("folder", "."), str):
        data["folder"] = str(home / folder)
    return parse_config(data, str(path))


def parse_config(data: Table, origin: str = "configuration") -> HostConfig:
    """Make a configuration from tables as TOML and JSON have them, and load the handlers that it names.

    Args:
        data: The top-level table.
        origin: Its name in errors.

    Raises:
        ConfigError: It is wrong. Every mistake is listed.
    """
    # Asked beforehand: a missing folder explains why its handlers are not found.
    problems = list(_folder_problems(data))
    try:
        config = load_handlers(_converter().structure(data, HostConfig))
    except BaseValidationError as error:
        # Without a configuration there are still tables: look for the mistakes that only a complete one would show.
        found = list(_lines(error, ""))
        if any(line.startswith("agents[") for line in found):
            found += _repeated_ids(data)  # otherwise the class has compared the ids already
        problems += [*found, *handler_problems(_agents(data), _folder_of(data))]
    except ConfigError as error:
        problems += error.problems
    else:
        if not problems:
            return config
    raise ConfigError(origin, problems)


def _folder_of(data: Table) -> str | None:
    return folder if isinstance(folder := data.get("folder"), str) else None


def _folder_problems(data: Table) -> Iterator[str]:
    folder = _folder_of(data)
    if folder is not None and not Path(folder).is_dir():
        yield f"folder: {folder!r} is not a folder"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}, as TOML has to be"
    except tomllib.TOMLDecodeError as error:
        problem = f"not TOML: {error}"
    raise ConfigError(str(path), [problem])


# ---- what no class can check


def _agents(data: Table) -> Iterator[tuple[str | None, list[str]]]:
    """``handler`` and ``command`` of each agent, if they are of the right type."""
    for agent in _agent_tables(data):
        handler, command = agent.get("handler"), agent.get("command")
        # A wrong type has its own line already, so here it counts as not given.
        words = cast("list[Any]", command) if isinstance(command, list) else []
        yield (
            handler if isinstance(handler, str) else None,
            words if all(isinstance(word, str) for word in words) else [],
        )


def _agent_tables(data: Table) -> Iterator[Table]:
    agents = data.get("agents")
    for agent in cast("list[Any]", agents) if isinstance(agents, list) else []:
        yield cast("Table", agent) if isinstance(agent, Mapping) else {}


def _repeated_ids(data: Table) -> Iterator[str]:
    first: dict[str, int] = {}
    for number, agent in enumerate(_agent_tables(data)):
        # Without an id, its number: two agents that lack one do not repeat each other.
        name = str(agent.get("id", number)).lower()
        if name in first:
            yield f"agents[{number}].id: {agent['id']!r} is the id of agents[{first[name]}] already"
        first.setdefault(name, number)


# ---- the converter


@cache
def _converter() -> Converter:
    # Detailed: it collects all errors instead of raising the first. An extra key is most often a misspelt one.
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    # cattrs itself would convert: str(5) for a text, bool("no") for a flag.
    converter.register_structure_hook(str, lambda value, _: _of(str, value, "text"))
    converter.register_structure_hook(bool, lambda value, _: _of(bool, value, "true or false"))
    converter.register_structure_hook(int, lambda value, _: _of(int, value, "a whole number"))
    converter.register_structure_hook(float, lambda value, _: float(_of(int | float, value, "a number")))
    # A duration is left to the converter of its attribute, which knows all the forms that the API takes.
    converter.register_structure_hook_func(lambda kind: kind == Duration, lambda value, _: value)
    converter.register_structure_hook_func(_is_enum, _choice)
    converter.register_structure_hook_func(attrs.has, partial(_table, converter))
    # Without this a text would pass as a list of its letters.
    for items, accepted in ((tuple[str, ...], "a list of texts"), (tuple[AgentConfig, ...], "[[agents]] tables")):
        hook = _list_hook(converter.get_structure_hook(items), accepted)
        converter.register_structure_hook_func(partial(eq, items), hook)
    return converter


def _of(kind: Any, value: Any, accepted: str) -> Any:
    # In Python a bool is an int, but "retries = true" is a mistake.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InvalidInputError(f"{value!r}: expected {accepted}")
    return value


def _list_hook(inner: Callable[[Any, Any], Any], accepted: str) -> Callable[[Any, Any], Any]:
    return lambda value, kind: inner(_of(list, value, accepted), kind)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _choice(value: Any, kind: type[enum.Enum]) -> enum.Enum:
    known = [member.value for member in kind]
    # Not by kind(value), whose own error does not name what there is to choose from.
    if value not in known:
        raise InvalidInputError(
            f"{value!r}: expected one of {', '.join(map(repr, known))}{_did_you_mean(value, known)}"
        )
    return kind(value)


def _did_you_mean(value: Any, known: list[str]) -> str:
    close = get_close_matches(value, known, 1) if isinstance(value, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


# ---- tables

_STAND_INS: Final[dict[type, dict[str, Any]]] = {
    ActiveHours: {"start": "00:00", "end": "24:00"},
    AgentConfig: {"id": "unnamed", "handler": "unnamed:unnamed", "command": ("unnamed",)},
}
"""Good values in place of bad ones, so that the class can check the rest."""


def _table(converter: Converter, value: Any, cls: type[Any]) -> Any:
    """Make a value of a class from a table, and collect everything that is wrong with the table.

    Raises:
        ClassValidationError: Something is wrong. Each mistake carries its key.
    """
    table: Table = _of(Mapping, value, "a table")
    hints = get_type_hints(cls)
    attributes = {str(each.alias): each for each in attrs.fields(cls) if each.init}
    good: dict[str, Any] = {}
    wrong: list[Exception] = []
    # Here and not by cattrs, whose error has no suggestion.
    for key in [key for key in table if key not in attributes]:
        hint = _did_you_mean(key, list(attributes))
        wrong.append(_about(key, InvalidInputError(f"unknown key{hint} (known: {', '.join(attributes)})")))
    for key in [key for key in table if key in attributes]:
        try:
            value = _value(converter, table[key], attributes[key], hints[attributes[key].name])
            if cls is ActiveHours:  # its attributes have no converters: only making the whole checks them
                cls(**{**_STAND_INS[cls], key: value})
        except Exception as error:  # noqa: BLE001 - all that a class finds wrong is reported to the author of the file
            wrong.append(_about(key, error))
        else:
            good[key] = value
    missing = [key for key, each in attributes.items() if each.default is attrs.NOTHING and key not in table]
    wrong += [InvalidInputError(f"{key!r} is missing") for key in missing]
    try:
        # Also when something is wrong already: only the class sees mistakes that lie between two values.
        made = cls(**_stood_in(cls, table, missing, good))
    except (ValueError, TypeError) as error:
        wrong.append(error)
    else:
        if not wrong:
            return made
    raise ClassValidationError(f"while reading {cls.__name__}", wrong, cls)  # pyright: ignore[reportCallIssue] - see its __new__


def _about(key: str, error: Exception) -> Exception:
    error.add_note(AttributeValidationNote(f"key {key!r}", key, None))
    return error


def _value(converter: Converter, given: Any, attribute: Any, hint: Any) -> Any:
    """One value, converted and checked as its own attribute does it."""
    is_duration = attribute.name.endswith("_ms")  # the only attributes whose converter takes another type
    value = given if is_duration else converter.structure(given, hint)
    if attribute.converter is not None:
        value = attribute.converter(value)  # the class converts again: each converter returns its own result unchanged
    if attribute.validator is not None:
        attribute.validator(None, attribute, value)
    return value


def _stood_in(cls: type, table: Table, missing: list[str], good: dict[str, Any]) -> dict[str, Any]:
    failed = [key for key in (*table, *missing) if key not in good]
    stand_ins = _STAND_INS.get(cls, {})
    return {**{key: stand_ins[key] for key in failed if key in stand_ins}, **good}


# ---- messages

_VALIDATOR: Final = re.compile(r"'\w+' must be (>=|<=|>|<) (\S+): (.+)")
_BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def _lines(error: BaseException, path: str) -> Iterator[str]:
    """One line for each mistake: the path of its key, its value, what is accepted."""
    if isinstance(error, BaseValidationError):
        for part in error.exceptions:
            yield from _lines(part, path + _step(part, at_top=not path))
    else:
        yield f"{path}: {_said(error, path)}" if path else _said(error, path)


def _step(error: BaseException, *, at_top: bool) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name if at_top else f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]"
    return ""


def _said(error: BaseException, path: str) -> str:
    text = str(error)
    if found := _VALIDATOR.fullmatch(text):
        return f"{found[3]}: expected {_BOUNDS[found[1]]} {found[2]}"
    key = re.escape(path.rpartition(".")[2])
    return re.sub(rf"^(?:\w+\.)?{key}:? ", "", text)  # the classes name the field: "Heartbeat.every: ..."
