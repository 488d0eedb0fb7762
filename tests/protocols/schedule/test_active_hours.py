from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.schedule.active_hours import INSTANT_MS_MAX, ActiveHours

MINUTE_MS = 60_000
DAY_MS = 86_400_000
ZONES = [
    "UTC",
    "+05:30",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # changed at midnight until 2019
    "Australia/Lord_Howe",  # changes by half an hour
    "Africa/Casablanca",  # changes for Ramadan
    "Pacific/Apia",  # left out a day in 2011
    "Asia/Kathmandu",
]


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    instant = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return (instant - datetime.fromisoformat("1970-01-01T00:00Z")) // timedelta(milliseconds=1)


def time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def hours_and_instant(draw: st.DrawFn) -> tuple[ActiveHours, int]:
    """Any window, in a zone that changes its offset, and mostly an instant close to such a change."""
    zone = draw(st.sampled_from(ZONES))
    hours = ActiveHours(time_of_day(draw(st.integers(0, 1439))), time_of_day(draw(st.integers(0, 1440))), zone)
    changes = ["2011-12-30", "2018-11-04", "2026-02-15", "2026-03-08", "2026-03-29", "2026-04-05"]
    changes += ["2026-10-04", "2026-10-25", "2026-11-01"]
    day_ms = draw(st.one_of(st.sampled_from(changes).map(at), st.integers(0, 25_000).map(lambda day: day * DAY_MS)))
    return hours, day_ms + draw(st.integers(-DAY_MS, DAY_MS))


def by_scanning(hours: ActiveHours, now_ms: int, *, inside: bool) -> int | None:
    """The answer by looking at every minute of the next three days; every boundary is on a minute."""
    minutes = range(now_ms // MINUTE_MS + 1, now_ms // MINUTE_MS + 3 * 1440)
    instants = [now_ms, *(minute * MINUTE_MS for minute in minutes)]
    return next((instant for instant in instants if hours.contains(instant) is inside), None)


@given(hours_and_instant())
def test_the_window_opens_at_the_first_instant_inside(drawn: tuple[ActiveHours, int]) -> None:
    hours, now_ms = drawn
    assert hours.next_open_ms(now_ms) == by_scanning(hours, now_ms, inside=True)


@given(hours_and_instant())
def test_the_window_closes_at_the_first_instant_outside(drawn: tuple[ActiveHours, int]) -> None:
    hours, now_ms = drawn
    assert hours.next_close_ms(now_ms) == by_scanning(hours, now_ms, inside=False)


def test_a_window_that_summer_time_skips_opens_on_the_next_day() -> None:
    hours = ActiveHours("02:00", "02:30", "America/New_York")
    assert hours.next_open_ms(at("2026-03-08T00:00", "America/New_York")) == at("2026-03-09T06:00")


def test_a_window_whose_start_summer_time_skips_opens_at_the_change() -> None:
    hours = ActiveHours("02:30", "04:00", "America/New_York")
    assert hours.next_open_ms(at("2026-03-08T00:00", "America/New_York")) == at("2026-03-08T07:00")


def test_a_window_that_the_clock_shows_twice_opens_twice() -> None:
    hours = ActiveHours("01:30", "02:30", "America/New_York")
    zone = "America/New_York"
    opens_ms = at("2026-11-01T01:30", zone)
    assert hours.next_open_ms(at("2026-11-01T00:00", zone)) == opens_ms
    closes_ms = at("2026-11-01T01:00", zone, fold=1)
    assert hours.next_close_ms(opens_ms) == closes_ms
    assert hours.next_open_ms(closes_ms) == at("2026-11-01T01:30", zone, fold=1)


def test_start_is_included_and_end_is_not() -> None:
    hours = ActiveHours("08:00", "18:00")
    assert [hours.contains(at("2026-01-15T08:00") + ms) for ms in (-1, 0)] == [False, True]
    assert [hours.contains(at("2026-01-15T18:00") + ms) for ms in (-1, 0)] == [True, False]


def test_equal_times_mean_never() -> None:
    hours = ActiveHours("08:00", "08:00")
    assert hours.never
    assert not hours.contains(at("2026-01-15T08:00"))
    assert hours.next_open_ms(0) is None
    assert hours.next_close_ms(0) == 0


def test_a_whole_day_never_closes() -> None:
    hours = ActiveHours("00:00", "24:00", "Europe/Berlin")
    assert not hours.never
    assert hours.next_open_ms(12345) == 12345
    assert hours.next_close_ms(12345) is None


@pytest.mark.parametrize("far_ms", [INSTANT_MS_MAX, -INSTANT_MS_MAX, at("9999-12-31T23:59"), at("0001-01-01T00:00")])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "-12:00", "+14:00"])
def test_the_calendar_of_the_standard_library_is_no_bound(far_ms: int, zone: str) -> None:
    hours = ActiveHours("08:00", "18:00", zone)
    same_weekday_ms = far_ms % (146_097 * DAY_MS) + (146_097 * DAY_MS if far_ms > 0 else 0)
    if far_ms > 0 or zone != "Europe/Berlin":  # long ago, Berlin kept its own mean time
        assert hours.contains(far_ms) == hours.contains(same_weekday_ms)


def test_beyond_the_end_of_the_calendar_every_window_is_open() -> None:
    hours = ActiveHours("08:00", "18:00")
    assert hours.contains(INSTANT_MS_MAX + 1)
    assert hours.contains(-INSTANT_MS_MAX - 1)
    assert hours.next_close_ms(INSTANT_MS_MAX + 1) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", "24:00"),
        ("start", "8:00"),
        ("start", "08:00\n"),
        ("start", "٠٨:00"),
        ("start", None),
        ("end", "24:01"),
        ("end", "18:60"),
        ("end", " 18:00"),
        ("timezone", "Mars/Phobos"),
        ("timezone", "local"),
        ("timezone", "localtime"),
        ("timezone", "posix/UTC"),
        ("timezone", "../../../etc/passwd"),
        ("timezone", "America"),
        ("timezone", "UTC\0"),
        ("timezone", "x" * 10_000),
        ("timezone", "+24:00"),
        ("timezone", "+5"),
        ("timezone", "GMT+2"),
        ("timezone", ""),
        ("timezone", None),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_what_is_accepted(field: str, value: Any) -> None:
    fields = {"start": "08:00", "end": "18:00", "timezone": "UTC"} | {field: value}
    with pytest.raises(InvalidInputError) as caught:
        ActiveHours(**fields)
    accepted = "Europe/Berlin" if field == "timezone" else "00:00"
    assert all(part in str(caught.value) for part in (f"ActiveHours.{field}", repr(value), accepted))


@pytest.mark.parametrize("name", ["utc", "Utc", "europe/BERLIN", "GMT0", "etc/gmt+5", "+05", "-0330"])
def test_zone_names_in_any_case_and_offsets_are_known(name: str) -> None:
    ActiveHours("08:00", "18:00", name)
