"""A configuration file can say what the API can. All mistakes in it are reported at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.config_files import EVERYTHING, problems, write
from wakeward import (
    ActiveHours,
    AgentConfig,
    AgentOptions,
    Backoff,
    ConfigError,
    CooldownPolicy,
    Heartbeat,
    HeartbeatOrigin,
    HostConfig,
    QueueOverflow,
    QueuePolicy,
    RetryPolicy,
    Scope,
)
from wakeward.protocols.openclaw.listed_wakes import WithoutHeartbeat
from wakeward.runtime.config.command_agent import CommandAgent
from wakeward.runtime.config.file import load_config, parse_config
from wakeward.runtime.config.handlers import configured_agents


def test_a_file_says_what_the_api_can(folder: Path) -> None:
    module = (folder / "HANDLERS").read_text()
    assert load_config(write(folder, EVERYTHING)) == HostConfig(
        main_key="Home",
        scope=Scope.GLOBAL,
        default_agent="ops",
        turns_max=7,
        without_heartbeat=WithoutHeartbeat.LISTED,
        heartbeat_origin=HeartbeatOrigin.EXTERNAL,
        seed="s",
        drain_grace="1m30s",
        ledger_size=99,
        folder=str(folder),
        defaults=AgentOptions(
            turn_timeout=90,
            turns_max=3,
            cooldown=CooldownPolicy("500ms", 0, 8, events_wait_for_due=False),
            retry=RetryPolicy(2, Backoff("2s", "1m", 3.0, 0.0), busy=0.5, idle="10s"),
            queue=QueuePolicy(10, QueueOverflow.DROP_OLDEST, 5, 2),
            heartbeat=Heartbeat("1h30m"),
        ),
        agents=(
            AgentConfig(
                id="ops",
                handler=f"{module}:handle",
                turn_timeout="250ms",
                heartbeat=Heartbeat(90, ActiveHours("08:00", "17:30", "Europe/Berlin")),
            ),
            AgentConfig(id="dev", command=("sh", "-c", "exit 0"), turns_max=1),
        ),
    )


def test_every_option_was_tried() -> None:
    """So that an option added to a class is added to :data:`EVERYTHING`."""
    classes = (HostConfig, AgentConfig, AgentOptions, Heartbeat, ActiveHours, CooldownPolicy, RetryPolicy, Backoff)
    keys = {each.alias for cls in (*classes, QueuePolicy) for each in attrs.fields(cls) if each.init}
    assert {str(key) for key in keys if f"{key}" not in EVERYTHING} == {"folder"}


def test_an_empty_file_is_the_default(folder: Path) -> None:
    assert load_config(write(folder, "")) == HostConfig(folder=str(folder))


AGENT = '[[agents]]\nid = "ops"\nhandler = "HANDLERS:handle"\n'

MISTAKES = [
    ("turns_max = 0", "turns_max: 0: expected a whole number, 1 or more"),
    ("turns_max = true", "turns_max: True: expected a whole number"),
    ("turns_max = 1.5", "turns_max: 1.5: expected a whole number"),
    ("seed = 3", "seed: 3: expected text"),
    ('scope = "globl"', "scope: 'globl': expected one of 'per-sender', 'global'; did you mean 'global'?"),
    ("scope = 1", "scope: 1: expected one of 'per-sender', 'global'"),
    ("agents = 5", "agents: 5: expected [[agents]] tables"),
    ("agents = [5]", "agents[0]: 5: expected a table"),
    ("defaults = []", "defaults: []: expected a table"),
    ("drain_grace = -1", "drain_grace: invalid duration -1"),
    ("drain_grace = 1979-05-27", "drain_grace: invalid duration datetime.date(1979, 5, 27)"),
    ('default_agent = "no one"', "default_agent: agent id 'no one': expected letters"),
    ('folder = "nowhere"', "nowhere' is not a folder"),
    ("[default]\nx = 1", "default: unknown key; did you mean 'defaults'? (known: agents, defaults,"),
    ('[defaults.cooldown]\nmin_spacing = "30 parsecs"', "defaults.cooldown.min_spacing: invalid duration '30 parsecs'"),
    ("[defaults.cooldown]\nmin_spacing_ms = 3", "defaults.cooldown.min_spacing_ms: unknown key; did you mean 'min_"),
    ("[defaults.retry.backoff]\njitter = 3", "defaults.retry.backoff.jitter: 3.0: expected at most 1.0"),
    ('[defaults.retry.backoff]\nfactor = "2"', "defaults.retry.backoff.factor: '2': expected a number"),
    ('[defaults.queue]\noverflow = "drop"', "defaults.queue.overflow: 'drop': expected one of 'reject', 'drop-oldest'"),
    ('[defaults.heartbeat]\nevery = "45"', "defaults.heartbeat.every: '45' has no unit: use '45s', '45m'"),
    ("[defaults.heartbeat]\nactive_hours = {start = '08:00'}", "defaults.heartbeat.active_hours: 'end' is missing"),
    (AGENT + 'command = ["ls"]', "agents[0]: agent 'ops': expected either handler = 'module:function' or command"),
    ('[[agents]]\nid = "ops"', "agents[0]: agent 'ops': expected either handler = 'module:function' or command"),
    ('[[agents]]\nhandler = "HANDLERS:handle"', "agents[0]: 'id' is missing"),
    ('[[agents]]\nid = "a"\ncommand = []', "agents[0]: agent 'a': command is empty"),
    ('[[agents]]\nid = "a"\ncommand = "ls -l"', "agents[0].command: 'ls -l': expected a list of texts"),
    ('[[agents]]\nid = "a"\ncommand = ["ls", 4]', "agents[0].command[1]: 4: expected text"),
    (
        '[[agents]]\nid = "a"\ncommand = ["no-such-program"]',
        "agents[0].command: ['no-such-program']: there is no program",
    ),
    ('[[agents]]\nid = "a"\ncommand = ["./host.toml"]', "agents[0].command: ['./host.toml']: there is no program"),
    (AGENT + AGENT, "agents: 'ops' configured more than once"),
    (AGENT + "turn_timeout = {}", "agents[0].turn_timeout: invalid duration {}"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_said_with_its_key_and_what_is_accepted(folder: Path, text: str, said: str) -> None:
    found = problems(folder, text)
    assert len(found) == 1, found
    assert said in found[0]


MANY = """
turns_max = 0
scop = "x"
[defaults.queue]
capacity = 0
shown_max = 0
[[agents]]
id = "ops"
handler = "no_such_module:handle"
[agents.heartbeat]
every = "often"
active_hours = { start = "25:00", end = "9" }
[[agents]]
id = "ops"
comand = ["ls"]
[[agents]]
id = "!"
command = ["no-such-program"]
"""


def test_all_mistakes_are_said_at_once(folder: Path) -> None:
    assert sorted(line.split(": ")[0] for line in problems(folder, MANY)) == [
        "agents[0].handler",
        "agents[0].heartbeat.active_hours.end",
        "agents[0].heartbeat.active_hours.start",
        "agents[0].heartbeat.every",
        "agents[1]",
        "agents[1].comand",
        "agents[1].id",
        "agents[2].command",
        "agents[2].id",
        "defaults.queue.capacity",
        "defaults.queue.shown_max",
        "scop",
        "turns_max",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"turns_max = 4\nscope = \n", "not TOML: Invalid value (at line 2, column 9)"),
        (b"seed = '\xff'", "not UTF-8 at byte 8, as TOML has to be"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "host.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: a mistake in the configuration\n  {said}"


def test_a_folder_is_relative_to_the_file(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "program").write_text("#!/bin/sh\n")
    (folder / "below" / "program").chmod(0o700)
    config = load_config(write(folder, 'folder = "below"\n[[agents]]\nid = "a"\ncommand = ["./program"]\n'))
    assert config.folder == str(folder / "below")
    assert configured_agents(config)[0].handler == CommandAgent(("./program",), str(folder / "below"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(
        ["id", "command", "every", "start", "min_spacing", "backoff", "base", "turn_timeout", "queue", "heartbeat"]
    ), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["agents", "defaults", "scope", "turns_max", "drain_grace"]) | st.text(), values)
)
def test_whatever_the_tables_hold_the_error_is_ours(data: dict[str, Any]) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_config(data), HostConfig)


def test_the_documentation_names_every_key() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    classes = (HostConfig, AgentConfig, AgentOptions, Heartbeat, ActiveHours, CooldownPolicy, RetryPolicy, Backoff)
    keys = {str(each.alias) for cls in (*classes, QueuePolicy) for each in attrs.fields(cls) if each.init}
    assert {key for key in keys if f"`{key}`" not in page} == set()
