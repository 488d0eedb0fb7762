from __future__ import annotations

from wakeward.protocols.openclaw.heartbeat_settings import (
    Enrolled,
    HeartbeatEntry,
    HeartbeatSettings,
    enrolment,
    layered_interval_ms,
    read_active_hours,
)


def test_the_most_specific_layer_that_speaks_counts_also_when_it_makes_no_sense() -> None:
    assert layered_interval_ms(None, "5m", "10m") == 300_000
    assert layered_interval_ms(None, "bad", "10m") is None
    assert layered_interval_ms(None, None, None) == layered_interval_ms() == 1_800_000


def test_several_agents_and_nothing_that_says_which_of_them_has_a_heartbeat() -> None:
    result = enrolment([HeartbeatEntry("a"), HeartbeatEntry("b")])
    assert result.enrolled == ()
    assert result.ambient_agent_id is None
    assert result.owner_unresolved


def test_an_agent_of_its_own_section_takes_the_rest_from_the_defaults() -> None:
    agents = [HeartbeatEntry("a", HeartbeatSettings()), HeartbeatEntry("b")]
    result = enrolment(agents, defaults=HeartbeatSettings(every="20m"))
    assert result.enrolled == (Enrolled("a", 1_200_000),)


def test_without_any_list_of_agents_there_is_main() -> None:
    assert enrolment(None).enrolled == (Enrolled("main", 1_800_000),)
    assert enrolment([]).enrolled == ()


def test_a_zone_falls_back_to_the_users_and_then_to_the_hosts() -> None:
    def zone(timezone: str | None, user: str | None, host: str | None) -> str | None:
        raw = {"start": "08:00", "end": "18:00", "timezone": timezone}
        hours = read_active_hours(raw, user_timezone=user, host_timezone=host)
        return None if hours is None else hours.timezone

    assert zone(" Asia/Tokyo ", "Europe/Berlin", "UTC") == "Asia/Tokyo"
    assert zone("Mars/Phobos", "Europe/Berlin", "UTC") == "Europe/Berlin"
    assert zone("user", "Mars/Phobos", "Asia/Tokyo") == "Asia/Tokyo"
    assert zone("local", "Europe/Berlin", "Asia/Tokyo") == "Asia/Tokyo"
    assert zone(None, None, None) == "UTC"
    assert zone("user", None, "Mars/Phobos") is None


def test_settings_that_cannot_be_read_do_not_restrict() -> None:
    for raw in ({}, {"start": "8", "end": "18:00"}, {"start": "08:00", "end": None}):
        assert read_active_hours(raw, user_timezone=None, host_timezone=None) is None
