"""Exponential backoff: how long to wait before a repetition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.backoff import Backoff, backoff_ms

DRAWS = st.floats(0, 1, exclude_max=True)
FACTORS = st.floats(1, 10)
SHARES = st.floats(0, 1)
WAITS_MS = st.integers(0, 10_000_000)


def plain_ms(repetition: int, base_ms: int = 1_000, cap_ms: int = 300_000, factor: float = 2.0) -> int:
    """Without anything left to chance."""
    return backoff_ms(base_ms=base_ms, factor=factor, cap_ms=cap_ms, jitter=0, repetition=repetition, draw=0.5)


@pytest.mark.parametrize(
    ("repetition", "expected_ms"), [(0, 1_000), (1, 2_000), (2, 4_000), (8, 256_000), (9, 300_000), (10, 300_000)]
)
def test_each_wait_is_longer_by_the_factor_up_to_the_cap(repetition: int, expected_ms: int) -> None:
    assert plain_ms(repetition) == expected_ms


def test_a_base_beyond_the_cap_waits_for_the_cap() -> None:
    assert plain_ms(0, base_ms=500, cap_ms=400) == 400


def test_a_base_of_0_never_waits() -> None:
    assert plain_ms(1_000, base_ms=0) == 0


def test_a_factor_of_1_always_waits_the_same() -> None:
    assert plain_ms(10**6, factor=1) == 1_000


def test_any_number_of_repetitions_is_answered() -> None:
    assert plain_ms(10**6) == 300_000
    assert plain_ms(10**6, base_ms=0) == 0


@pytest.mark.parametrize(("draw", "expected_ms"), [(0.0, 1_000), (0.5, 900), (0.999_999, 800)])
def test_jitter_shortens_the_wait_by_its_share_at_most(draw: float, expected_ms: int) -> None:
    assert backoff_ms(base_ms=1_000, factor=2, cap_ms=9_000, jitter=0.2, repetition=0, draw=draw) == expected_ms


@given(WAITS_MS, FACTORS, WAITS_MS, SHARES, st.integers(0, 100), DRAWS)
def test_a_wait_is_between_its_share_and_the_cap(
    base_ms: int, factor: float, cap_ms: int, jitter: float, repetition: int, draw: float
) -> None:
    def wait_ms(jitter: float) -> int:
        return backoff_ms(
            base_ms=base_ms, factor=factor, cap_ms=cap_ms, jitter=jitter, repetition=repetition, draw=draw
        )

    full_ms, short_ms = wait_ms(0), wait_ms(jitter)
    assert min(base_ms, cap_ms) <= full_ms <= cap_ms
    assert full_ms * (1 - jitter) - 1 <= short_ms <= full_ms


@given(WAITS_MS, FACTORS, WAITS_MS, st.integers(0, 100))
def test_no_wait_is_shorter_than_the_one_before(base_ms: int, factor: float, cap_ms: int, repetition: int) -> None:
    assert plain_ms(repetition, base_ms, cap_ms, factor) <= plain_ms(repetition + 1, base_ms, cap_ms, factor)


def test_a_policy_is_given_as_durations() -> None:
    policy = Backoff(base="2s", cap="1m", factor=3, jitter=0.5)
    assert [policy.delay_ms(repetition, 0.0) for repetition in range(5)] == [2_000, 6_000, 18_000, 54_000, 60_000]
    assert policy.delay_ms(0, 0.5) == 1_500


def test_the_default_policy() -> None:
    policy = Backoff()
    assert (policy.base_ms, policy.cap_ms, policy.factor, policy.jitter) == (1_000, 300_000, 2.0, 0.2)


@pytest.mark.parametrize("wrong", [{"factor": 0.99}, {"jitter": -0.01}, {"jitter": 1.01}, {"base": "soon"}])
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Backoff(**wrong)
