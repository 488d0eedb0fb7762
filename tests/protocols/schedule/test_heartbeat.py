from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.schedule.active_hours import ActiveHours
from wakeward.protocols.schedule.heartbeat import (
    Heartbeat,
    phase_ms,
)


@pytest.mark.parametrize(
    ("every", "ms"),
    [
        ("30m", 1_800_000),
        (1800, 1_800_000),
        (0.5, 500),
        (timedelta(days=40), 3_456_000_000),
        ("0m", 0),
        ("0", 0),
        (0, 0),
    ],
)
def test_every_is_kept_in_milliseconds(every: Any, ms: int) -> None:
    assert Heartbeat(every=every).every_ms == ms


def test_the_default_is_half_an_hour_at_any_hour() -> None:
    assert Heartbeat() == Heartbeat(every="30m", active_hours=None)


def test_heartbeats_that_mean_the_same_are_equal() -> None:
    assert Heartbeat("30m") == Heartbeat(1800)
    assert hash(Heartbeat("30m")) == hash(Heartbeat(timedelta(minutes=30)))


def test_evolving_another_field_keeps_the_interval() -> None:
    hours = ActiveHours("08:00", "18:00")
    assert attrs.evolve(Heartbeat(90), active_hours=hours) == Heartbeat("90s", hours)


def test_active_hours_may_be_a_mapping() -> None:
    hours = {"start": "08:00", "end": "24:00", "timezone": "Europe/Berlin"}
    assert Heartbeat(active_hours=hours).active_hours == ActiveHours(**hours)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"every": "soon"}, ["Heartbeat.every", "'soon'", "1h30m"]),
        ({"every": -1}, ["Heartbeat.every", "-1", "number"]),
        ({"every": None}, ["Heartbeat.every", "None", "timedelta"]),
        ({"every": " 45 "}, ["Heartbeat.every", "' 45 '", "'45s'", "'45m'"]),
        ({"active_hours": "9-5"}, ["Heartbeat.active_hours", "'9-5'", "start"]),
        ({"active_hours": {"start": "09:00"}}, ["Heartbeat.active_hours", "'09:00'", "end"]),
        (
            {"active_hours": {"start": "09:00", "end": "17:00", "zone": "UTC"}},
            ["Heartbeat.active_hours", "'zone'", "timezone"],
        ),
        (
            {"active_hours": {"start": "9:00", "end": "17:00"}},
            ["Heartbeat.active_hours", "start", "'9:00'", "23:59"],
        ),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_what_is_accepted(wrong: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Heartbeat(**wrong)
    assert [part for part in named if part not in str(caught.value)] == []


def test_hours_that_never_open_are_remarked_upon_where_there_is_a_heartbeat() -> None:
    never = ActiveHours("08:00", "08:00")
    assert "never comes" in Heartbeat("30m", never).remarks[0]
    assert Heartbeat("0m", never).remarks == ()
    assert Heartbeat("30m", ActiveHours("08:00", "18:00")).remarks == ()
    assert Heartbeat("30m").remarks == ()


@given(st.text(), st.text(), st.integers(1, 2**60))
def test_a_phase_lies_in_the_interval(seed: str, agent_id: str, interval_ms: int) -> None:
    assert 0 <= phase_ms(seed, agent_id, interval_ms) < min(interval_ms, 2**32)


def test_phases_are_spread_evenly() -> None:
    interval_ms = 1_800_000
    tenths = [phase_ms("seed", f"agent-{number}", interval_ms) * 10 // interval_ms for number in range(10_000)]
    assert all(900 < tenths.count(tenth) < 1100 for tenth in range(10))


def test_a_lone_surrogate_is_hashed_as_javascript_does() -> None:
    assert phase_ms("s", "\ud800", 10**9) == phase_ms("s", "\ufffd", 10**9)
    assert phase_ms("s", "\ud83d\ude00", 10**9) == phase_ms("s", "\U0001f600", 10**9)
