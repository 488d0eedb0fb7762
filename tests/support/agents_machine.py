"""A Hypothesis state machine that asks agents and router for everything, and checks the invariants after every step,
against a model that knows nothing of how the agent works.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.world import World, through_storage
from wakeward.actors.agent.session import SERVED
from wakeward.protocols.backoff import Backoff
from wakeward.protocols.config import AgentSettings, HeartbeatSchedule, QueuePolicy, RetryPolicy
from wakeward.protocols.journal.apply import AgentImage, apply, records_of
from wakeward.protocols.wakes.cooldown import CooldownPolicy, DeferReason
from wakeward.protocols.wakes.decision import Decision, DecisionKind
from wakeward.protocols.wakes.event import Event
from wakeward.protocols.wakes.turn import BUSY_KINDS, Failed, Outcome, Ran, Skipped, TurnRequest
from wakeward.protocols.wakes.wake import Intent, Source

AGENTS = ("a", "b", "c")
TURNS_MAX = 2
RETRY = RetryPolicy(attempts_max=3, backoff=Backoff(base=1, cap=30))
SPACING_MS = 30_000
WINDOW_MS = 60_000
THRESHOLD = 5

agent_ids = st.sampled_from(AGENTS)
keys = st.builds("agent:{}:{}".format, agent_ids, st.sampled_from(["main", "s1", "cron:j:run:1"]))
intents = st.sampled_from(list(Intent))
sources = st.sampled_from([Source.HOOK, Source.EXEC_EVENT, Source.CRON, Source.RETRY, Source.MANUAL])
windows = st.sampled_from([0, 0, 250, 5_000])
jumps = st.sampled_from([0, 1, 250, 999, 1_000, 5_000, 29_999, 30_000, 60_000, 60_001, 600_000])
skips = st.builds(
    Skipped, st.sampled_from([*sorted(kind.value for kind in BUSY_KINDS), "quiet-hours", "not-due", "no-pending-event"])
)
failures = st.builds(Failed, st.just("broken"), st.booleans())
outcomes = st.one_of(st.just(Ran()), skips, failures)


def home_of(key: str) -> str:
    """The session a key stands for."""
    agent_id, rest = key.split(":", 2)[1:]
    return f"agent:{agent_id}:main" if rest.startswith("cron:") else key


class Agents(RuleBasedStateMachine):
    """Three agents, two turn slots."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(turns_max=TURNS_MAX, contains_crashes=True)
        self.world.on_start = self.on_start
        self.world.on_decision = self.on_decision
        self.world.on_interrupt = lambda turn_id, outcome: self.interrupted.append((outcome, turn_id))
        for agent_id in AGENTS:
            self.world.add_agent(self.settings_of(agent_id, 1_800_000))
        self.interrupted: list[tuple[Outcome, int]] = []
        self.asked: set[str] = set()
        self.accepted: dict[str, list[int]] = defaultdict(list)
        self.shown: dict[str, list[int]] = defaultdict(list)
        self.counted: dict[str, dict[int, int]] = defaultdict(dict)
        self.texts: dict[tuple[str, int], str] = {}
        self.number = 0

    @staticmethod
    def settings_of(agent_id: str, interval_ms: int | None) -> AgentSettings:
        return AgentSettings(
            agent_id,
            f"agent:{agent_id}:main",
            interval_ms,
            HeartbeatSchedule(interval_ms) if interval_ms else None,
            cooldown=CooldownPolicy(events_wait_for_due=False),
            retry=RETRY,
            queue=QueuePolicy(capacity=6, shown_max=2, failed_turns_max=4),
        )

    # What happens

    @rule(key=keys, source=sources, intent=intents, window=windows)
    def wake(self, key: str, source: Source, intent: Intent, window: int) -> None:
        self.asked.add(home_of(key))
        before, crashes = len(self.world.started), len(self.world.driver.crashes)
        self.world.wake(key, source, intent, coalesce_ms=window)
        is_lost = len(self.world.driver.crashes) > crashes  # perhaps: the crash may have been that of the wake itself
        if intent is Intent.MANUAL and window == 0 and not is_lost:
            self.check_manual(home_of(key), before)

    @rule(key=keys, intent=intents, window=windows, fresh=st.booleans())
    def notify(self, key: str, intent: Intent, window: int, fresh: bool) -> None:
        self.asked.add(home_of(key))
        self.number += fresh
        self.world.notify(key, f"event {self.number}", "exec-event", intent, coalesce_ms=window)

    @precondition(lambda self: self.world.active)
    @rule(outcome=outcomes, choice=st.integers(0, TURNS_MAX - 1))
    def end_turn(self, outcome: Outcome, choice: int) -> None:
        self.end(outcome, list(self.world.active)[choice % len(self.world.active)])

    @rule(key=keys)
    def storm(self, key: str) -> None:
        for _ in range(THRESHOLD + 1):
            self.wake(key, Source.HOOK, Intent.IMMEDIATE, 0)
            self.end_all(Ran())

    @rule(key=keys)
    def nothing_but_failures(self, key: str) -> None:
        self.notify(key, Intent.IMMEDIATE, 0, fresh=True)
        for _ in range(RETRY.attempts_max + 1):
            self.end_all(Failed("broken"))
            self.advance(61_000)

    @rule(by_ms=jumps)
    def advance(self, by_ms: int) -> None:
        self.world.advance(by_ms)
        while self.interrupted:
            outcome, turn_id = self.interrupted.pop()
            if turn_id in self.world.active:
                self.end(outcome, turn_id)

    @rule(agent_id=agent_ids, interval_ms=st.sampled_from([None, 45_000, 1_800_000]))
    def reconfigure(self, agent_id: str, interval_ms: int | None) -> None:
        self.world.configure(self.settings_of(agent_id, interval_ms))

    @rule(agent_id=agent_ids)
    def restart(self, agent_id: str) -> None:
        self.world.restart(agent_id)

    @rule()
    def pause_or_resume(self) -> None:
        self.world.pause(paused=not self.world.paused)

    @rule(steps=st.integers(0, 12))
    def crash_soon(self, steps: int) -> None:
        """Let the agent that comes so far raise in the middle of its message."""
        self.world.fault_in = steps

    # What is seen of it

    def on_start(self, request: TurnRequest) -> None:
        assert request.session_key in self.asked or request.source is Source.INTERVAL, "no fan-out"
        assert request.session_key.split(":")[1] == request.agent_id, "no fan-out"
        sessions = [turn.session_key for _, turn in self.world.active.values()]
        assert len(sessions) == len(set(sessions)), "single flight"
        stuck = {decision.turn_id for decision in self.world.kinds(DecisionKind.STUCK)}
        assert len(self.world.active.keys() - stuck) <= TURNS_MAX, "bounded turns"
        assert request.attempt < RETRY.attempts_max, "bounded retry"
        ids = [event.id for event in request.events]
        left = [event for event in self.accepted[request.session_key] if event not in self.shown[request.session_key]]
        assert ids == left[: len(ids)], "order"
        self.check_cooldown(request)
        self.counted[request.agent_id][request.turn_id] = self.world.now_ms

    def check_cooldown(self, request: TurnRequest) -> None:
        starts = self.counted[request.agent_id].values()
        recent = [start for start in starts if start >= self.world.now_ms - WINDOW_MS]
        if request.intent is not Intent.MANUAL:
            assert len(recent) < THRESHOLD, "cooldown: flood"
        if request.intent in (Intent.EVENT, Intent.TASK):
            assert all(self.world.now_ms - start >= SPACING_MS for start in recent), "cooldown: spacing"

    def check_manual(self, session: str, before: int) -> None:
        skipped = [decision for decision in self.world.kinds(DecisionKind.SKIPPED) if decision.intent is Intent.MANUAL]
        by_the_gate = {decision.reason for decision in skipped if decision.turn_id is None}
        assert not by_the_gate & set(DeferReason), "manual always runs"
        found = self.world.states[session.split(":")[1]].sessions.get(session)
        ran = any(turn.session_key == session for turn in self.world.started[before:])
        if ran or self.world.paused or found is None:
            return
        is_blocked = found.record.wakes.blocked_until_ms > self.world.now_ms
        assert found.state in SERVED or is_blocked, "manual always runs"

    def end_all(self, outcome: Outcome) -> None:
        for turn_id in list(self.world.active):
            self.end(outcome, turn_id)

    def end(self, outcome: Outcome, turn_id: int) -> None:
        _, request = self.world.active[turn_id]
        before = self.clock_of(request)
        crashes = len(self.world.driver.crashes)
        given_back = isinstance(outcome, Skipped) and (
            outcome.is_busy or (outcome.reason == "no-pending-event" and request.source is Source.EXEC_EVENT)
        )
        counted = self.counted[request.agent_id]
        started = counted.pop(turn_id) if given_back else 0
        parked = len(self.world.kinds(DecisionKind.PARKED))
        self.world.end(outcome, turn_id)
        if len(self.world.driver.crashes) > crashes:
            # Perhaps the end was lost in the crash: then the turn was taken for interrupted, and its start counts.
            if given_back:
                counted[turn_id] = started
            return
        if given_back:
            assert self.clock_of(request) == before, "no poisoning"
        final = isinstance(outcome, Failed) and (not outcome.transient or request.attempt + 1 == RETRY.attempts_max)
        assert len(self.world.kinds(DecisionKind.PARKED)) == parked + final, "parked and reported once"

    def clock_of(self, request: TurnRequest) -> Any:
        clock = self.world.states[request.agent_id].clock
        return clock.last_started_ms, clock.recent_starts_ms

    def on_decision(self, decision: Decision) -> None:
        session = str(decision.session_key)
        if decision.kind is DecisionKind.EVENT:
            records = self.world.driver.records[str(decision.agent_id)]
            event = next(record for record in reversed(records) if isinstance(record, Event))
            self.accepted[session].append(event.id)
            self.texts[session, event.id] = event.text
        if decision.kind is DecisionKind.RAN:
            request = next(turn for turn in self.world.started if turn.turn_id == decision.turn_id)
            self.shown[session] += [event.id for event in request.events]
        if decision.kind is DecisionKind.DEAD:
            waiting, shown = self.accepted[session], self.shown[session]
            waiting.remove(next(n for n in waiting if n not in shown and self.texts[session, n] == decision.text))

    def sessions(self, agent_id: str) -> list[Any]:
        return list(self.world.states[agent_id].sessions.values())

    def held(self, session: str) -> list[int]:
        found = self.world.states[session.split(":")[1]].sessions.get(session)
        return [] if found is None or found.queue is None else [event.id for event in found.queue.peek()]

    # What must hold after every step

    @invariant()
    def accounting(self) -> None:
        for agent_id, counts in self.world.counts.items():
            kept = counts.events_presented + self.world.states[agent_id].events_retained + counts.events_dead
            assert counts.events_accepted == kept, "accounting"

    @invariant()
    def no_loss(self) -> None:
        for session, accepted in self.accepted.items():
            left = [number for number in accepted if number not in self.shown[session]]
            assert self.held(session) == left, "no loss"

    @invariant()
    def no_stranding(self) -> None:
        for agent_id in AGENTS:
            for session in self.sessions(agent_id):
                record = session.record
                if session.events_waiting and record.owed:
                    assert session.state in SERVED or record.wakes or record.parked, "no stranding"

    @invariant()
    def outstanding_work_is_counted(self) -> None:
        busy = sum(session.is_busy for agent_id in AGENTS for session in self.sessions(agent_id))
        assert self.world.outstanding == busy

    @invariant()
    def the_state_is_the_fold_of_what_is_committed(self) -> None:
        """Stored and read back, the records come to exactly what the agent knows."""
        for agent_id in AGENTS:
            image = self.world.image(agent_id)
            state = self.world.states[agent_id]
            live = {key: session.record for key, session in state.sessions.items() if session.saved is not None}
            assert live == image.sessions
            queued = {key: s.queue.peek() for key, s in state.sessions.items() if s.queue is not None and len(s.queue)}
            assert queued == {key: tuple(events.values()) for key, events in image.events.items()}
            assert image.agent is None or image.agent.clock == state.clock
            again = AgentImage()
            for record in records_of(image):
                apply(again, through_storage(record))
            again.event_id_max = image.event_id_max
            assert again == image

    def teardown(self) -> None:
        """Everything accepted is shown in the end, once the agents behave."""
        self.world.fault_in = None
        if self.world.paused:
            self.pause_or_resume()
        for agent_id in AGENTS:
            self.world.configure(self.settings_of(agent_id, None))
        for session in sorted(self.accepted):
            self.asked.add(session)
            self.world.wake(session, coalesce_ms=0)
        for _ in range(60):
            while self.world.active:
                self.end(Ran(), next(iter(self.world.active)))
            self.advance(61_000)
        for agent_id in AGENTS:
            assert self.world.states[agent_id].events_retained == 0, "no loss"
        assert self.world.outstanding == 0
