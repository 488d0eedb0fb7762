from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.restart import (
    FRESH,
    GiveUp,
    Restart,
    RestartHistory,
    RestartSpec,
    RestartType,
    decide_restart,
    delay_ms,
)

SPECS = st.builds(
    RestartSpec,
    restart_type=st.just(RestartType.TRANSIENT),
    intensity=st.integers(0, 6),
    period_ms=st.integers(1, 5_000),
    backoff_first_ms=st.integers(0, 500),
    backoff_factor=st.floats(1, 4),
    backoff_cap_ms=st.integers(0, 2_000),
    jitter=st.floats(0, 1),
    reset_after_ms=st.integers(1, 5_000),
)
DRAWS = st.floats(0, 1, exclude_max=True)
CRASHES = st.lists(st.tuples(st.integers(0, 3_000), DRAWS), max_size=30)


def decide(
    spec: RestartSpec, history: RestartHistory = FRESH, *, now_ms: int = 0, crashed: bool = True
) -> Restart | GiveUp:
    return decide_restart(spec, history, now_ms=now_ms, crashed=crashed, draw=0.0)


@pytest.mark.parametrize(
    ("restart_type", "crashed", "restarts"),
    [
        (RestartType.PERMANENT, True, True),
        (RestartType.PERMANENT, False, True),
        (RestartType.TRANSIENT, True, True),
        (RestartType.TRANSIENT, False, False),
        (RestartType.TEMPORARY, True, False),
        (RestartType.TEMPORARY, False, False),
    ],
)
def test_restart_type(restart_type: RestartType, crashed: bool, restarts: bool) -> None:
    decision = decide(RestartSpec(restart_type=restart_type), crashed=crashed)
    assert isinstance(decision, Restart) is restarts
    if isinstance(decision, GiveUp):
        assert not decision.exhausted


def test_one_restart_too_many_within_the_window() -> None:
    spec = RestartSpec(intensity=2, period_ms=1_000, backoff_first_ms=0)
    history = FRESH
    for now_ms in (0, 400):
        decision = decide(spec, history, now_ms=now_ms)
        assert isinstance(decision, Restart)
        history = decision.history
    assert decide(spec, history, now_ms=999) == GiveUp("2 restarts in 1000 ms, at most 2", exhausted=True)
    assert isinstance(decide(spec, history, now_ms=1_000), Restart)


def test_backoff_doubles_up_to_the_cap() -> None:
    spec = RestartSpec(backoff_first_ms=100, backoff_cap_ms=1_000)
    assert [delay_ms(spec, streak, 0.0) for streak in range(1, 7)] == [100, 200, 400, 800, 1_000, 1_000]
    assert delay_ms(spec, 10**9, 0.0) == 1_000


def test_jitter_takes_away_up_to_its_part() -> None:
    spec = RestartSpec(backoff_first_ms=1_000, jitter=0.25)
    assert [delay_ms(spec, 1, draw) for draw in (0.0, 0.5, 0.999999)] == [1_000, 875, 750]


def test_a_quiet_time_resets_the_backoff() -> None:
    spec = RestartSpec(intensity=9, backoff_first_ms=100, reset_after_ms=5_000, period_ms=60_000)
    history = RestartHistory((0, 100, 300), streak=3, due_ms=700)
    assert decide(spec, history, now_ms=5_699) == Restart(6_499, RestartHistory((0, 100, 300, 5_699), 4, 6_499))
    assert decide(spec, history, now_ms=5_700) == Restart(5_800, RestartHistory((0, 100, 300, 5_700), 1, 5_800))


@given(SPECS, CRASHES)
def test_never_more_restarts_in_a_window_than_allowed(spec: RestartSpec, crashes: list[tuple[int, float]]) -> None:
    now_ms, history, restarts = 0, FRESH, list[int]()
    for gap_ms, draw in crashes:
        now_ms += gap_ms
        decision = decide_restart(spec, history, now_ms=now_ms, crashed=True, draw=draw)
        recent = [at for at in restarts if now_ms - at < spec.period_ms]
        assert isinstance(decision, Restart) is (len(recent) < spec.intensity)
        if isinstance(decision, Restart):
            restarts.append(now_ms)
            history = decision.history
            assert len(history.restarts_ms) <= spec.intensity


@given(SPECS, st.integers(1, 100), DRAWS)
def test_a_delay_is_within_its_bounds(spec: RestartSpec, streak: int, draw: float) -> None:
    whole = delay_ms(spec, streak, 0.0)
    assert whole * (1 - spec.jitter) - 1 <= delay_ms(spec, streak, draw) <= whole
    assert whole <= max(spec.backoff_cap_ms, 0)
    assert whole <= delay_ms(spec, streak + 1, 0.0)


@given(SPECS, CRASHES)
def test_the_restart_is_never_in_the_past(spec: RestartSpec, crashes: list[tuple[int, float]]) -> None:
    now_ms, history = 0, FRESH
    for gap_ms, draw in crashes:
        now_ms += gap_ms
        decision = decide_restart(spec, history, now_ms=now_ms, crashed=True, draw=draw)
        if isinstance(decision, Restart):
            assert now_ms <= decision.at_ms <= now_ms + spec.backoff_cap_ms
            history = decision.history


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intensity", -1),
        ("period_ms", 0),
        ("backoff_first_ms", -1),
        ("backoff_factor", 0.5),
        ("backoff_cap_ms", -1),
        ("jitter", 1.5),
        ("reset_after_ms", 0),
        ("retries_max", -1),
    ],
)
def test_a_bad_spec_says_which_field(name: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=rf"RestartSpec\({name}={value}\): "):
        RestartSpec(**{name: value})  # pyright: ignore[reportArgumentType]  by name, over all fields
