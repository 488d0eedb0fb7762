"""The bound on concurrent turns."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import final

from attrs import define, field


@final
@define(eq=False)
class TurnSlots:
    """The bound on concurrent turns: first come, first served, within what each agent may have at once.

    Who is over the limit of its agent waits in a line of that agent, and joins the host's line when the agent gives a
    slot back. So no agent's limit holds up another agent, and nobody who waits has to be looked at twice.
    """

    capacity: int
    _grant: Callable[[str, str], bool]
    _taken: int = field(default=0, init=False)
    _line: deque[tuple[str, str]] = field(factory=deque[tuple[str, str]], init=False)
    _claimed: Counter[str] = field(factory=Counter[str], init=False)
    _limits: dict[str, int] = field(factory=dict[str, int], init=False)
    _own_lines: dict[str, deque[str]] = field(factory=dict[str, deque[str]], init=False)

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        """See :meth:`Turns.acquire`."""
        if limit is not None:
            self._limits[address] = limit
            if self._claimed[address] >= limit:
                self._own_lines.setdefault(address, deque()).append(session_key)
                return False
        self._claimed[address] += 1
        if self._taken < self.capacity:
            self._taken += 1
            return True
        self._line.append((address, session_key))
        return False

    def release(self, address: str) -> None:
        """See :meth:`Turns.release`."""
        self._taken -= 1
        self._unclaim(address)
        self._serve()

    def set_limit(self, address: str, limit: int | None) -> None:
        """See :meth:`Turns.set_limit`."""
        if limit is None:
            self._limits.pop(address, None)
        else:
            self._limits[address] = limit
        self._call_forward(address)
        self._serve()

    def resize(self, capacity: int) -> None:
        """Change the bound. Turns that run go on; who waits is served as soon as there is room."""
        self.capacity = capacity
        self._serve()

    @property
    def waiting_count(self) -> int:
        """Lanes in line."""
        return len(self._line) + sum(len(line) for line in self._own_lines.values())

    def _unclaim(self, address: str) -> None:
        self._claimed[address] -= 1
        if not self._claimed[address]:
            del self._claimed[address]
        self._call_forward(address)

    def _call_forward(self, address: str) -> None:
        line = self._own_lines.get(address)
        while line and self._claimed[address] < self._limits.get(address, len(line) + self._claimed[address]):
            self._claimed[address] += 1
            self._line.append((address, line.popleft()))
        if not line:
            self._own_lines.pop(address, None)
            if address not in self._claimed:
                self._limits.pop(address, None)

    def _serve(self) -> None:
        while self._line and self._taken < self.capacity:
            address, session_key = self._line.popleft()
            if self._grant(address, session_key):
                self._taken += 1
            else:
                self._unclaim(address)  # it has gone
