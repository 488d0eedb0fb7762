"""What the end of a turn means for its wake, for every outcome and every wake."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.backoff import Backoff
from wakeward.protocols.config import RetryPolicy
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.wakes.after_turn import (
    BACKOFF,
    RETAINED_INTENTS,
    AfterTurn,
    BlockUntil,
    Done,
    Park,
    RetryAt,
    after_turn,
)
from wakeward.protocols.wakes.pending import PendingWake
from wakeward.protocols.wakes.turn import BUSY_KINDS, Failed, Outcome, Ran, SkipKind, Skipped
from wakeward.protocols.wakes.wake import Intent, Source, WakeTask

NOW: Final = 1_000_000
GUARDS: Final = (SkipKind.NOT_DUE, SkipKind.MIN_SPACING, SkipKind.FLOOD)
TASK: Final = WakeTask("nightly")
POLICY: Final = RetryPolicy(attempts_max=3, backoff=Backoff(base=1, cap=300, jitter=0.0), busy=2, idle=60)


def skipped(kind: SkipKind, retry_at_ms: int | None, reason: str) -> Skipped:
    return Skipped(reason, retry_at_ms, kind=kind)


def some_wake(source: Source, intent: Intent, attempt: int, tasks: tuple[WakeTask, ...], retained: bool) -> PendingWake:
    return PendingWake(source, intent, "why", NOW - 10, NOW - 10, attempt=attempt, tasks=tasks, retained=retained)


SKIPS = st.builds(
    skipped,
    st.sampled_from(SkipKind),
    st.none() | st.integers(NOW, NOW + 1_000_000),
    st.sampled_from(["not now", "a reason"]),
)
FAILURES = st.builds(Failed, st.text(max_size=10), st.booleans())
OUTCOMES = st.builds(Ran, st.none() | st.text(max_size=5)) | SKIPS | FAILURES
WAKES = st.builds(
    some_wake,
    st.sampled_from(Source),
    st.sampled_from(Intent),
    st.integers(0, 12),
    st.sampled_from([(), (TASK,)]),
    st.booleans(),
)
POLICIES = st.builds(
    RetryPolicy,
    attempts_max=st.integers(1, 10),
    backoff=st.builds(Backoff, base=st.integers(0, 10), cap=st.integers(10, 600), jitter=st.floats(0, 1)),
    busy=st.integers(0, 100),
    idle=st.integers(0, 100),
)
DRAWS = st.floats(0, 1, exclude_max=True)


def pending(intent: Intent = Intent.EVENT, source: Source = Source.HOOK, attempt: int = 0) -> PendingWake:
    return PendingWake(source, intent, "why", NOW, NOW, attempt=attempt)


def after(outcome: Outcome, wake: PendingWake | None = None, policy: RetryPolicy = POLICY) -> AfterTurn:
    return after_turn(outcome, wake or pending(), policy, now_ms=NOW, draw=0.0)


@given(OUTCOMES, WAKES, POLICIES, DRAWS)
def test_exactly_one_thing_follows_and_never_in_the_past(
    outcome: Outcome, wake: PendingWake, policy: RetryPolicy, draw: float
) -> None:
    result = after_turn(outcome, wake, policy, now_ms=NOW, draw=draw)
    match result.next:
        case Done(rest_at_ms=at_ms) | RetryAt(at_ms=at_ms) | BlockUntil(at_ms=at_ms):
            assert at_ms >= NOW
        case Park():
            assert isinstance(outcome, Failed)
    assert result.failed == isinstance(outcome, Failed)


@given(OUTCOMES, WAKES, POLICIES, DRAWS)
def test_a_start_counts_unless_nothing_was_done(
    outcome: Outcome, wake: PendingWake, policy: RetryPolicy, draw: float
) -> None:
    """A busy skip is no start, and neither is a turn for an exit that somebody was shown meanwhile."""
    nothing_done = isinstance(outcome, Skipped) and (
        outcome.kind in BUSY_KINDS or (outcome.kind is SkipKind.NO_PENDING_EVENT and wake.source is Source.EXEC_EVENT)
    )
    assert after_turn(outcome, wake, policy, now_ms=NOW, draw=draw).counts != nothing_done


@given(SKIPS.filter(lambda skip: skip.is_busy), WAKES, POLICIES)
def test_a_busy_skip_keeps_the_wake_and_says_what_holds_it(
    skipped: Skipped, wake: PendingWake, policy: RetryPolicy
) -> None:
    following = after(skipped, wake, policy).next
    match following:
        case BlockUntil():
            assert following.at_ms == NOW + policy.busy_ms
        case RetryAt():
            assert following.at_ms == NOW + policy.idle_ms
        case _:
            pytest.fail(f"the wake is lost: {following}")
    assert (following.held_by, following.reason) == (skipped.kind.value, skipped.reason)


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("kind", [kind for kind in SkipKind if kind in BUSY_KINDS])
def test_who_waits_for_idle_after_a_busy_skip(kind: SkipKind, intent: Intent) -> None:
    """A session that talks to somebody is not pressed by what nobody waits for (openclaw#123458)."""
    always = kind in (SkipKind.PREEMPTED, SkipKind.CHANNEL_NOT_READY)
    patient = intent in (Intent.SCHEDULED, Intent.TASK) and kind is not SkipKind.CRON_IN_PROGRESS
    expected = RetryAt if always or patient else BlockUntil
    assert type(after(Skipped(kind.value), pending(intent)).next) is expected


@given(st.sampled_from(GUARDS), st.none() | st.integers(NOW, NOW + 99_999), WAKES)
def test_work_that_a_guard_holds_is_kept(kind: SkipKind, retry_at_ms: int | None, wake: PendingWake) -> None:
    following = after(Skipped(kind.value, retry_at_ms), wake).next
    if wake.tasks or wake.intent in RETAINED_INTENTS:
        at_ms = NOW + POLICY.busy_ms if retry_at_ms is None else retry_at_ms
        assert following == RetryAt(at_ms, kind.value, kind.value)
    else:  # the next heartbeat comes by itself, and a person asks again
        assert following == Done(NOW + POLICY.idle_ms)


def test_which_work_a_guard_holds_back() -> None:
    kept = {intent for intent in Intent if isinstance(after(Skipped("flood"), pending(intent)).next, RetryAt)}
    assert kept == {Intent.EVENT, Intent.TASK, Intent.IMMEDIATE}
    heartbeat = evolve(pending(Intent.SCHEDULED), tasks=(TASK,))
    assert isinstance(after(Skipped("flood"), heartbeat).next, RetryAt)


@pytest.mark.parametrize("reason", ["no-pending-event", "nothing to say"])
def test_what_is_left_after_another_skip_waits_for_idle(reason: str) -> None:
    assert after(Skipped(reason)) == AfterTurn(counts=True, failed=False, next=Done(NOW + POLICY.idle_ms))


def test_what_is_left_after_a_turn_that_ran_waits_for_nothing() -> None:
    assert after(Ran("done")) == AfterTurn(counts=True, failed=False, next=Done(NOW))


@given(POLICIES, WAKES, DRAWS)
def test_tries_are_bounded(policy: RetryPolicy, wake: PendingWake, draw: float) -> None:
    tries = 1
    wake = evolve(wake, attempt=0)
    while isinstance(after_turn(Failed("down"), wake, policy, now_ms=NOW, draw=draw).next, RetryAt):
        wake = evolve(wake, attempt=wake.attempt + 1)
        tries += 1
        assert tries <= policy.attempts_max
    assert tries == policy.attempts_max


@given(WAKES.filter(lambda wake: wake.attempt < 9), POLICIES, DRAWS)
def test_a_failure_is_tried_again_within_the_cap(wake: PendingWake, policy: RetryPolicy, draw: float) -> None:
    policy = evolve(policy, attempts_max=10)
    following = after_turn(Failed("down"), wake, policy, now_ms=NOW, draw=draw).next
    assert isinstance(following, RetryAt)
    assert NOW <= following.at_ms <= NOW + policy.backoff.cap_ms
    assert following.at_ms == NOW + policy.backoff.delay_ms(wake.attempt, draw)
    assert (following.held_by, following.reason) == (BACKOFF, "down")


def test_the_waits_between_tries_grow() -> None:
    policy = evolve(POLICY, attempts_max=10)
    steps = [after(Failed("down"), pending(attempt=attempt), policy).next for attempt in range(3)]
    assert [step.at_ms - NOW for step in steps if isinstance(step, RetryAt)] == [1_000, 2_000, 4_000]


@pytest.mark.parametrize(
    ("failed", "attempt", "reason"),
    [
        (Failed("down"), 2, "after 3 tries: down"),
        (Failed("no such model", transient=False), 0, "after 1 tries: no such model"),
    ],
)
def test_the_last_failure_parks(failed: Failed, attempt: int, reason: str) -> None:
    expected = AfterTurn(counts=True, failed=True, next=Park(reason))
    assert after(failed, pending(attempt=attempt)) == expected


@pytest.mark.parametrize("kind", [kind.value for kind in SkipKind])
def test_a_reason_that_nearly_names_a_kind_is_refused(kind: str) -> None:
    assert Skipped(kind).kind.value == kind
    for written in (kind.upper(), f" {kind}", kind.replace("-", "_"), kind[:-1], kind + "s"):
        if written != kind:
            with pytest.raises(InvalidInputError, match=f"did you mean '{kind}'"):
                Skipped(written)
            assert Skipped(written, kind=SkipKind.DECLINED).kind is SkipKind.DECLINED


@pytest.mark.parametrize("reason", ["", "nothing to do", "busy", "run", "pending event of another agent"])
def test_a_reason_in_other_words_declines(reason: str) -> None:
    assert Skipped(reason).kind is SkipKind.DECLINED
