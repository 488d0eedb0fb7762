"""A whole host of agents and their router without any event loop: messages and timers in one deterministic order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, cast

from support.driver import Driver
from wakeward.actors.agent.agent import Agent
from wakeward.actors.agent.ports import AgentPorts, Configure, Pause, SlotGranted, TurnEnded
from wakeward.actors.agent.state import AgentState, load_state
from wakeward.actors.router import ROUTER_ADDRESS, Directory, Router
from wakeward.protocols import effects
from wakeward.protocols.actor import Context
from wakeward.protocols.config import AgentSettings
from wakeward.protocols.journal.apply import AgentImage, apply
from wakeward.protocols.journal.codec import decode_record, encode_record
from wakeward.protocols.journal.records import Record
from wakeward.protocols.wakes.cooldown import CooldownPolicy
from wakeward.protocols.wakes.decision import Decision, DecisionCounts, DecisionKind
from wakeward.protocols.wakes.messages import Notice, Ticket, Wake
from wakeward.protocols.wakes.turn import Outcome, Ran, TurnRequest
from wakeward.protocols.wakes.turn_slots import Place, TurnSlots
from wakeward.protocols.wakes.wake import Intent, Source

Settle = Callable[[Any], object]


class WorldSlots:
    """The turn slots, and the news to those who are served."""

    def __init__(self, world: World, capacity: int) -> None:
        self._world = world
        self._slots = TurnSlots(capacity)

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        return self._slots.acquire(address, session_key, limit)

    def release(self, address: str, session_key: str) -> None:
        self._grant(self._slots.release(address, session_key))

    def set_limit(self, address: str, limit: int | None) -> None:
        self._grant(self._slots.set_limit(address, limit))

    def holds(self, address: str, session_key: str) -> bool:
        return self._slots.holds(address, session_key)

    def sessions_of(self, address: str) -> list[str]:
        return self._slots.sessions_of(address)

    def _grant(self, served: list[Place]) -> None:
        for address, session_key in served:
            self._world.driver.signal(address, SlotGranted(session_key))


class Fault(Exception):  # noqa: N818 - it is planted
    """Raised in the middle of a message."""


class FaultyContext:
    """A context in which the world can plant a fault."""

    def __init__(self, ctx: Context, world: World) -> None:
        self._ctx = ctx
        self._world = world
        self.is_ready = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def save(self, owner: str, record: object) -> None:
        self._step()
        self._ctx.save(owner, record)

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        self._step()
        self._ctx.emit(op, a, b, c)

    def _step(self) -> None:
        if self.is_ready and self._world.fault_in is not None:
            self._world.fault_in -= 1
            if self._world.fault_in < 0:
                self._world.fault_in = None
                raise Fault


class World:
    """Agents behind a router. Turns start by themselves; the test ends them, at once or later."""

    def __init__(self, *, turns_max: int = 4, contains_crashes: bool = False) -> None:
        self.driver = Driver(contains_crashes=contains_crashes)
        self.paused = False
        self.fault_in: int | None = None
        """After so many records and effects from now on, the agent that asks for one raises, once."""
        self.started: list[TurnRequest] = []
        self.active: dict[int, tuple[str, TurnRequest]] = {}
        self.decisions: list[Decision] = []
        self.settings: dict[str, AgentSettings] = {}
        self.states: dict[str, AgentState] = {}
        self.counts: dict[str, DecisionCounts] = {}
        self.busy: set[tuple[str, str]] = set()
        self.seen_jobs: set[str] = set()
        self.directory = Directory()
        self.on_start: Callable[[TurnRequest], None] = lambda _request: None
        self.on_interrupt: Callable[[int, Outcome], object] = lambda turn_id, outcome: self.at(
            self.now_ms, lambda: self.end(outcome, turn_id)
        )
        self.on_decision: Callable[[Decision], None] = lambda _decision: None
        self._settles: dict[Ticket, Settle] = {}
        self._tickets = count(1)
        self._turn_ids = count(1)
        self.slots = WorldSlots(self, turns_max)
        self.ports = AgentPorts(
            boot="test",
            slots=self.slots,
            new_turn_id=lambda: next(self._turn_ids),
            is_turn_running=lambda turn_id: turn_id in self.active,
            is_exit_seen=lambda job_id: job_id in self.seen_jobs,
            draw=lambda: 0.5,
        )
        perform = self.driver.perform
        perform[effects.ANSWER] = lambda _address, ticket, answer, _c: self._settles.pop(ticket, id)(answer)
        perform[effects.DECIDE] = lambda _address, decision, _b, _c: self._decided(decision)
        perform[effects.START_TURN] = lambda address, request, _b, _c: self._start(address, request)
        perform[effects.INTERRUPT_TURN] = lambda _address, turn_id, outcome, _c: self.on_interrupt(turn_id, outcome)
        perform[effects.RELEASE_SLOT] = lambda address, key, _b, _c: self.slots.release(address, key)
        perform[effects.SET_BUSY] = lambda address, key, busy, _c: self._set_busy(address, key, busy)
        self.driver.spawn(ROUTER_ADDRESS, lambda ctx: Router(ctx, self.directory))

    @property
    def now_ms(self) -> int:
        return self.driver.now_ms

    @property
    def outstanding(self) -> int:
        return len(self.busy)

    def _decided(self, decision: Decision) -> None:
        self.decisions.append(decision)
        if decision.agent_id in self.counts:
            self.counts[decision.agent_id].note(decision)
        self.on_decision(decision)

    def _start(self, address: str, request: TurnRequest) -> None:
        self.started.append(request)
        self.active[request.turn_id] = (address, request)
        self.on_start(request)

    def _set_busy(self, address: str, key: str, busy: bool) -> None:
        assert ((address, key) in self.busy) is not busy, "told twice"
        (self.busy.add if busy else self.busy.remove)((address, key))

    # What a test does

    def add_agent(self, settings: AgentSettings) -> AgentState:
        address = f"agent:{settings.agent_id}"
        self.settings[settings.agent_id] = settings
        self.counts.setdefault(settings.agent_id, DecisionCounts())
        self.directory.enter(settings.agent_id, address)
        self.driver.spawn(address, lambda ctx: self._agent(ctx, settings.agent_id))
        return self.states[settings.agent_id]

    def _agent(self, ctx: Context, agent_id: str) -> Agent:
        """A behaviour made from what is committed: every record goes through its stored form."""
        state = self.states[agent_id] = load_state(self.image(agent_id), self.settings[agent_id], ctx.now_ms())
        state.paused = self.paused
        # Which sessions were told to be busy is the host's to know; a new behaviour says it again.
        self.busy = {(address, key) for address, key in self.busy if address != ctx.address}
        faulty = FaultyContext(ctx, self)
        agent = Agent(cast("Context", faulty), state, self.ports)
        faulty.is_ready = True  # faults are planted in messages only
        return agent

    def image(self, agent_id: str) -> AgentImage:
        """What is committed of an agent."""
        image = AgentImage()
        for record in self.driver.records[agent_id]:
            apply(image, through_storage(record))
        return image

    def restart(self, agent_id: str) -> None:
        """The behaviour dies and is made again from its records, as a supervisor would."""
        self.driver.restart(self.directory.addresses[agent_id])
        self.settle()

    def configure(self, settings: AgentSettings) -> None:
        self.settings[settings.agent_id] = settings
        self.tell(f"agent:{settings.agent_id}", Configure(settings))
        self.settle()

    def pause(self, *, paused: bool) -> None:
        self.paused = paused
        for address in self.directory.addresses.values():
            self.tell(address, Pause(paused))
        self.settle()

    def tell(self, to: str, message: object) -> None:
        self.driver.tell(to, message)

    def at(self, at_ms: int, action: Callable[[], object]) -> None:
        self.driver.at(max(at_ms, self.now_ms), action)

    def wake(
        self,
        session_key: str | None,
        source: str = "hook",
        intent: str = "immediate",
        settle: Settle | None = None,
        **more: Any,
    ) -> None:
        more.setdefault("reason", source)
        wake = Wake(session_key, Source(source), Intent(intent), ticket=self._ticket(settle), **more)
        self.tell(ROUTER_ADDRESS, wake)
        self.settle()

    def notify(
        self,
        session_key: str,
        text: str,
        source: str = "exec-event",
        intent: str | None = "event",
        settle: Settle | None = None,
        **more: Any,
    ) -> None:
        more.setdefault("reason", source)
        urgency = None if intent is None else Intent(intent)
        notice = Notice(session_key, text, Source(source), urgency, ticket=self._ticket(settle), **more)
        self.tell(ROUTER_ADDRESS, notice)
        self.settle()

    def _ticket(self, settle: Settle | None) -> Ticket | None:
        if settle is None:
            return None
        ticket = Ticket("test", next(self._tickets))
        self._settles[ticket] = settle
        return ticket

    def end(self, outcome: Outcome | None = None, turn_id: int | None = None) -> TurnRequest:
        """End a turn (the oldest unless one is named)."""
        chosen = next(iter(self.active)) if turn_id is None else turn_id
        address, request = self.active.pop(chosen)
        self.driver.signal(address, TurnEnded(chosen, request.session_key, outcome or Ran()))
        self.settle()
        return request

    def settle(self) -> None:
        """Let every message be handled."""
        self.driver.run()

    def advance(self, by_ms: int) -> None:
        """Let time pass, timer by timer."""
        self.driver.advance(by_ms)

    def kinds(self, kind: DecisionKind) -> list[Decision]:
        return [decision for decision in self.decisions if decision.kind is kind]


def through_storage(record: Record) -> Record:
    """A record as it comes back from a journal; it must be the same."""
    stored = decode_record(encode_record(record))
    assert stored == record
    return stored


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
