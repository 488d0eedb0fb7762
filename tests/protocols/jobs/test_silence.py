from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.record import Contract, JobRecord, KeptSpec
from wakeward.protocols.jobs.silence import (
    STANDSTILL_MS,
    OutputMark,
    SilenceStep,
    look_for_silence,
    next_look_ms,
)

NOTHING = OutputMark(0, None)


def job(**limits: int | None) -> JobRecord:
    kept: dict[str, Any] = dict(limits)
    return JobRecord("a", "boot", KeptSpec("x", **kept), Contract("ops", "agent:ops:main"), 100, 100)


def test_without_a_limit_nobody_looks() -> None:
    assert next_look_ms(job(), NOTHING, 100) is None


def test_output_puts_the_next_look_off() -> None:
    record = job(no_output_timeout_ms=1_000, silence_notice_ms=700)
    assert next_look_ms(record, NOTHING, 100) == 800
    assert next_look_ms(record, OutputMark(3, 500), 500) == 1_200


def test_a_silence_is_reported_once_and_again_after_new_output() -> None:
    first = look_for_silence(job(silence_notice_ms=1_000), NOTHING, due_ms=1_100, now_ms=1_100)
    assert (first.step, first.silent_ms) == (SilenceStep.REPORT, 1_000)
    assert look_for_silence(first.record, NOTHING, due_ms=9_000, now_ms=9_000).step is SilenceStep.WAIT
    spoken = OutputMark(5, 9_000)
    assert look_for_silence(first.record, spoken, due_ms=9_500, now_ms=9_500).step is SilenceStep.WAIT
    assert look_for_silence(first.record, spoken, due_ms=10_000, now_ms=10_000).step is SilenceStep.REPORT


def test_after_a_standstill_silence_starts_again() -> None:
    record = job(no_output_timeout_ms=1_000)
    late = look_for_silence(record, NOTHING, due_ms=1_100, now_ms=1_101 + STANDSTILL_MS)
    assert (late.step, late.silent_ms) == (SilenceStep.WAIT, 0)
    assert next_look_ms(late.record, NOTHING, 1_101 + STANDSTILL_MS) == 2_101 + STANDSTILL_MS
    assert look_for_silence(record, NOTHING, due_ms=1_100, now_ms=1_100 + STANDSTILL_MS).step is SilenceStep.END


@given(
    st.none() | st.integers(1, 10_000),
    st.none() | st.integers(1, 10_000),
    st.none() | st.integers(0, 20_000),
    st.integers(0, 30_000),
    st.none() | st.just(7),
)
def test_a_look_at_its_instant_is_never_in_vain(
    limit_ms: int | None, after_ms: int | None, last_ms: int | None, later_ms: int, reported: int | None
) -> None:
    """At the named instant something is to be done, unless output came or the silence is reported; before it, never."""
    record = job(no_output_timeout_ms=limit_ms, silence_notice_ms=after_ms).moved(reported_bytes=reported)
    output = OutputMark(7, last_ms)
    now_ms = max(100, last_ms or 0) + later_ms
    due_ms = next_look_ms(record, output, now_ms)
    if due_ms is None:
        assert limit_ms is None
        assert after_ms is None
        return
    early_ms = due_ms - 1
    assert look_for_silence(record, output, due_ms=early_ms, now_ms=early_ms).step is SilenceStep.WAIT or reported
    if reported is None:
        assert look_for_silence(record, output, due_ms=due_ms, now_ms=due_ms).step is not SilenceStep.WAIT
