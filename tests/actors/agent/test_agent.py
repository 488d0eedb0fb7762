"""The agent and the router, without an event loop."""

from __future__ import annotations

import pytest
from attrs import evolve
from support.world import FREE, OPS, texts, world_of
from wakeward.actors.agent.ports import Leaving, Retire
from wakeward.actors.agent.session import Session
from wakeward.protocols.config import HeartbeatSchedule, QueuePolicy, RetryPolicy
from wakeward.protocols.wakes.cooldown import CooldownPolicy
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.event_queue import QueueOverflow
from wakeward.protocols.wakes.messages import NoticeSeen
from wakeward.protocols.wakes.turn import Failed, Ran, Skipped
from wakeward.protocols.wakes.wake import Intent


def test_an_event_that_was_in_too_many_failed_turns_is_dead_and_counted() -> None:
    world = world_of(cooldown=FREE, retry=RetryPolicy(attempts_max=1), queue=QueuePolicy(failed_turns_max=2))
    world.notify(OPS, "poison")
    world.end(Failed("x"))
    world.wake(OPS, coalesce_ms=0)
    world.end(Failed("x"))
    (dead,) = world.kinds(DecisionKind.DEAD)
    counts = world.counts["ops"]
    assert dead.text == "poison"
    assert (counts.events_accepted, counts.events_presented, counts.events_dead) == (1, 0, 1)


def test_more_events_than_a_turn_is_shown_wait_for_the_next_turn() -> None:
    world = world_of(queue=QueuePolicy(shown_max=2))
    world.wake(OPS, coalesce_ms=0)
    for number in range(5):
        world.notify(OPS, str(number))
    shown: list[str] = []
    while world.active:
        shown += [event.text for event in world.end().events]
        world.advance(30_000)
    assert shown == list("01234")


def test_overlapping_sessions_of_one_agent_cannot_slip_past_the_clock() -> None:
    world = world_of(interval_ms=1_800_000, cooldown=CooldownPolicy())
    world.notify("agent:ops:a", "one")
    world.notify("agent:ops:b", "two")
    assert [turn.session_key for turn in world.started] == ["agent:ops:a"]
    world.advance(30_000)
    assert [turn.session_key for turn in world.started] == ["agent:ops:a", "agent:ops:b"]


def test_a_start_is_given_back_on_a_busy_skip() -> None:
    world = world_of(interval_ms=1_800_000, cooldown=CooldownPolicy())
    world.notify("agent:ops:a", "one")
    world.end(Skipped("requests-in-flight"))
    world.notify("agent:ops:b", "two")
    assert [turn.session_key for turn in world.started] == ["agent:ops:a", "agent:ops:b"]


def test_the_host_runs_a_bounded_number_of_turns_in_order_of_readiness() -> None:
    world = world_of(*(f"a{n}" for n in range(7)))
    for n in range(7):
        world.wake(f"agent:a{n}:main", coalesce_ms=0)
    assert [turn.agent_id for turn in world.started] == ["a0", "a1", "a2", "a3"]
    while world.active:
        world.end()
    assert [turn.agent_id for turn in world.started] == [f"a{n}" for n in range(7)]


def test_the_heartbeat_wakes_the_main_session_without_drift() -> None:
    world = world_of(interval_ms=60_000, heartbeat=HeartbeatSchedule(60_000, phase_ms=7_000))
    world.on_start = lambda request: world.at(world.now_ms + 5_000, lambda: world.end(turn_id=request.turn_id))
    world.advance(600_000)
    assert [turn.started_at_ms for turn in world.started] == [7_000 + 60_000 * n for n in range(10)]
    assert {(turn.session_key, turn.intent) for turn in world.started} == {(OPS, Intent.SCHEDULED)}


def test_a_pause_holds_wakes_and_drops_none() -> None:
    world = world_of("ops", "dev")
    world.pause(paused=True)
    world.notify(OPS, "one")
    world.wake("agent:dev:main")
    world.advance(3_600_000)
    assert world.started == []
    world.pause(paused=False)
    assert sorted(turn.agent_id for turn in world.started) == ["dev", "ops"]


def test_a_restart_of_the_behaviour_loses_nothing() -> None:
    world = world_of()
    world.notify(OPS, "one")
    world.end()
    world.notify(OPS, "two")
    world.restart("ops")
    world.advance(30_000)
    assert texts(world) == ["two"]
    world.restart("ops")
    world.end()
    assert world.states["ops"].events_retained == 0


def test_a_parked_session_stays_parked_when_its_agent_is_started_again() -> None:
    world = world_of("a")
    world.notify("agent:a:main", "broken")
    world.end(Failed("no", transient=False))
    world.restart("a")
    world.settle()
    assert not world.active
    world.wake("agent:a:main", "hook", Intent.IMMEDIATE, coalesce_ms=0)
    assert texts(world) == ["broken"]


def test_a_turn_acknowledges_the_drops_it_was_told_of_and_no_others() -> None:
    world = world_of(queue=QueuePolicy(capacity=1, overflow=QueueOverflow.DROP_OLDEST))
    session = world.states["ops"].sessions
    world.notify(OPS, "a", intent=None)
    world.notify(OPS, "b", intent=None)
    assert session[OPS].record.events_dropped == 1
    world.wake(OPS, "manual", Intent.MANUAL, coalesce_ms=0)
    assert (texts(world), world.started[-1].events_dropped) == (["b"], 1)
    world.notify(OPS, "c", intent=None)
    assert session[OPS].record.events_dropped == 2
    world.end(Skipped("quiet-hours"))
    assert session[OPS].record.events_dropped == 2  # a turn that did not run was told of nothing
    world.wake(OPS, "manual", Intent.MANUAL, coalesce_ms=0)
    assert (texts(world), world.started[-1].events_dropped) == (["c"], 2)
    world.notify(OPS, "d", intent=None)
    world.end()
    assert session[OPS].record.events_dropped == 1
    queue = session[OPS].queue
    assert queue is not None
    assert [event.text for event in queue.peek()] == ["d"]


def test_waiters_settle_with_the_outcome_and_may_ask_for_the_first_deferral() -> None:
    world = world_of()
    patient: list[object] = []
    hasty: list[object] = []
    world.notify(OPS, "one")
    world.end()
    world.wake(OPS, intent="event", settle=patient.append)
    world.wake(OPS, intent="event", settle=hasty.append, answer_at_deferral=True)
    world.advance(250)
    assert (patient, hasty) == ([], [Skipped("min-spacing", 30_000)])
    world.advance(29_750)
    world.end(Ran("hello"))
    assert patient == [Ran("hello")]
    assert len(hasty) == 1


def test_the_flood_guard_holds_all_but_manual_wakes_and_is_reported_once_per_episode() -> None:
    world = world_of()
    for _ in range(8):
        world.wake(OPS, coalesce_ms=0)
        if world.active:
            world.end()
        world.advance(1_000)
    assert len(world.started) == 5
    assert len(world.kinds(DecisionKind.FLOOD)) == 1
    world.wake(OPS, "manual", "manual", coalesce_ms=0)
    assert len(world.started) == 6


def test_an_agent_takes_a_bounded_number_of_turns_at_once() -> None:
    world = world_of(turns_max=2, cooldown=FREE)
    for n in range(5):
        world.wake(f"agent:ops:s{n}", coalesce_ms=0)
    assert [turn.session_key for turn in world.started] == ["agent:ops:s0", "agent:ops:s1"]
    while world.active:
        world.end()
        assert len(world.active) <= 2
    assert [turn.session_key for turn in world.started] == [f"agent:ops:s{n}" for n in range(5)]
    assert world.outstanding == 0


def test_a_hung_turn_is_ended_and_cannot_starve_the_rest() -> None:
    world = world_of("ops", "a", "b", "c", "d", turn_timeout_ms=60_000, retry=RetryPolicy(attempts_max=1))
    for agent_id in ("ops", "a", "b", "c", "d"):
        world.wake(f"agent:{agent_id}:main", coalesce_ms=0)
    assert len(world.started) == 4
    world.advance(60_000)
    assert len(world.started) == 5
    failed = world.kinds(DecisionKind.FAILED)
    assert {decision.reason for decision in failed} == {"timed out after 1m"}


def test_a_handler_that_ignores_its_cancellation_blocks_its_own_session_only() -> None:
    world = world_of("ops", turn_timeout_ms=60_000, turns_max=1, cooldown=FREE)
    world.on_interrupt = lambda turn_id, outcome: None
    settled: list[object] = []
    world.wake(OPS, coalesce_ms=0, settle=settled.append)
    world.wake("agent:ops:other", coalesce_ms=0)
    world.advance(64_999)
    assert [turn.session_key for turn in world.started] == [OPS]
    world.advance(1)
    assert [turn.session_key for turn in world.started] == [OPS, "agent:ops:other"]
    assert len(world.kinds(DecisionKind.STUCK)) == 1
    assert settled == [Failed("timed out, and the handler ignores its cancellation")]
    world.wake(OPS, coalesce_ms=0)
    world.end(turn_id=2)
    assert len(world.started) == 2, "single flight, while the stuck turn is still there"
    world.end(Failed("timed out"), turn_id=1)
    assert [turn.session_key for turn in world.started][2:] == [OPS]


def test_a_turn_that_ends_in_time_is_not_interrupted() -> None:
    world = world_of(turn_timeout_ms=60_000)
    interrupted: list[int] = []
    world.on_interrupt = lambda turn_id, _outcome: interrupted.append(turn_id)
    world.wake(OPS, coalesce_ms=0)
    world.advance(59_999)
    world.end()
    world.wake(OPS, coalesce_ms=0)
    world.advance(59_999)
    assert interrupted == []


def test_spacing_only_spares_a_completion_the_wait_for_the_heartbeat() -> None:
    starts: dict[bool, list[int]] = {}
    for waits in (True, False):
        world = world_of(interval_ms=1_800_000, cooldown=CooldownPolicy(events_wait_for_due=waits))
        world.on_start = lambda request, w=world: w.at(w.now_ms, lambda: w.end(turn_id=request.turn_id))
        world.notify(OPS, "one")
        world.advance(31_000)
        world.notify(OPS, "two")
        world.advance(1_800_000)
        starts[waits] = [turn.started_at_ms for turn in world.started]
    assert starts == {True: [0, 1_800_000], False: [0, 31_000]}


def test_a_crash_between_taking_a_slot_and_starting_a_turn_loses_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of("ops", "dev", turns_max=1)

    def crash(*_args: object, **_more: object) -> object:
        raise ZeroDivisionError

    world.notify(OPS, "one", coalesce_ms=1_000)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "request", crash)
        with pytest.raises(ZeroDivisionError):
            world.advance(1_000)
    world.restart("ops")
    assert texts(world) == ["one"]
    world.end()
    for agent_id in ("ops", "dev"):
        world.advance(60_000)
        world.wake(f"agent:{agent_id}:main", coalesce_ms=0)
    assert len(world.active) == 2


def test_a_message_that_crashes_the_agent_has_done_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of()

    def crash(*_args: object, **_more: object) -> object:
        raise ZeroDivisionError

    settled: list[object] = []
    with monkeypatch.context() as patch:
        patch.setattr(Session, "request", crash)
        with pytest.raises(ZeroDivisionError):
            world.notify(OPS, "one", settle=settled.append)
    assert (world.decisions, settled, world.driver.records["ops"]) == ([], [], [])
    assert [letter.reason for letter in world.driver.dead_letters] == ["crashed"]
    world.notify(OPS, "two")
    assert [event.id for event in world.started[0].events] == [1]


def test_what_reaches_an_agent_that_is_leaving_is_given_back_at_once() -> None:
    world = world_of("ops")
    world.notify(OPS, "running")
    world.tell("agent:ops", Retire(Leaving("agent removed")))
    settled: list[object] = []
    world.wake(OPS, settle=settled.append)
    world.notify("agent:ops:other", "late")
    assert settled == [Skipped("agent removed")]
    assert [decision.text for decision in world.kinds(DecisionKind.DEAD)] == ["late"]
    world.end()
    counts = world.counts["ops"]
    assert (counts.events_accepted, counts.events_presented, counts.events_dead) == (2, 1, 1)
    assert world.outstanding == 0


def test_a_queue_takes_its_new_bound_when_reconfigured() -> None:
    world = world_of(queue=QueuePolicy(capacity=1))
    world.wake(OPS, coalesce_ms=0)
    world.notify(OPS, "one")
    world.configure(evolve(world.states["ops"].settings, queue=QueuePolicy(capacity=2)))
    world.notify(OPS, "two")
    assert world.states["ops"].events_retained == 2


def test_nobody_is_stranded_in_an_agents_own_line() -> None:
    world = world_of(turns_max=1, cooldown=FREE)
    world.wake("agent:ops:a", coalesce_ms=0)
    world.notify("agent:ops:b", "Exec completed", context_key="exec:b")
    world.notify("agent:ops:c", "news")
    world.tell("router", NoticeSeen("agent:ops:b", "exec:b"))
    world.settle()
    world.end()
    assert texts(world) == ["news"]
    world.end()
    assert world.outstanding == 0


def test_a_session_in_line_is_not_overtaken_by_the_one_that_was_served() -> None:
    world = world_of(turns_max=1, cooldown=FREE)
    for key in ("a", "b", "a"):
        world.wake(f"agent:ops:{key}", coalesce_ms=0)
    for _ in range(3):
        world.end()
    assert [turn.session_key for turn in world.started] == ["agent:ops:a", "agent:ops:b", "agent:ops:a"]


def test_a_raised_limit_takes_effect_at_once() -> None:
    world = world_of(turns_max=1, cooldown=FREE)
    for n in range(3):
        world.wake(f"agent:ops:s{n}", coalesce_ms=0)
    world.configure(evolve(world.states["ops"].settings, turns_max=3))
    assert len(world.active) == 3


def test_restarts_while_a_turn_is_stuck_free_its_slot_once() -> None:
    world = world_of(turn_timeout_ms=1_000, cooldown=FREE)
    world.on_interrupt = lambda turn_id, outcome: None
    world.wake(OPS, coalesce_ms=0)
    world.advance(10_000)
    for _ in range(3):
        world.restart("ops")
        world.advance(10_000)
    for n in range(6):
        world.wake(f"agent:ops:s{n}", coalesce_ms=0)
    assert len(world.active) == 1 + 4


def test_an_event_that_comes_again_while_a_turn_sees_to_it_is_news() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "disk is full")
    world.notify(OPS, "disk is full")
    world.end()
    assert texts(world) == ["disk is full"]
    assert len(world.started) == 2


def test_a_repeat_wakes_a_session_that_sleeps_on_the_first() -> None:
    world = world_of()
    world.notify(OPS, "alarm", intent=None)
    world.notify(OPS, "alarm", intent="immediate")
    assert texts(world) == ["alarm"]
