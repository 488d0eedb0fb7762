"""The port through which agents take turns, and the messages that come back.

A host runs a bounded number of turns at once. A lane first acquires a slot, and keeps it while it works off what it has
taken; who waits is served in the order of readiness.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, final

from attrs import define, field

from ..protocols.receipt import Receipt
from ..protocols.turn import Outcome, TurnRequest


@final
@define(eq=False)
class SlotGranted:
    """A slot is yours: the answer to an :meth:`Turns.acquire` that had to wait."""

    session_key: str


@final
@define(eq=False)
class TurnEnded:
    """A turn has ended. Exactly one for each turn started."""

    turn_id: int
    session_key: str
    outcome: Outcome


class Turns(Protocol):
    """Runs turns for agents."""

    def new_turn_id(self) -> int:
        """A number that no other turn of this host has."""
        ...

    def acquire(self, address: str, session_key: str) -> bool:
        """Take a slot now, or wait in line: then :class:`SlotGranted` comes to ``address``."""
        ...

    def release(self) -> None:
        """Give a slot back."""
        ...

    def start(self, address: str, request: TurnRequest) -> None:
        """Run a turn; :class:`TurnEnded` comes to ``address``. Needs a slot."""
        ...

    def interrupt(self, turn_id: int, outcome: Outcome) -> None:
        """Cancel a turn that runs: it ends with this outcome. Nothing happens when it has ended."""
        ...


@final
@define(eq=False)
class TurnSlots:
    """The bound on concurrent turns, first come, first served."""

    capacity: int
    _grant: Callable[[str, SlotGranted], Receipt]
    _taken: int = field(default=0, init=False)
    _line: deque[tuple[str, str]] = field(factory=deque[tuple[str, str]], init=False)

    def acquire(self, address: str, session_key: str) -> bool:
        """See :meth:`Turns.acquire`."""
        if self._taken < self.capacity:
            self._taken += 1
            return True
        self._line.append((address, session_key))
        return False

    def release(self) -> None:
        """Hand the slot to who waits longest and is still there, or keep it free."""
        while self._line and self._taken <= self.capacity:
            address, session_key = self._line.popleft()
            if self._grant(address, SlotGranted(session_key)):
                return
        self._taken -= 1

    def resize(self, capacity: int) -> None:
        """Change the bound. Turns that run go on; who waits is served as soon as there is room."""
        self.capacity = capacity
        while self._line and self._taken < capacity:
            self._taken += 1
            self.release()

    @property
    def waiting_count(self) -> int:
        """Lanes in line."""
        return len(self._line)

    @property
    def taken_count(self) -> int:
        """Slots in use."""
        return self._taken
