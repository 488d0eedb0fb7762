"""The agents of a configuration, made callable before anything starts: Python handlers imported, programs found."""

from __future__ import annotations

import importlib
import inspect
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from attrs import fields

from ...protocols.config import AgentConfig, AgentOptions, HostConfig
from ...protocols.errors import ConfigError, InvalidInputError
from ..host.agent_spec import AgentSpec, Handler
from .command_agent import CommandAgent

_ACCEPTED: Final = "'module:function', an async function that takes a turn"


def configured_agents(config: HostConfig) -> list[AgentSpec]:
    """The agents of a configuration, ready to be added to a host. Their modules are imported.

    Raises:
        ConfigError: An agent cannot be called. All such agents are listed.
    """
    if problems := agent_problems([(agent.handler, agent.command) for agent in config.agents], config.folder):
        raise ConfigError("configuration", problems)
    return [_spec(agent, config.folder) for agent in config.agents]


def _spec(agent: AgentConfig, folder: str | None) -> AgentSpec:
    if agent.handler is not None:
        handler = load_handler(agent.handler, folder)
    else:
        assert agent.command is not None, agent
        handler = CommandAgent(agent.command, folder)
    options = {str(each.alias): _given(agent, each.name) for each in fields(AgentOptions)}
    return AgentSpec(agent.id, handler, **options)


def _given(agent: AgentConfig, name: str) -> Any:
    """An option in the form in which it is given, which for what ends in ``_ms`` is a duration."""
    value = getattr(agent, name)
    return timedelta(milliseconds=value) if name.endswith("_ms") and value is not None else value


def agent_problems(given: Iterable[tuple[str | None, Sequence[str] | None]], folder: str | None) -> list[str]:
    """What keeps configured agents from being called, a line each: ``agents[1].handler: ...``.

    Args:
        given: ``handler`` and ``command`` of each agent, in order.
        folder: Where modules are sought first, and where programs run.
    """
    problems: list[str] = []
    for number, (handler, command) in enumerate(given):
        try:
            if handler is not None:
                load_handler(handler, folder)
        except InvalidInputError as error:
            problems.append(f"agents[{number}].handler: {error}")
        try:
            if command:
                check_command(command, folder)
        except InvalidInputError as error:
            problems.append(f"agents[{number}].command: {error}")
    return problems


def load_handler(name: str, folder: str | None) -> Handler:
    """Import ``module:function``.

    Args:
        name: For example ``"agents.ops:handle"``.
        folder: Sought first; it stays on Python's path, as a script's folder does.

    Raises:
        InvalidInputError: There is no such module, its import failed, or it has no such async function.
    """
    module_name, colon, attribute = name.partition(":")
    if not (colon and attribute and all(part.isidentifier() for part in module_name.split("."))):
        raise InvalidInputError(f"{name!r}: expected {_ACCEPTED}")
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    module = _import(name, module_name)
    handler: Any = module
    for part in attribute.split("."):
        handler = getattr(handler, part, None)
    if handler is None:
        raise InvalidInputError(f"{name!r}: module {module_name!r} has no {attribute!r}{_hint(module, attribute)}")
    if not _is_async(handler):
        raise InvalidInputError(f"{name!r} is {handler!r}, expected {_ACCEPTED}")
    return handler


def _import(name: str, module_name: str) -> ModuleType:
    importlib.invalidate_caches()  # the module may be younger than the last look into its folder
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        needed = "" if f"{module_name}.".startswith(f"{missing}.") else f", which {module_name!r} imports"
        raise InvalidInputError(f"{name!r}: there is no module {missing!r}{needed}") from error
    except (Exception, SystemExit) as error:  # whatever a user's module does when it is imported
        said = f"{type(error).__name__}: {error}"
        raise InvalidInputError(f"{name!r}: the import of {module_name!r} failed with {said}") from error


def _is_async(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _hint(module: ModuleType, attribute: str) -> str:
    known = [name for name, value in vars(module).items() if inspect.iscoroutinefunction(value)]
    if close := get_close_matches(attribute, known, 1):
        return f"; did you mean {close[0]!r}?"
    return f"; its async functions: {', '.join(known)}" if known else ""


def check_command(command: Sequence[str], folder: str | None) -> None:
    """See that the program is there.

    Args:
        command: The program and its arguments.
        folder: Where it will run; a path with a slash is relative to it.

    Raises:
        InvalidInputError: It is not, or cannot be executed.
    """
    program = command[0]
    path = str(Path(folder or ".") / program) if "/" in program else program
    if not program or shutil.which(path) is None:
        where = f"in {folder or 'the working directory'}" if "/" in program else "on PATH"
        raise InvalidInputError(f"{list(command)!r}: there is no program {program!r} {where}")
