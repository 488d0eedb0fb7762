"""What users suffer from, as tests of the agent and the router. The ids (A4, C1, ...) are those of the scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import FREE, OPS, texts, world_of
from wakeward.protocols.backoff import Backoff
from wakeward.protocols.config import HeartbeatSchedule, QueuePolicy, RetryPolicy
from wakeward.protocols.receipt import Refusal
from wakeward.protocols.schedule.active_hours import ActiveHours
from wakeward.protocols.schedule.heartbeat import phase_ms
from wakeward.protocols.sessions.locate import locate
from wakeward.protocols.sessions.route import Routing
from wakeward.protocols.wakes.cooldown import CooldownPolicy
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.event_queue import QueueOverflow
from wakeward.protocols.wakes.messages import NoticeSeen
from wakeward.protocols.wakes.turn import BUSY_KINDS, Failed, Outcome, Ran, Skipped
from wakeward.protocols.wakes.wake import Intent, Source


def test_A1_an_exit_causes_a_turn_that_sees_it() -> None:
    world = world_of(interval_ms=1_800_000)
    world.notify(OPS, "Exec completed (amber-re, code 0) :: hi")
    assert texts(world) == ["Exec completed (amber-re, code 0) :: hi"]
    world.end()
    assert not world.states["ops"].sessions


def test_A3_without_a_cadence_targeted_wakes_run() -> None:
    world = world_of()
    world.notify(OPS, "one")
    world.end()
    world.advance(29_999)
    world.notify(OPS, "two")
    assert len(world.started) == 1
    world.advance(1)
    assert texts(world) == ["two"]


def test_A4_a_second_exit_is_not_dropped_because_the_first_moved_the_schedule() -> None:
    world = world_of(interval_ms=1_800_000, cooldown=CooldownPolicy())
    world.notify(OPS, "first")
    world.end()
    world.advance(10_000)
    world.notify(OPS, "second")
    (held,) = world.kinds(DecisionKind.DEFERRED)
    assert (held.reason, held.until_ms) == ("not-due", 30_000)
    world.advance(20_000)
    assert texts(world) == ["second"]
    assert world.started[-1].started_at_ms == 30_000


def test_B1_one_exit_one_turn_one_agent() -> None:
    world = world_of("ops", "dev", "sec")
    world.notify("agent:dev:main", "done")
    assert [turn.agent_id for turn in world.started] == ["dev"]


@pytest.mark.parametrize("key", ["global", "node-7", "agent:ghost:main", "agent:", "", "nonsense"])
def test_B1_a_key_without_an_owner_is_refused_with_its_reason(key: str) -> None:
    world = world_of("ops", "dev")
    settled: list[Any] = []
    world.notify(key, "done", settle=settled.append)
    (refused,) = world.kinds(DecisionKind.REFUSED)
    assert repr(key) in refused.reason or "'ghost'" in refused.reason
    assert world.started == []
    assert not settled[0]


def test_B1_a_key_without_an_owner_goes_to_the_agent_the_configuration_names() -> None:
    world = world_of("ops", "dev")
    world.directory.configure(Routing(), "dev")
    world.notify("global", "done")
    assert [(turn.agent_id, turn.session_key) for turn in world.started] == [("dev", "agent:dev:global")]


def test_B4_a_key_of_another_agent_is_refused() -> None:
    world = world_of("ops", "dev")
    world.wake(OPS, agent_id="dev")
    (refused,) = world.kinds(DecisionKind.REFUSED)
    assert "belongs to agent 'ops', not to 'dev'" in refused.reason


def test_B2_a_quiet_event_waits_for_the_next_wake() -> None:
    world = world_of()
    world.notify("agent:ops:subagent:x", "done", intent=None)
    world.advance(3_600_000)
    assert world.started == []
    world.wake("agent:ops:subagent:x", coalesce_ms=0)
    assert texts(world) == ["done"]


def test_A7_a_cron_run_is_the_main_session() -> None:
    world = world_of()
    world.notify("agent:ops:cron:nightly:run:1:subagent:x", "done")
    assert [turn.session_key for turn in world.started] == [OPS]


def test_C3_a_burst_is_one_turn_with_all_events_and_all_reasons() -> None:
    world = world_of()
    for number in range(10):
        world.notify(OPS, f"event {number}", source="hook", intent="immediate", reason=f"r{number}", coalesce_ms=250)
    world.advance(250)
    (turn,) = world.started
    assert [event.text for event in turn.events] == [f"event {number}" for number in range(10)]
    assert turn.reasons == tuple(f"r{number}" for number in range(10))
    assert world.counts["ops"].coalesced == 9


def test_E1_one_turn_per_session_whatever_shape_the_key_has() -> None:
    world = world_of()
    world.wake(OPS, coalesce_ms=0)
    world.wake("AGENT:Ops:MAIN", coalesce_ms=0)
    world.wake(None, agent_id="OPS", coalesce_ms=0)
    assert len(world.started) == 1
    world.end()
    assert len(world.started) == 2
    assert world.started[1].reasons == ("hook", "hook")


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


def test_E3_events_of_a_turn_that_did_not_run_are_shown_again() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "one")
    world.end(Skipped("requests-in-flight"))
    world.notify(OPS, "two")
    world.advance(1_000)
    assert texts(world) == ["one", "two"]


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


def test_A10_at_the_bound_the_new_event_is_refused_and_nothing_accepted_is_lost() -> None:
    world = world_of(queue=QueuePolicy(capacity=2))
    settled: list[Any] = []
    world.wake(OPS, coalesce_ms=0)
    for text in ("one", "two", "three"):
        world.notify(OPS, text, settle=settled.append)
    assert [answer.refusal for answer in settled] == [None, None, Refusal.FULL]
    world.end()
    world.advance(30_000)
    assert texts(world) == ["one", "two"]


def test_A10_drop_oldest_is_a_choice_and_is_counted() -> None:
    world = world_of(queue=QueuePolicy(capacity=2, overflow=QueueOverflow.DROP_OLDEST))
    world.wake(OPS, coalesce_ms=0)
    for text in ("one", "two", "three"):
        world.notify(OPS, text)
    (dead,) = world.kinds(DecisionKind.DEAD)
    assert dead.text == "one"
    counts = world.counts["ops"]
    assert counts.events_accepted == counts.events_presented + world.states["ops"].events_retained + counts.events_dead


def test_F1_the_same_exit_twice_is_one_event_and_one_wake() -> None:
    world = world_of()
    settled: list[Any] = []
    world.wake(OPS, coalesce_ms=0)
    for _ in range(2):
        world.notify(OPS, "Exec completed", context_key="exec:1", settle=settled.append)
    assert [(bool(answer), answer.detail) for answer in settled] == [(True, ""), (True, "event 1 says it already")]
    assert world.counts["ops"].wakes == 2


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


def test_F2_an_exit_that_was_seen_is_not_announced_again() -> None:
    world = world_of()
    world.notify(OPS, "one")
    world.end()
    world.notify(OPS, "Exec completed (a)", context_key="exec:a")
    world.tell("router", NoticeSeen(OPS, "exec:a"))
    world.settle()
    world.advance(60_000)
    assert len(world.started) == 1
    counts = world.counts["ops"]
    assert (counts.events_accepted, counts.events_presented) == (2, 2)
    assert world.outstanding == 0


def test_F2_taking_one_exit_back_leaves_the_others_their_wake() -> None:
    world = world_of()
    world.notify(OPS, "one")
    world.end()
    for job in "ab":
        world.notify(OPS, f"Exec completed ({job})", context_key=f"exec:{job}")
    world.tell("router", NoticeSeen(OPS, "exec:a"))
    world.settle()
    world.advance(60_000)
    assert texts(world) == ["Exec completed (b)"]


def test_B5_a_targeted_wake_of_the_next_beat_does_not_strand_its_event() -> None:
    world = world_of(interval_ms=1_800_000, heartbeat=HeartbeatSchedule(1_800_000, phase_ms=60_000))
    world.notify("agent:ops:telegram:direct:7", "news", source="hook", intent="event")
    assert texts(world) == ["news"]


def test_C7_beats_are_spread() -> None:
    phases = {phase_ms("seed", f"agent-{n}", 1_800_000) for n in range(50)}
    assert len(phases) > 45


def test_M1_an_interval_of_a_month_neither_spins_nor_overflows() -> None:
    month_ms = 30 * 86_400_000
    world = world_of(interval_ms=month_ms, heartbeat=HeartbeatSchedule(month_ms, phase_ms=5))
    world.on_start = lambda request: world.at(world.now_ms + 10, lambda: world.end(turn_id=request.turn_id))
    world.advance(3 * month_ms)
    assert [turn.started_at_ms for turn in world.started] == [5, month_ms + 5, 2 * month_ms + 5]


def test_M4_a_span_that_was_missed_makes_one_beat_not_many() -> None:
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


@pytest.mark.parametrize("spelling", ["agent:ops:main", "Agent:OPS:Main", " agent:ops:main ", "agent:ops:cron:j:run:1"])
def test_A6_the_queue_that_is_filled_is_the_queue_that_is_drained(spelling: str) -> None:
    world = world_of()
    world.wake(OPS, coalesce_ms=0)
    world.notify(spelling, "done")
    world.end()
    world.advance(30_000)
    assert (world.started[-1].session_key, texts(world)) == (OPS, ["done"])


def test_A8_shown_is_not_acknowledged() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "done")
    for outcome in (Failed("crashed"), Skipped("requests-in-flight"), Skipped("interrupted")):
        assert texts(world) == ["done"]
        world.end(outcome)
        assert world.counts["ops"].events_presented == 0
        world.advance(60_000)
    world.end(Ran())
    assert world.counts["ops"].events_presented == 1


def test_B3_the_answer_goes_where_the_work_came_from() -> None:
    world = world_of()
    chat, group = DeliveryContext("telegram", "42"), DeliveryContext("slack", "c1")
    world.notify(OPS, "one", delivery=chat, intent="immediate", coalesce_ms=10)
    world.notify(OPS, "two", delivery=group, intent="immediate", coalesce_ms=10)
    world.advance(10)
    (turn,) = world.started
    assert turn.delivery == group
    assert [event.delivery for event in turn.events] == [chat, group]


def test_B6_where_a_key_leads_is_where_that_key_leads() -> None:
    for key in ("agent:Ops:cron:j:run:1:x", "agent:ops:telegram:direct:7", "agent:ops:main:heartbeat"):
        found = locate(key, None, Routing())
        assert locate(found.session_key, found.agent_id, Routing()) == found


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


def test_D3_a_beat_that_is_held_settles_its_waiter_at_once() -> None:
    world = world_of(interval_ms=1_800_000)
    world.notify(OPS, "one")
    world.end()
    settled: list[Any] = []
    world.wake(OPS, "interval", "scheduled", coalesce_ms=0, settle=settled.append)
    assert settled == [Skipped("not-due", 1_800_000)]


def test_E2_a_wake_during_a_turn_is_kept_for_after_it() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "one")
    for text in ("two", "three"):
        world.notify(OPS, text)
        world.advance(100)
    assert len(world.started) == 1
    world.end()
    assert texts(world) == ["two", "three"]


def test_E4_time_in_line_does_not_count_against_the_time_limit() -> None:
    world = world_of("ops", turns_max=1, turn_timeout_ms=60_000, cooldown=FREE)
    world.wake("agent:ops:a", coalesce_ms=0)
    world.wake("agent:ops:b", coalesce_ms=0)
    world.advance(59_000)
    world.end()
    world.advance(59_999)
    assert [turn.session_key for _, turn in world.active.values()] == ["agent:ops:b"]


def test_F4_an_event_keeps_its_number_and_a_second_showing_is_marked() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "one")
    world.end(Failed("crashed"))
    world.advance(60_000)
    first, second = (turn.events[0] for turn in world.started)
    assert (first.id, first.redelivered) == (second.id, False)
    assert second.redelivered


def test_M3_beats_keep_to_the_active_hours() -> None:
    day_ms = 86_400_000
    hours = ActiveHours("08:00", "18:00", "UTC")
    world = world_of(interval_ms=3_600_000, heartbeat=HeartbeatSchedule(3_600_000, 0, hours), cooldown=FREE)
    world.on_start = lambda request: world.at(world.now_ms, lambda: world.end(turn_id=request.turn_id))
    world.advance(2 * day_ms)
    beats = [turn.started_at_ms // 3_600_000 % 24 for turn in world.started]
    assert beats == [*range(8, 18)] * 2
