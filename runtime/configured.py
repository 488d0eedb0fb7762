"""The agents of a configuration, made callable before anything starts: Python handlers imported, programs found."""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, assert_never

from ..protocols.config import HostConfig
from ..protocols.errors import ConfigError, InvalidInputError
from .command_agent import CommandAgent

Loaded = Callable[..., Any]

_MODULE_AND_FUNCTION: Final = "expected 'module:function', an async function that takes a turn"


def configured_handlers(config: HostConfig) -> dict[str, Loaded]:
    """The handler of each configured agent, by agent id. Modules are imported, also from the configuration's folder.

    Raises:
        ConfigError: Some agent cannot be called; all such agents are listed.
    """
    given = [(agent.handler, agent.command) for agent in config.agents]
    if problems := agent_problems(given, config.folder):
        raise ConfigError("configuration", problems)
    return {agent.id: _loaded(agent.handler, agent.command, config.folder) for agent in config.agents}


def agent_problems(given: Iterable[tuple[str | None, Sequence[str] | None]], folder: str | None) -> list[str]:
    """What keeps configured agents from being called, one line each: ``agents[1].handler: ...``.

    Args:
        given: ``handler`` and ``command`` of each agent, in order.
        folder: Where modules and programs are sought as well.
    """
    problems: list[str] = []
    for number, (handler, command) in enumerate(given):
        for key, value in (("handler", handler), ("command", command)):
            try:
                _loaded(handler if key == "handler" else None, command if key == "command" else None, folder) if value else None
            except InvalidInputError as error:
                problems.append(f"agents[{number}].{key}: {error}")
    return problems
