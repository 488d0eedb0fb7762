"""A host's configuration, its defaults, and what they come to for one agent."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from wakeward.protocols.config import (
    AgentConfig,
    AgentOptions,
    AgentSettings,
    HeartbeatOrigin,
    HeartbeatSchedule,
    HostConfig,
    QueuePolicy,
    RetryPolicy,
)
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.schedule.active_hours import ActiveHours
from wakeward.protocols.schedule.heartbeat import Heartbeat, phase_ms
from wakeward.protocols.wakes.cooldown import CooldownPolicy

OFFICE = ActiveHours("08:00", "18:00")


def test_what_nobody_says_is_the_default_of_the_settings() -> None:
    assert HostConfig().settings_of("ops", AgentOptions()) == AgentSettings("ops", "agent:ops:main")


def test_an_agents_own_options_replace_the_defaults_one_by_one() -> None:
    defaults = AgentOptions(cooldown=CooldownPolicy("1s"), queue=QueuePolicy(5), turn_timeout="1m", turns_max=2)
    own = AgentOptions(cooldown=CooldownPolicy("2s"), retry=RetryPolicy(1), turns_max=3)
    assert HostConfig(defaults=defaults, main_key="Home").settings_of("ops", own) == AgentSettings(
        "ops",
        "agent:ops:home",
        cooldown=CooldownPolicy("2s"),
        retry=RetryPolicy(1),
        queue=QueuePolicy(5),
        turn_timeout_ms=60_000,
        turns_max=3,
    )


def test_settings_hold_the_configured_values_themselves() -> None:
    own = AgentOptions(cooldown=CooldownPolicy("2s"), retry=RetryPolicy(busy="2s"), turn_timeout="90s")
    settings = HostConfig().settings_of("ops", own)
    assert settings.cooldown is own.cooldown
    assert settings.retry is own.retry
    assert settings.turn_timeout_ms is own.turn_timeout_ms


def test_a_heartbeat_becomes_a_schedule_with_the_phase_of_the_hosts_seed() -> None:
    settings = HostConfig(seed="s").settings_of("ops", AgentOptions(heartbeat=Heartbeat("1h", OFFICE)))
    assert settings.interval_ms == 3_600_000
    assert settings.heartbeat == HeartbeatSchedule(3_600_000, phase_ms("s", "ops", 3_600_000), OFFICE)


def test_an_agents_heartbeat_replaces_the_default_one_with_its_hours() -> None:
    config = HostConfig(defaults=AgentOptions(heartbeat=Heartbeat("1h", OFFICE)))
    own = config.settings_of("ops", AgentOptions(heartbeat=Heartbeat("2h"))).heartbeat
    assert own is not None
    assert own.active_hours is None


@pytest.mark.parametrize("heartbeat", [None, Heartbeat("0m")])
def test_without_an_interval_there_is_no_schedule(heartbeat: Heartbeat | None) -> None:
    settings = HostConfig().settings_of("ops", AgentOptions(heartbeat=heartbeat))
    assert (settings.interval_ms, settings.heartbeat) == (None, None)


def test_a_heartbeat_from_elsewhere_still_counts_for_the_cooldown() -> None:
    config = HostConfig(heartbeat_origin=HeartbeatOrigin.EXTERNAL)
    settings = config.settings_of("ops", AgentOptions(heartbeat=Heartbeat("1h")))
    assert (settings.interval_ms, settings.heartbeat) == (3_600_000, None)


def test_a_copy_keeps_its_durations() -> None:
    agent = AgentConfig(id="ops", command=("ls",), turn_timeout="90s", heartbeat=Heartbeat("1h"))
    assert attrs.evolve(agent, turns_max=1).turn_timeout_ms == 90_000
    assert attrs.evolve(HostConfig(drain_grace="1m"), seed="s").drain_grace_ms == 60_000


def test_a_loaded_handler_is_no_part_of_what_was_configured() -> None:
    agent = AgentConfig(id="ops", handler="agents:ops")
    loaded = agent.with_loaded(print)
    assert loaded.loaded is print
    assert agent.loaded is None
    assert (loaded, hash(loaded), repr(loaded)) == (agent, hash(agent), repr(agent))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: AgentConfig(id="no one", handler="a:b"), "agent id 'no one': expected letters"),
        (lambda: AgentConfig(id="ops"), "agent 'ops': expected either handler"),
        (lambda: AgentConfig(id="ops", handler="a:b", command=("ls",)), "agent 'ops': expected either handler"),
        (lambda: AgentConfig(id="ops", command=()), "agent 'ops': command is empty"),
        (lambda: AgentOptions(turn_timeout=0), "turn_timeout 0: expected more than 0"),
        (lambda: AgentOptions(turns_max=0), "turns_max 0: expected a whole number, 1 or more"),
        (lambda: RetryPolicy(attempts_max=True), "attempts_max True: expected a whole number, 1 or more"),
        (
            lambda: HostConfig(agents=(AgentConfig(id="Ops", handler="a:b"), AgentConfig(id="ops", handler="a:b"))),
            "agents: 'ops' configured more than once",
        ),
    ],
)
def test_a_wrong_value_cannot_be_made(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        wrong()
    assert said in str(caught.value)
