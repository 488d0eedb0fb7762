"""The port through which agents take turns, and the messages that come back.

A host runs a bounded number of turns at once. A lane first acquires a slot, and keeps it while it works off what it has
taken; who waits is served in the order of readiness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

from attrs import define

from ...protocols.wakes.decision import Ledger
from ...protocols.wakes.turn import Outcome, TurnRequest


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

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        """Take a slot now, or wait in line: then :class:`SlotGranted` comes to ``address``.

        Args:
            address: The agent.
            session_key: For which of its sessions.
            limit: Slots that this agent may have at once.
        """
        ...

    def set_limit(self, address: str, limit: int | None) -> None:
        """Change how many slots an agent may have at once; who waits for that reason may come forward."""
        ...

    def release(self, address: str) -> None:
        """Give a slot back."""
        ...

    def start(self, address: str, request: TurnRequest) -> None:
        """Run a turn; :class:`TurnEnded` comes to ``address``. Needs a slot."""
        ...

    def interrupt(self, turn_id: int, outcome: Outcome) -> None:
        """Cancel a turn that runs: it ends with this outcome. Nothing happens when it has ended."""
        ...


@define(eq=False)
class AgentPorts:
    """What an agent acts through, besides its context.

    Attributes:
        draw: A random number, 0 <= draw < 1, for the jitter of retries.
        outstanding: Told +1 when a lane comes to have work, -1 when it has none left.
    """

    turns: Turns
    ledger: Ledger
    draw: Callable[[], float]
    outstanding: Callable[[int], None]
