"""When turns start, and what a failed or held one leaves. The ids (A4, C1, ...) are those of the scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import FREE, OPS, texts, world_of
from wakeward.protocols.backoff import Backoff
from wakeward.protocols.config import HeartbeatSchedule, QueuePolicy, RetryPolicy
from wakeward.protocols.schedule.active_hours import ActiveHours
from wakeward.protocols.schedule.heartbeat import phase_ms
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.turn import BUSY_KINDS, Failed, Outcome, Ran, Skipped
from wakeward.protocols.wakes.wake import Intent, Source


def test_C3_a_burst_is_one_turn_with_all_events_and_all_reasons() -> None:
    world = world_of()
    for number in range(10):
        world.notify(OPS, f"event {number}", source="hook", intent="immediate", reason=f"r{number}", coalesce_ms=250)
    world.advance(250)
    (turn,) = world.started
    assert [event.text for event in turn.events] == [f"event {number}" for number in range(10)]
    assert turn.reasons == tuple(f"r{number}" for number in range(10))
    assert world.counts["ops"].coalesced == 9


@pytest.mark.parametrize("reason", sorted(kind.value for kind in BUSY_KINDS))
@pytest.mark.parametrize("intent", ["event", "immediate", "manual", "task", "scheduled"])
def test_D2_a_busy_skip_moves_nothing_and_tries_again(reason: str, intent: str) -> None:
    world = world_of(interval_ms=1_800_000)
    world.wake(OPS, "hook", intent, coalesce_ms=0)
    world.end(Skipped(reason))
    clock = world.states["ops"].clock
    assert (clock.last_started_ms, clock.next_due_ms, clock.recent_starts_ms, clock.running_ms) == (None, 0, (), ())
    world.advance(60_000)
    assert len(world.started) == 2


@pytest.mark.parametrize(
    "outcome",
    [Ran(), Skipped("quiet-hours"), Skipped("not-due"), Skipped("flood"), Skipped("preempted"), Failed("x")],
)
def test_D1_no_outcome_leaves_events_without_a_way_on(outcome: Outcome) -> None:
    world = world_of(queue=QueuePolicy(shown_max=1))
    world.notify(OPS, "one")
    world.notify(OPS, "two")
    world.end(outcome)
    for _ in range(10):
        world.advance(600_000)
        while world.active:
            world.end()
    assert world.states["ops"].events_retained == 0
    assert world.outstanding == 0


def test_H1_a_transient_failure_is_tried_a_bounded_number_of_times_then_parked_and_reported_once() -> None:
    retry = RetryPolicy(attempts_max=3, backoff=Backoff(base=1, jitter=0.0))
    world = world_of(cooldown=FREE, retry=retry)
    world.notify(OPS, "poison")
    starts: list[int] = []
    while world.active:
        starts.append(world.end(Failed("no quota")).started_at_ms)
        world.advance(60_000)
    assert starts == [0, 1_000, 63_000 - 1_000]
    assert len(world.kinds(DecisionKind.PARKED)) == 1
    assert world.states["ops"].events_retained == 1
    world.wake(OPS, coalesce_ms=0)
    assert texts(world) == ["poison"]
    assert world.started[-1].events[0].redelivered


def test_H2_a_permanent_failure_is_not_tried_again() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "poison")
    world.end(Failed("bad key", transient=False))
    world.advance(3_600_000)
    assert len(world.started) == 1
    assert len(world.kinds(DecisionKind.PARKED)) == 1


def test_M2_reconfiguring_fires_nothing_twice_and_keeps_the_guards() -> None:
    world = world_of(interval_ms=60_000, heartbeat=HeartbeatSchedule(60_000, phase_ms=0))
    world.notify(OPS, "one")
    world.end()
    settings = world.states["ops"].settings
    for _ in range(10):
        world.configure(settings)
    world.notify(OPS, "two")
    assert len(world.started) == 1
    world.advance(30_000)
    world.end()
    world.advance(30_000)
    assert [(turn.started_at_ms, turn.source) for turn in world.started] == [
        (0, "exec-event"),
        (30_000, "exec-event"),
        (60_000, "interval"),
    ]


def test_C1_a_turn_that_starts_a_command_each_time_cannot_run_away() -> None:
    world = world_of(interval_ms=1_800_000)
    exits = iter(range(10_000))

    def feed(request: Any) -> None:
        world.at(world.now_ms + 400, lambda: world.end(turn_id=request.turn_id))
        world.at(world.now_ms + 500, lambda: world.notify(OPS, f"exit {next(exits)}"))

    world.on_start = feed
    world.notify(OPS, "the spark")
    world.advance(1_800_000)
    assert [turn.started_at_ms for turn in world.started] == [30_000 * n for n in range(61)]
    shown = [event.text for turn in world.started for event in turn.events]
    assert shown == ["the spark", *(f"exit {n}" for n in range(60))]


def test_C7_heartbeat_are_spread() -> None:
    phases = {phase_ms("seed", f"agent-{n}", 1_800_000) for n in range(50)}
    assert len(phases) > 45


def test_M1_an_interval_of_a_month_neither_spins_nor_overflows() -> None:
    month_ms = 30 * 86_400_000
    world = world_of(interval_ms=month_ms, heartbeat=HeartbeatSchedule(month_ms, phase_ms=5))
    world.on_start = lambda request: world.at(world.now_ms + 10, lambda: world.end(turn_id=request.turn_id))
    world.advance(3 * month_ms)
    assert [turn.started_at_ms for turn in world.started] == [5, month_ms + 5, 2 * month_ms + 5]


def test_M4_a_span_that_was_missed_makes_one_heartbeat_not_many() -> None:
    world = world_of(interval_ms=60_000, heartbeat=HeartbeatSchedule(60_000))
    world.on_start = lambda request: world.at(world.now_ms, lambda: world.end(turn_id=request.turn_id))
    world.advance(60_000)
    world.driver.jump(1_200_000)
    world.advance(0)
    assert len(world.started) == 2
    world.advance(60_000)
    assert len(world.started) == 3


def test_N1_every_decision_has_a_record_with_its_reason_and_its_instant() -> None:
    world = world_of()
    world.notify(OPS, "one", reason="deploy")
    world.end()
    world.notify(OPS, "two", reason="deploy")
    seen = [(d.kind.value, d.reason, d.until_ms) for d in world.decisions]
    assert seen == [
        ("event", "deploy", None),
        ("accepted", "deploy", None),
        ("started", "deploy", None),
        ("ran", "deploy", None),
        ("event", "deploy", None),
        ("accepted", "deploy", None),
        ("deferred", "min-spacing", 30_000),
    ]


@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("intent", [intent for intent in Intent if intent is not Intent.MANUAL])
def test_C2_nothing_but_a_manual_wake_passes_the_flood_guard(source: Source, intent: Intent) -> None:
    world = world_of()
    for _ in range(6):
        world.wake(OPS, source, Intent.IMMEDIATE, coalesce_ms=0)
        if world.active:
            world.end()
    assert len(world.started) == 5
    world.wake("agent:ops:other", source, intent, coalesce_ms=0)
    assert len(world.started) == 5


def test_C6_a_failing_handler_is_not_called_in_a_loop() -> None:
    world = world_of(cooldown=FREE)
    world.on_start = lambda request: world.at(world.now_ms, lambda: world.end(Failed("429"), request.turn_id))
    world.notify(OPS, "one")
    world.advance(24 * 3_600_000)
    assert len(world.started) == 5


def test_D3_a_heartbeat_that_is_held_settles_its_waiter_at_once() -> None:
    world = world_of(interval_ms=1_800_000)
    world.notify(OPS, "one")
    world.end()
    settled: list[Any] = []
    world.wake(OPS, "interval", "scheduled", coalesce_ms=0, settle=settled.append)
    assert settled == [Skipped("not-due", 1_800_000)]


def test_M3_heartbeat_keep_to_the_active_hours() -> None:
    day_ms = 86_400_000
    hours = ActiveHours("08:00", "18:00", "UTC")
    world = world_of(interval_ms=3_600_000, heartbeat=HeartbeatSchedule(3_600_000, 0, hours), cooldown=FREE)
    world.on_start = lambda request: world.at(world.now_ms, lambda: world.end(turn_id=request.turn_id))
    world.advance(2 * day_ms)
    beats = [turn.started_at_ms // 3_600_000 % 24 for turn in world.started]
    assert beats == [*range(8, 18)] * 2
