"""The table of a session's states: every legal move is made, every other one is refused."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve
from wakeward.actors.agent.session import MOVES, Session, SessionState
from wakeward.protocols.wakes.event import DeliveryContext, Event
from wakeward.protocols.wakes.event_queue import EventQueue
from wakeward.protocols.wakes.pending import PendingWake
from wakeward.protocols.wakes.session_record import SessionRecord
from wakeward.protocols.wakes.turn import TurnRequest
from wakeward.protocols.wakes.wake import Intent, Source, WakeTask

RESTING, PENDING, IN_LINE, SERVING, RUNNING, STUCK = SessionState

LEGAL = {
    (RESTING, PENDING),
    (RESTING, IN_LINE),
    (RESTING, SERVING),
    (RESTING, RUNNING),
    (RESTING, STUCK),
    (PENDING, RESTING),
    (PENDING, IN_LINE),
    (PENDING, SERVING),
    (IN_LINE, SERVING),
    (IN_LINE, RESTING),
    (SERVING, RUNNING),
    (SERVING, PENDING),
    (SERVING, RESTING),
    (RUNNING, SERVING),
    (RUNNING, STUCK),
    (STUCK, PENDING),
    (STUCK, RESTING),
}
PAIRS = sorted(itertools.product(SessionState, repeat=2))


def session_in(state: SessionState) -> Session:
    return Session("agent:ops:main", SessionRecord("agent:ops:main"), state=state)


def test_the_table_names_every_state() -> None:
    assert set(MOVES) == set(SessionState)
    assert {(start, end) for start, ends in MOVES.items() for end in ends} == LEGAL


@pytest.mark.parametrize(("start", "end"), [pair for pair in PAIRS if pair in LEGAL])
def test_a_legal_move_is_made_and_says_whether_the_session_became_busy_or_ceased_to_be(
    start: SessionState, end: SessionState
) -> None:
    session = session_in(start)
    was_busy = session.is_busy
    assert session.move(end) == (session.is_busy != was_busy)
    assert session.state is end


@pytest.mark.parametrize(("start", "end"), [pair for pair in PAIRS if pair not in LEGAL])
def test_any_other_move_raises_and_nothing_has_happened(start: SessionState, end: SessionState) -> None:
    session = session_in(start)
    with pytest.raises(AssertionError, match=f"agent:ops:main: no way from {start.name} to {end.name}"):
        session.move(end)
    assert session.state is start


def test_what_the_states_mean() -> None:
    assert {state for state in SessionState if not session_in(state).is_busy} == {RESTING}
    assert {state for state in SessionState if not session_in(state).is_served} == {RESTING, PENDING}
    assert {state for state in SessionState if session_in(state).is_empty} == {RESTING}


def test_every_state_is_reached_from_rest_and_leads_back_to_it() -> None:
    for goal, forwards in itertools.product(SessionState, (True, False)):
        reached, pending = {RESTING}, [RESTING]
        while pending:
            here = pending.pop()
            found = {end if forwards else start for start, end in LEGAL if (start if forwards else end) is here}
            pending += found - reached
            reached |= found
        assert goal in reached


def test_a_session_with_events_is_not_forgotten() -> None:
    session = session_in(RESTING)
    session.queue = queue = EventQueue(session.key)
    assert session.is_empty
    queue.enqueue("text", event_id=1, accepted_at_ms=0, source="hook")
    assert (session.is_empty, session.events_waiting) == (False, 1)


KEY = "agent:ops:main"
HOME = DeliveryContext("telegram", "42")
ELSEWHERE = DeliveryContext("slack", "general")
WAKE = PendingWake(
    Source.HOOK, Intent.EVENT, "why", 1, 1, attempt=2, tasks=(WakeTask("nightly"),), heartbeat_interval_ms=60_000
)


def request_of(wake: PendingWake, events: int = 3) -> TurnRequest:
    session = Session(KEY, SessionRecord(KEY, events_dropped=4))
    if events:
        session.queue = EventQueue(KEY)
        session.queue.restore(
            Event(number, KEY, f"event {number}", None, "hook", False, number, HOME) for number in range(events)
        )
    return session.request(wake, 7, "ops", now_ms=1_000, timeout_ms=60, shown_max=2)


def test_a_turn_is_told_everything_of_its_wake_and_its_session() -> None:
    request = request_of(WAKE)
    assert (request.turn_id, request.agent_id, request.session_key) == (7, "ops", KEY)
    assert (request.source, request.intent, request.reason) == (WAKE.source, WAKE.intent, WAKE.reason)
    assert (request.reasons, request.reasons_omitted) == (WAKE.reasons, WAKE.reasons_omitted)
    assert (request.attempt, request.tasks, request.heartbeat_interval_ms) == (2, WAKE.tasks, 60_000)
    assert (request.started_at_ms, request.timeout_ms, request.events_dropped) == (1_000, 60, 4)


def test_a_turn_is_shown_the_oldest_events_up_to_the_limit() -> None:
    assert [event.id for event in request_of(WAKE).events] == [0, 1]
    assert request_of(WAKE, events=0).events == ()


def test_an_answer_goes_where_the_wake_says_else_where_the_events_came_from() -> None:
    assert request_of(evolve(WAKE, delivery=ELSEWHERE)).delivery == ELSEWHERE
    assert request_of(WAKE).delivery == HOME
    assert request_of(WAKE, events=0).delivery is None
