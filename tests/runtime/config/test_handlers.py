"""A handler that a configuration names is loaded once, and one that cannot be called is a mistake of the file."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import pytest
from support.config_files import EVERYTHING, problems, write
from wakeward import AgentConfig, AgentOptions, ConfigError, HostConfig, Ran, open_host
from wakeward.protocols.values import duration
from wakeward.runtime.config.file import load_config
from wakeward.runtime.config.handlers import configured_agents

HANDLER_MISTAKES = [
    ("handle", "expected 'module:function'"),
    ("HANDLERS:", "expected 'module:function'"),
    ("a b:handle", "expected 'module:function'"),
    ("no_such_module:handle", "there is no module 'no_such_module'"),
    ("HANDLERS.deeper:handle", ".deeper'"),
    ("HANDLERS:handel", "has no 'handel'; did you mean 'handle'?"),
    ("HANDLERS:zzz", "has no 'zzz'; its async functions: handle, other"),
    ("HANDLERS:sync", "expected 'module:function', an async function that takes a turn"),
    ("HANDLERS:Callable", "expected 'module:function', an async function that takes a turn"),
    ("broken:handle", "the import of 'broken' failed with ZeroDivisionError"),
    ("leaves:handle", "the import of 'leaves' failed with SystemExit"),
    ("needs:handle", "there is no module 'no_such_module', which 'needs' imports"),
]


@pytest.mark.parametrize(("handler", "said"), HANDLER_MISTAKES)
def test_a_handler_that_cannot_be_called_is_a_mistake(folder: Path, handler: str, said: str) -> None:
    (folder / "broken.py").write_text("1 / 0")
    (folder / "leaves.py").write_text("raise SystemExit(3)")
    (folder / "needs.py").write_text("import no_such_module")
    [found] = problems(folder, f'[[agents]]\nid = "ops"\nhandler = "{handler}"\n')
    assert found.startswith("agents[0].handler: ")
    assert said in found


@pytest.mark.parametrize("handler", ["HANDLERS:handle", "HANDLERS:called", "HANDLERS:called.method"])
def test_a_handler_is_whatever_can_be_awaited(folder: Path, handler: str) -> None:
    config = load_config(write(folder, f'[[agents]]\nid = "ops"\nhandler = "{handler}"\n'))
    [spec] = configured_agents(config)
    assert spec.id == "ops"


async def test_the_options_of_an_agent_reach_its_specification(folder: Path) -> None:
    config = load_config(write(folder, EVERYTHING))
    for agent, spec in zip(config.agents, configured_agents(config), strict=True):
        for each in attrs.fields(AgentOptions):
            assert getattr(spec, each.name) == getattr(agent, each.name), each.name


COUNTING = """
looked_up = []
async def handle(turn): ...
def __getattr__(name):
    looked_up.append(name)
    return handle
"""


async def test_a_handler_is_loaded_once_on_its_way_from_the_file_to_the_host(folder: Path) -> None:
    module = (folder / "HANDLERS").read_text()
    (folder / f"{module}.py").write_text(COUNTING)
    config = load_config(write(folder, '[[agents]]\nid = "ops"\nhandler = "HANDLERS:counted"\n'))
    async with open_host(config) as host:
        assert await host.wake_and_wait("agent:ops:main", source="manual", intent="manual") == Ran()
    assert sys.modules[module].looked_up == ["counted"]


async def test_a_handler_that_a_program_names_is_loaded_once_too(folder: Path) -> None:
    module = (folder / "HANDLERS").read_text()
    (folder / f"{module}.py").write_text(COUNTING)
    config = HostConfig(folder=str(folder), agents=(AgentConfig(id="ops", handler=f"{module}:counted"),))
    async with open_host(config) as host:
        assert await host.wake_and_wait("agent:ops:main", source="manual", intent="manual") == Ran()
    assert sys.modules[module].looked_up == ["counted"]


def test_a_configured_value_is_the_value_that_the_gate_reads(folder: Path) -> None:
    config = load_config(write(folder, EVERYTHING))
    [ops, dev] = [config.settings_of(spec.id, spec) for spec in configured_agents(config)]
    assert ops.cooldown is dev.cooldown is config.defaults.cooldown
    assert ops.turn_timeout_ms is config.agents[0].turn_timeout_ms
    assert (ops.turn_timeout_ms, dev.turn_timeout_ms) == (250, 90_000)


def test_a_duration_is_converted_once_on_its_way_from_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[str] = []

    def counting(raw: str, unit: duration.Unit) -> int:
        converted.append(raw)
        return parse_duration_ms(raw, unit)

    parse_duration_ms = duration.parse_duration_ms
    monkeypatch.setattr(duration, "parse_duration_ms", counting)
    config = load_config(write(folder, EVERYTHING))
    for spec in configured_agents(config):
        config.settings_of(spec.id, spec)
    assert sorted(converted) == sorted(["1m30s", "500ms", "10s", "2s", "1m", "1h30m", "250ms"])


async def test_an_agent_that_cannot_be_called_keeps_the_host_from_opening() -> None:
    config = HostConfig(agents=(AgentConfig(id="ops", handler="no_such_module:handle"),))
    with pytest.raises(ConfigError, match=r"agents\[0\].handler: 'no_such_module:handle': there is no module"):
        async with open_host(config):
            pytest.fail("the host opened")


async def test_a_configured_handler_takes_turns(folder: Path) -> None:
    config = load_config(write(folder, '[[agents]]\nid = "ops"\nhandler = "HANDLERS:handle"\n'))
    async with open_host(config) as host:
        assert await host.wake_and_wait("agent:ops:main", source="manual", intent="manual") == Ran()
