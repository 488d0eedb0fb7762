"""Durations, intervals, enrolment, active hours and phases against what OpenClaw was recorded to say."""

from __future__ import annotations

from support.vectors import Row, each_row
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.openclaw.heartbeat_settings import (
    HeartbeatEntry,
    HeartbeatSettings,
    enrolment,
    layered_interval_ms,
    read_active_hours,
)
from wakeward.protocols.schedule.heartbeat import phase_ms
from wakeward.protocols.values.duration import parse_duration_ms


@each_row("durations_and_hours", kind="duration")
def test_duration(row: Row) -> None:
    try:
        actual: Row = {"ms": parse_duration_ms(row["input"]["raw"], row["input"]["default_unit"] or "ms")}
    except InvalidInputError:
        actual = {"error": row["expected"].get("error")}  # that it is one must match, not its wording
    assert actual == row["expected"]


@each_row("durations_and_hours", kind="heartbeat_interval")
def test_heartbeat_interval(row: Row) -> None:
    layers = [row["input"][layer] for layer in ("override_every", "heartbeat_every", "defaults_every")]
    assert layered_interval_ms(*layers) == row["expected"]["interval_ms"]


@each_row("durations_and_hours", kind="enrolment")
def test_enrolment(row: Row) -> None:
    given, expected = row["input"], row["expected"]
    agents, defaults = given["agents"], given["defaults_heartbeat"]
    actual = enrolment(
        None if agents is None else [agent_settings(agent) for agent in agents],
        defaults=None if defaults is None else HeartbeatSettings(**defaults),
        system_agent_id=given["system_agent_id"],
    )
    assert [{"agent_id": one.agent_id, "interval_ms": one.interval_ms} for one in actual.enrolled] == expected[
        "enrolled"
    ]
    assert actual.ambient_agent_id == expected["ambient_agent_id"]
    assert actual.owner_unresolved == expected["owner_unresolved"]


def agent_settings(agent: Row) -> HeartbeatEntry:
    """The recorder wrote "" for a heartbeat section that is there and empty."""
    every = agent["heartbeat_every"]
    return HeartbeatEntry(agent["id"], None if every is None else HeartbeatSettings(every or None))


@each_row("durations_and_hours", kind="active_hours")
def test_active_hours(row: Row) -> None:
    given = row["input"]
    hours = read_active_hours(
        given["active_hours"] or {},
        user_timezone=given["user_timezone"],
        host_timezone=given["host_timezone"],
    )
    within = hours is None or hours.contains(given["now"])
    assert within == row["expected"]["within"]


@each_row("durations_and_hours", kind="phase")
def test_phase(row: Row) -> None:
    given = row["input"]
    phase = phase_ms(given["scheduler_seed"], given["agent_id"], given["interval_ms"])
    assert phase == row["expected"]["phase_ms"]
