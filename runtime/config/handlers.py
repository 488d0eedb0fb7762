"""The agents of a configuration, made callable: Python handlers are imported, programs are looked for.

A handler is loaded once for a configuration. :func:`load_handlers` keeps what it loads beside the agent's other values
(:attr:`~wakeward.protocols.config.AgentConfig.loaded`), and every later step takes it from there. A configuration file
is checked this way before anything starts. Rejected: a table of loaded handlers by name in this module. It would give
out an old function after the module was loaded again.
"""

from __future__ import annotations

import importlib
import inspect
import shutil
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from attrs import evolve, fields

from ...protocols.config import AgentConfig, AgentOptions, HostConfig
from ...protocols.errors import ConfigError, InvalidInputError
from ..host.agent_spec import AgentSpec, Handler
from .command_agent import CommandAgent

_ACCEPTED: Final = "'module:function', an async function that takes a turn"


def configured_agents(config: HostConfig) -> list[AgentSpec]:
    """The agents of a configuration, ready to be added to a host.

    Raises:
        ConfigError: A handler cannot be loaded. All such agents are listed.
    """
    return [_spec(agent) for agent in load_handlers(config).agents]


def _spec(agent: AgentConfig) -> AgentSpec:
    # A duration among the options is of type Milliseconds by now, which AgentSpec takes without converting it.
    options = {str(each.alias): getattr(agent, each.name) for each in fields(AgentOptions)}
    return AgentSpec(agent.id, cast("Handler", agent.loaded), **options)


def load_handlers(config: HostConfig) -> HostConfig:
    """A copy of the configuration in which each agent keeps its loaded handler. What is loaded already stays.

    Raises:
        ConfigError: A handler cannot be loaded. All such agents are listed.
    """
    loaded: list[AgentConfig] = []
    problems: list[str] = []
    for number, agent in enumerate(config.agents):
        try:
            handler = agent.loaded  # compared with None: a user's handler may well be falsy
            if handler is None:
                handler = _load(agent.handler, agent.command, config.folder)
            loaded.append(agent.with_loaded(handler))
        except InvalidInputError as error:
            problems.append(_problem(number, agent.handler, error))
    if problems:
        raise ConfigError("configuration", problems)
    return evolve(config, agents=tuple(loaded))


def handler_problems(given: Iterable[tuple[str | None, Sequence[str]]], folder: str | None) -> list[str]:
    """Why agents cannot be called, one line each: ``agents[1].handler: ...``. For tables that are no configuration yet.

    Args:
        given: ``handler`` and ``command`` of each agent, in order; an empty command is none.
        folder: Python searches it first for modules, and programs run in it.
    """
    problems: list[str] = []
    for number, (handler, command) in enumerate(given):
        for wanted in ((handler, ()), (None, command)):  # an agent may wrongly have both
            try:
                _load(*wanted, folder)
            except InvalidInputError as error:
                problems.append(_problem(number, wanted[0], error))
    return problems


def _problem(number: int, handler: str | None, error: InvalidInputError) -> str:
    return f"agents[{number}].{'command' if handler is None else 'handler'}: {error}"


def _load(handler: str | None, command: Sequence[str] | None, folder: str | None) -> Handler | None:
    if handler is not None:
        return _python_handler(handler, folder)
    # Neither is given, in a table that is no configuration yet. The class reports that.
    if not command:
        return None
    _check_program(command, folder)
    return CommandAgent(tuple(command), folder)


def _python_handler(name: str, folder: str | None) -> Handler:
    """Import ``module:function``.

    Args:
        name: For example ``"agents.ops:handle"``.
        folder: Python searches it first. It stays on Python's path, as a script's folder does: a handler may import a
            module from it later.

    Raises:
        InvalidInputError: There is no such module, its import fails, or it has no such async function.
    """
    module_name, colon, attribute = name.partition(":")
    # Before the import: importlib would take a name such as ".ops" as relative and raise something else.
    if not (colon and attribute and all(part.isidentifier() for part in module_name.split("."))):
        raise InvalidInputError(f"{name!r}: expected {_ACCEPTED}")
    if folder is not None and folder not in sys.path:
        # First, as for a script: a module beside the file wins over an installed one of the same name.
        sys.path.insert(0, folder)
    module = _import(name, module_name)
    handler: Any = module
    # A dotted name reaches a method or an attribute of an object in the module.
    for part in attribute.split("."):
        handler = getattr(handler, part, None)
    if handler is None:
        raise InvalidInputError(f"{name!r}: module {module_name!r} has no {attribute!r}{_hint(module, attribute)}")
    if not _is_async(handler):
        raise InvalidInputError(f"{name!r} is {handler!r}, expected {_ACCEPTED}")
    return handler


def _import(name: str, module_name: str) -> ModuleType:
    importlib.invalidate_caches()  # the module may be newer than Python's last look into its folder
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        # Told apart: a name that is mistyped, and a module that is there but lacks something it needs.
        needed = "" if f"{module_name}.".startswith(f"{missing}.") else f", which {module_name!r} imports"
        raise InvalidInputError(f"{name!r}: there is no module {missing!r}{needed}") from error
    except (Exception, SystemExit) as error:  # a user's module may do anything when it is imported
        said = f"{type(error).__name__}: {error}"
        raise InvalidInputError(f"{name!r}: the import of {module_name!r} failed with {said}") from error


def _is_async(handler: Any) -> bool:
    # An object with an async __call__ is accepted, too. Its class is asked, because Python calls type(x).__call__.
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _hint(module: ModuleType, attribute: str) -> str:
    # Only what could be meant: a module's other names would make the list long.
    known = [name for name, value in vars(module).items() if inspect.iscoroutinefunction(value)]
    if close := get_close_matches(attribute, known, 1):
        return f"; did you mean {close[0]!r}?"
    return f"; its async functions: {', '.join(known)}" if known else ""


def _check_program(command: Sequence[str], folder: str | None) -> None:
    """Check that the program exists.

    Args:
        command: The program and its arguments.
        folder: Where it will run; a path with a slash is relative to it.

    Raises:
        InvalidInputError: It does not, or it cannot be executed.
    """
    program = command[0]
    # As exec does it: a slash means a path, below the folder where it will run; else PATH is searched.
    path = str(Path(folder or ".") / program) if "/" in program else program
    if not program or shutil.which(path) is None:
        where = f"in {folder or 'the working directory'}" if "/" in program else "on PATH"
        raise InvalidInputError(f"{list(command)!r}: there is no program {program!r} {where}")
