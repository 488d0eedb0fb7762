"""What the kernel should do, said as plainly as possible: the model that its property test compares it with."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from attrs import define, field

CAPACITY = 3
BACKOFF_MS = 100
WINDOW_MS = 1_000
RESTARTS_MAX = 2
NAMES = ("probe:a", "probe:b", "probe:c")


@define(eq=False)
class Message:
    number: int
    kind: str
    sender: str = "outside"
    to: str = ""
    reply: Any = None


@define(eq=False)
class ModelActor:
    state: str = "dormant"
    closing: bool = False
    queue: deque[Message] = field(factory=deque[Message])
    turn: Message | None = None
    restarts_ms: list[int] = field(factory=list[int])
    due_ms: int = 0
    taken: list[int] = field(factory=list[int])


@define(eq=False)
class Model:
    """What should happen, said as plainly as possible: a queue per actor, and one of the actors that can run."""

    now_ms: int = 0
    actors: dict[str, ModelActor] = field(factory=lambda: {name: ModelActor() for name in NAMES})
    ready: deque[str] = field(factory=deque[str])
    handled: list[tuple[str, int]] = field(factory=list[tuple[str, int]])
    dead: Counter[tuple[str, int, str]] = field(factory=Counter[tuple[str, int, str]])
    asks: dict[int, str] = field(factory=dict[int, str])
    cut: set[int] = field(factory=set[int])

    def tell(self, name: str, message: Message) -> str:
        actor = self.actors[name]
        if actor.state == "stopped" or actor.closing:
            return self._refuse(name, message, "stopped")
        if len(actor.queue) >= CAPACITY:
            return self._refuse(name, message, "full")
        actor.queue.append(message)
        self._schedule(name)
        return "accepted"

    def ask(self, name: str, message: Message) -> None:
        actor = self.actors[name]
        self.asks[message.number] = "waits"
        if actor.state == "stopped" or actor.closing:
            self.asks[message.number] = "refused"
            self._refuse(name, message, "stopped")
            return
        actor.queue.append(message)
        self._schedule(name)

    def settle(self) -> None:
        while self.ready:
            self._run(self.ready.popleft())

    def stop(self, name: str) -> bool:
        actor = self.actors[name]
        if actor.state == "stopped" or actor.closing:
            return False
        actor.closing = True
        if actor.state == "backoff" and not actor.queue:
            self._end(name, "killed")
        else:
            self._schedule(name)
        return True

    def kill(self, name: str) -> bool:
        actor = self.actors[name]
        if actor.state == "stopped":
            return False
        self._end(name, "killed")
        return True

    def end_turn(self, name: str, *, cut: bool) -> None:
        actor = self.actors[name]
        assert actor.turn is not None
        if cut:
            self.cut.add(actor.turn.number)
        else:
            self.handled.append((name, actor.turn.number))
        actor.turn = None
        actor.state = "idle"
        self._schedule(name)

    def advance(self, by_ms: int) -> None:
        until_ms = self.now_ms + by_ms
        while due := [(a.due_ms, n) for n, a in self.actors.items() if a.state == "backoff" and a.due_ms <= until_ms]:
            self.now_ms, name = min(due)
            self.actors[name].state = "idle"
            self._schedule(name)
            self.settle()
        self.now_ms = until_ms

    def _refuse(self, name: str, message: Message, why: str) -> str:
        self.dead[name, message.number, why] += 1
        return why

    def _schedule(self, name: str) -> None:
        if name not in self.ready and self.actors[name].state in {"dormant", "idle"}:
            self.ready.append(name)

    def _run(self, name: str) -> None:
        actor = self.actors[name]
        while actor.queue and actor.state in {"dormant", "idle"}:
            actor.state = "idle"
            message = actor.queue.popleft()
            match message.kind:
                case "crash":
                    self._crash(name, message)
                case "turn":
                    actor.state, actor.turn = "handling", message
                case "keep":
                    actor.taken.append(message.number)
                    self.handled.append((name, message.number))
                case "answer":
                    self.asks[message.number] = "answered"
                    self.handled.append((name, message.number))
                case "relay":
                    self.handled.append((name, message.number))
                    self.tell(message.to, Message(-message.number, "note", name))
                case _:
                    self.handled.append((name, message.number))
        if actor.closing and actor.state in {"dormant", "idle"}:
            self._end(name, "killed")

    def _crash(self, name: str, message: Message) -> None:
        actor = self.actors[name]
        self.dead[name, message.number, "crashed"] += 1
        self._fail_taken(actor)
        actor.restarts_ms = [at for at in actor.restarts_ms if self.now_ms - at < WINDOW_MS]
        if len(actor.restarts_ms) >= RESTARTS_MAX or (actor.closing and not actor.queue):
            self._end(name, "gave-up")
        else:
            actor.restarts_ms.append(self.now_ms)
            actor.state, actor.due_ms = "backoff", self.now_ms + BACKOFF_MS

    def _end(self, name: str, reason: str) -> None:
        actor = self.actors[name]
        for message in actor.queue:
            self.dead[name, message.number, reason] += 1
            if message.number in self.asks:
                self.asks[message.number] = "failed"
        self._fail_taken(actor)
        if actor.turn is not None:
            self.cut.add(actor.turn.number)
        actor.queue.clear()
        actor.state, actor.closing, actor.turn = "stopped", False, None

    def _fail_taken(self, actor: ModelActor) -> None:
        for number in actor.taken:
            if self.asks[number] == "waits":
                self.asks[number] = "failed"
        actor.taken.clear()
