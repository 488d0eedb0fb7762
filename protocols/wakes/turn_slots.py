"""The bound on concurrent turns: first come, first served, within what each agent may have at once.

A session takes a slot before its turn, or waits in line for one. Slots and places are known by agent address and
session key. So it does no harm to give a slot back twice, or one that was never held: after a crash, an agent gives
back everything that it does not need, without knowing what it had.

A session over the limit of its agent waits in a line of that agent. It joins the line of the host when the agent gives
a slot back. So the limit of one agent never delays another agent.

Prior art: httpcore's connection pool, where one synchronous function over all entries is called after every change.
"""

from __future__ import annotations

from typing import final

from attrs import define, field

Place = tuple[str, str]
"""The address of an agent, and a session key."""


@final
@define(eq=False)
class TurnSlots:
    """Knows which sessions have a slot and which wait. A change returns the sessions that got a slot by it."""

    capacity: int
    _held: dict[Place, None] = field(factory=dict[Place, None], init=False)
    _line: dict[Place, None] = field(factory=dict[Place, None], init=False)
    _own_lines: dict[str, dict[str, None]] = field(factory=dict[str, dict[str, None]], init=False)
    _claimed: dict[str, int] = field(factory=dict[str, int], init=False)
    _limits: dict[str, int] = field(factory=dict[str, int], init=False)

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        """Take a slot now, or wait in line.

        Args:
            address: The agent.
            session_key: For which of its sessions.
            limit: Slots that this agent may have at once; ``None``: as many as there are.
        """
        place = (address, session_key)
        assert place not in self._held, place
        claimed = self._claimed.get(address, 0)
        if limit is not None:
            self._limits[address] = limit
            if claimed >= limit:
                self._own_lines.setdefault(address, {})[session_key] = None
                return False
        self._claimed[address] = claimed + 1
        if len(self._held) < self.capacity:
            self._held[place] = None
            return True
        self._line[place] = None
        return False

    def release(self, address: str, session_key: str) -> list[Place]:
        """Give back a slot or a place in line. Nothing happens if the session has neither."""
        place = (address, session_key)
        own_line = self._own_lines.get(address)
        if own_line is not None and session_key in own_line:  # it has no claim yet, so nobody is served by its leaving
            del own_line[session_key]
            self._forget_if_unused(address)
            return []
        if place in self._held:
            del self._held[place]
        elif place in self._line:
            del self._line[place]
        else:
            return []
        self._claimed[address] -= 1
        if own_line is not None:
            self._call_forward(address)
        elif not self._claimed[address]:
            self._forget_if_unused(address)
        return self._serve() if self._line else []

    def set_limit(self, address: str, limit: int | None) -> list[Place]:
        """Change how many slots an agent may have at once. It keeps the slots that it has."""
        if limit is not None:
            self._limits[address] = limit
        else:
            self._limits.pop(address, None)
        self._call_forward(address)
        return self._serve()

    def resize(self, capacity: int) -> list[Place]:
        """Change the bound. Turns that run go on."""
        self.capacity = capacity
        return self._serve()

    def holds(self, address: str, session_key: str) -> bool:
        """Whether the session has a slot."""
        return (address, session_key) in self._held

    def sessions_of(self, address: str) -> list[str]:
        """The sessions of an agent that have a slot or a place in line.

        It is meant for recovery, because it may read the places of all agents.
        """
        if address not in self._claimed:
            return list(self._own_lines.get(address, ()))
        waiting = [*self._held, *self._line]
        return [key for holder, key in waiting if holder == address] + list(self._own_lines.get(address, ()))

    @property
    def waiting_count(self) -> int:
        """Sessions in line."""
        return len(self._line) + sum(len(line) for line in self._own_lines.values())

    def _call_forward(self, address: str) -> None:
        """Move sessions from the line of an agent to the line of the host, as far as the agent's limit allows."""
        line = self._own_lines.get(address, {})
        while line and self._claimed.get(address, 0) < self._limits.get(address, self._claimed.get(address, 0) + 1):
            session_key = next(iter(line))
            del line[session_key]
            self._claimed[address] = self._claimed.get(address, 0) + 1
            self._line[address, session_key] = None
        self._forget_if_unused(address)

    def _forget_if_unused(self, address: str) -> None:
        if not self._own_lines.get(address):
            self._own_lines.pop(address, None)
            if not self._claimed.get(address):
                self._claimed.pop(address, None)
                self._limits.pop(address, None)

    def _serve(self) -> list[Place]:
        served: list[Place] = []
        while self._line and len(self._held) < self.capacity:
            place = next(iter(self._line))
            del self._line[place]
            self._held[place] = None
            served.append(place)
        return served
