from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.backoff import Backoff
from wakeward.protocols.config import AgentOptions, HostConfig, RetryPolicy
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.values.duration import (
    DURATION_MS_MAX,
    DURATION_PART_LENGTH_MAX,
    Unit,
    duration_ms,
    format_duration,
    parse_duration_ms,
)
from wakeward.protocols.wakes.cooldown import CooldownPolicy


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("30m", 1_800_000),
        ("1h30m", 5_400_000),
        ("45", 45_000),
        (90, 90_000),
        (0, 0),
        (0.25, 250),
        (1e-4, 0),
        (0.0005, 1),
        (timedelta(minutes=30), 1_800_000),
        (timedelta(microseconds=499), 0),
        (timedelta(microseconds=500), 1),
        (timedelta(milliseconds=DURATION_MS_MAX), DURATION_MS_MAX),
    ],
)
def test_a_duration_in_any_form(value: Any, ms: int) -> None:
    assert duration_ms(value) == ms


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-5m",
        "1h 30m",
        -1,
        -0.001,
        float("nan"),
        float("inf"),
        2**53,
        timedelta(milliseconds=-1),
        timedelta.max,
        True,
        None,
        [],
    ],
)
def test_what_is_no_duration_is_named_with_what_is_accepted(value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        duration_ms(value)
    assert repr(value) in str(caught.value)
    assert "1h30m" in str(caught.value)


@pytest.mark.parametrize(("unit", "ms"), [("ms", 2), ("s", 2000), ("m", 120_000), ("h", 7_200_000)])
def test_a_bare_number_has_the_default_unit_as_text_and_as_number(unit: Unit, ms: int) -> None:
    assert duration_ms(2, default_unit=unit) == duration_ms("2", default_unit=unit) == ms


def test_a_sum_is_rounded_once_and_added_up_in_order() -> None:
    assert parse_duration_ms("0.4ms0.4ms") == 1
    # With compensated summation this would be 4503599627370497.
    assert parse_duration_ms("4503599627370496ms0.25ms0.25ms") == 2**52


def test_a_number_just_below_a_half_is_rounded_down() -> None:
    assert parse_duration_ms("0.49999999999999994ms") == 0


def test_the_bound_is_the_last_exact_integer() -> None:
    assert parse_duration_ms(f"{DURATION_MS_MAX}ms") == DURATION_MS_MAX
    with pytest.raises(InvalidInputError, match="at most"):
        parse_duration_ms(f"{DURATION_MS_MAX + 1}ms")


def test_one_number_is_bounded_in_length_and_many_are_not() -> None:
    longest = "0" * (DURATION_PART_LENGTH_MAX - 2) + "1s"
    assert parse_duration_ms(longest) == 1000
    with pytest.raises(InvalidInputError, match="100 characters"):
        parse_duration_ms("0" + longest)
    assert parse_duration_ms("1s" * 10_000) == 10_000_000


@given(st.integers(0, DURATION_MS_MAX))
def test_format_is_read_back_exactly(ms: int) -> None:
    assert parse_duration_ms(format_duration(ms)) == ms


@given(st.timedeltas(min_value=timedelta(0)).map(lambda value: value // timedelta(seconds=1)))
def test_a_number_of_seconds_and_a_timedelta_agree(seconds: int) -> None:
    if seconds * 1000 <= DURATION_MS_MAX:
        assert duration_ms(seconds) == duration_ms(timedelta(seconds=seconds)) == seconds * 1000


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (250, "250ms"),
        (5_400_000, "1h30m"),
        (86_400_000, "1d"),
        (93_784_005, "1d2h3m4s5ms"),
    ],
)
def test_format(ms: int, text: str) -> None:
    assert format_duration(ms) == text


def test_a_negative_duration_is_not_formatted() -> None:
    with pytest.raises(InvalidInputError, match="-1"):
        format_duration(-1)


def test_a_value_with_durations_can_be_copied() -> None:
    policy = RetryPolicy(busy="2s", backoff=Backoff(base="3s"))
    assert evolve(policy, attempts_max=2) == RetryPolicy(attempts_max=2, busy="2s", backoff=Backoff(base="3s"))
    assert evolve(evolve(CooldownPolicy(min_spacing="5s"))) == CooldownPolicy(min_spacing=5)
    assert evolve(HostConfig(drain_grace="5s"), main_key="x").drain_grace_ms == 5_000
    assert evolve(AgentOptions(turn_timeout="5s"), turns_max=1).turn_timeout_ms == 5_000
