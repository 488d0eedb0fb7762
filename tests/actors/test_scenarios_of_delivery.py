"""Which turn sees which event, and whose it is. The ids (A4, C1, ...) are those of the scenarios."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import FREE, OPS, texts, world_of
from wakeward.protocols.config import HeartbeatSchedule, QueuePolicy
from wakeward.protocols.receipt import Refusal
from wakeward.protocols.sessions.locate import locate
from wakeward.protocols.sessions.route import Routing
from wakeward.protocols.wakes.cooldown import CooldownPolicy
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.event_queue import QueueOverflow
from wakeward.protocols.wakes.messages import NoticeSeen
from wakeward.protocols.wakes.turn import Failed, Ran, Skipped


def test_A1_an_exit_causes_a_turn_that_sees_it() -> None:
    world = world_of(interval_ms=1_800_000)
    world.notify(OPS, "Exec completed (amber-re, code 0) :: hi")
    assert texts(world) == ["Exec completed (amber-re, code 0) :: hi"]
    world.end()
    assert not world.states["ops"].sessions


def test_A3_without_a_heartbeat_targeted_wakes_run() -> None:
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


def test_E1_one_turn_per_session_whatever_shape_the_key_has() -> None:
    world = world_of()
    world.wake(OPS, coalesce_ms=0)
    world.wake("AGENT:Ops:MAIN", coalesce_ms=0)
    world.wake(None, agent_id="OPS", coalesce_ms=0)
    assert len(world.started) == 1
    world.end()
    assert len(world.started) == 2
    assert world.started[1].reasons == ("hook", "hook")


def test_E3_events_of_a_turn_that_did_not_run_are_shown_again() -> None:
    world = world_of(cooldown=FREE)
    world.notify(OPS, "one")
    world.end(Skipped("requests-in-flight"))
    world.notify(OPS, "two")
    world.advance(1_000)
    assert texts(world) == ["one", "two"]


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


def test_B5_a_targeted_wake_of_the_next_heartbeat_does_not_strand_its_event() -> None:
    world = world_of(interval_ms=1_800_000, heartbeat=HeartbeatSchedule(1_800_000, phase_ms=60_000))
    world.notify("agent:ops:telegram:direct:7", "news", source="hook", intent="event")
    assert texts(world) == ["news"]


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
