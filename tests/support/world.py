"""A whole host of agents and their router without any event loop: messages and timers in one deterministic order."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any

from wakeward.actors.agent.agent import Agent
from wakeward.actors.agent.ports import AgentPorts, SlotGranted, TurnEnded
from wakeward.actors.agent.state import AgentState, Configure, Pause
from wakeward.actors.router import Directory, Router
from wakeward.protocols.actor import Receiver
from wakeward.protocols.config import AgentSettings
from wakeward.protocols.receipt import ACCEPTED, Receipt, Refusal
from wakeward.protocols.wakes.cooldown import CooldownClock, CooldownPolicy
from wakeward.protocols.wakes.decision import Decision, DecisionKind
from wakeward.protocols.wakes.messages import Notice, Wake
from wakeward.protocols.wakes.turn import Outcome, Ran, TurnRequest
from wakeward.protocols.wakes.turn_slots import TurnSlots
from wakeward.protocols.wakes.wake import Intent, Source


class WorldContext:
    """One actor's context."""

    def __init__(self, world: World, address: str) -> None:
        self._world = world
        self._address = address
        self.generations: dict[Hashable, int] = {}

    @property
    def address(self) -> str:
        return self._address

    def now_ms(self) -> int:
        return self._world.now_ms

    def tell(self, to: str, message: object) -> Receipt:
        return self._world.tell(to, message)

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        generation = self.generations[key] = self.generations.get(key, 0) + 1

        def fire() -> None:
            if self.generations.get(key) == generation:
                self._world.tell(self._address, message)

        self._world.at(at_ms, fire)

    def cancel_timer(self, key: Hashable) -> None:
        self.generations[key] = self.generations.get(key, 0) + 1

    def watch(self, address: str) -> None: ...

    def unwatch(self, address: str) -> None: ...

    def stop(self) -> None: ...


class World:
    """Agents behind a router. Turns start by themselves; the test ends them, at once or later."""

    def __init__(self, *, turns_max: int = 4) -> None:
        self.now_ms = 0
        self.started: list[TurnRequest] = []
        self.active: dict[int, tuple[str, TurnRequest]] = {}
        self.decisions: list[Decision] = []
        self.states: dict[str, AgentState] = {}
        self.outstanding = 0
        self.directory = Directory()
        self.on_start: Callable[[TurnRequest], None] = lambda _request: None
        self.on_interrupt: Callable[[int, Outcome], None] = lambda turn_id, outcome: self.at(
            self.now_ms, lambda: self.end(outcome, turn_id)
        )
        self.on_decision: Callable[[Decision], None] = lambda _decision: None
        self._actors: dict[str, Receiver[Any]] = {}
        self._contexts: dict[str, WorldContext] = {}
        self._inbox: deque[tuple[str, object]] = deque()
        self._timers: list[tuple[int, int, Callable[[], object]]] = []
        self._order = count()
        self._turn_ids = count(1)
        self._slots = TurnSlots(turns_max, lambda address, key: bool(self.tell(address, SlotGranted(key))))
        self._actors["router"] = Router(WorldContext(self, "router"), self.directory, self)

    # What the actors act through

    def record(self, decision: Decision, /) -> None:
        self.decisions.append(decision)
        self.on_decision(decision)

    def tell(self, to: str, message: object) -> Receipt:
        if to not in self._actors:
            return Receipt(Refusal.UNKNOWN, to)
        self._inbox.append((to, message))
        return ACCEPTED

    def at(self, at_ms: int, action: Callable[[], object]) -> None:
        heapq.heappush(self._timers, (max(at_ms, self.now_ms), next(self._order), action))

    def new_turn_id(self) -> int:
        return next(self._turn_ids)

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        return self._slots.acquire(address, session_key, limit)

    def set_limit(self, address: str, limit: int | None) -> None:
        self._slots.set_limit(address, limit)

    def release(self, address: str) -> None:
        self._slots.release(address)

    def start(self, address: str, request: TurnRequest) -> None:
        self.started.append(request)
        self.active[request.turn_id] = (address, request)
        self.on_start(request)

    def interrupt(self, turn_id: int, outcome: Outcome) -> None:
        self.on_interrupt(turn_id, outcome)

    # What a test does

    def add_agent(self, settings: AgentSettings) -> AgentState:
        address = f"agent:{settings.agent_id}"
        state = AgentState(settings, CooldownClock(settings.interval_ms, self.now_ms))
        self.states[settings.agent_id] = state
        self.directory.enter(settings.agent_id, address)
        self._activate(address, state)
        return state

    def restart(self, agent_id: str) -> None:
        """The behaviour dies and is rebuilt from its state, as a supervisor would."""
        self._activate(self.directory.addresses[agent_id], self.states[agent_id])
        self.settle()

    def _activate(self, address: str, state: AgentState) -> None:
        if address in self._contexts:
            self._contexts[address].generations.clear()  # timers are lost with the behaviour that armed them
        context = self._contexts[address] = WorldContext(self, address)
        self._actors[address] = Agent(context, state, AgentPorts(self, self, lambda: 0.5, self._count))

    def configure(self, settings: AgentSettings) -> None:
        self.tell(f"agent:{settings.agent_id}", Configure(settings))
        self.settle()

    def pause(self, *, paused: bool) -> None:
        for address in self.directory.addresses.values():
            self.tell(address, Pause(paused))
        self.settle()

    def wake(self, session_key: str | None, source: str = "hook", intent: str = "immediate", **more: Any) -> None:
        more.setdefault("reason", source)
        self.tell("router", Wake(session_key, Source(source), Intent(intent), **more))
        self.settle()

    def notify(
        self, session_key: str, text: str, source: str = "exec-event", intent: str | None = "event", **more: Any
    ) -> None:
        more.setdefault("reason", source)
        urgency = None if intent is None else Intent(intent)
        self.tell("router", Notice(session_key, text, Source(source), urgency, **more))
        self.settle()

    def end(self, outcome: Outcome | None = None, turn_id: int | None = None) -> TurnRequest:
        """End a turn (the oldest unless one is named)."""
        chosen = next(iter(self.active)) if turn_id is None else turn_id
        address, request = self.active.pop(chosen)
        self.tell(address, TurnEnded(chosen, request.session_key, outcome or Ran()))
        self.settle()
        return request

    def settle(self) -> None:
        """Let every message be handled."""
        while self._inbox:
            to, message = self._inbox.popleft()
            self._actors[to].receive(message)

    def advance(self, by_ms: int) -> None:
        """Let time pass, timer by timer."""
        end_ms = self.now_ms + by_ms
        while self._timers and self._timers[0][0] <= end_ms:
            at_ms, _, action = heapq.heappop(self._timers)
            self.now_ms = max(self.now_ms, at_ms)
            action()
            self.settle()
        self.now_ms = end_ms

    def kinds(self, kind: DecisionKind) -> list[Decision]:
        return [decision for decision in self.decisions if decision.kind is kind]

    def _count(self, change: int) -> None:
        self.outstanding += change


OPS = "agent:ops:main"
EAGER = CooldownPolicy(events_wait_for_due=False)
FREE = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)


def world_of(*agents: str, **settings: Any) -> World:
    world = World()
    given: dict[str, Any] = {"cooldown": EAGER, **settings}
    for agent_id in agents or ("ops",):
        world.add_agent(AgentSettings(agent_id, f"agent:{agent_id}:main", **given))
    return world


def texts(world: World, turn: int = -1) -> list[str]:
    return [event.text for event in world.started[turn].events]
