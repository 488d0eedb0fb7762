"""What an agent needs of its host beside its context, and the messages that come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final

from attrs import define, frozen

from ...protocols.config import AgentSettings
from ...protocols.wakes.turn import Outcome


class Slots(Protocol):
    """The turn slots of the host. They act at once, because what is read back within a message cannot be an effect.

    They are memory only, so nothing of them has to be taken back when the message fails.
    """

    def acquire(self, address: str, session_key: str, limit: int | None = None) -> bool:
        """Take a slot now, or wait in line: then :class:`SlotGranted` comes to ``address``."""
        ...

    def release(self, address: str, session_key: str) -> None:
        """Give a slot back, or a place in line; nothing happens when there is neither."""
        ...

    def set_limit(self, address: str, limit: int | None) -> None:
        """Change how many slots an agent may have at once."""
        ...

    def holds(self, address: str, session_key: str) -> bool:
        """Whether the session has a slot."""
        ...

    def sessions_of(self, address: str) -> list[str]:
        """The sessions of an agent that have a slot or a place in line."""
        ...


@final
@frozen
class AgentPorts:
    """What an agent acts through, besides its context. All of it answers at once, from memory.

    Attributes:
        boot: Names this run of the host.
        slots: The turn slots of the host.
        new_turn_id: A number that no other turn of this run has.
        is_turn_running: Whether a turn of this run has started and was not closed.
        is_exit_seen: Whether somebody has been shown the exit of a job, by the job's id.
        draw: A random number, 0 <= draw < 1, for the jitter of retries.
    """

    boot: str
    slots: Slots
    new_turn_id: Callable[[], int]
    is_turn_running: Callable[[int], bool]
    is_exit_seen: Callable[[str], bool]
    draw: Callable[[], float]


# Messages from the host


@final
@define(eq=False)
class SlotGranted:
    """A slot is yours: the answer to an :meth:`Slots.acquire` that had to wait."""

    session_key: str


@final
@define(eq=False)
class TurnEnded:
    """A turn has ended. Exactly one comes for each turn that was started."""

    turn_id: int
    session_key: str
    outcome: Outcome


@final
@define(eq=False)
class Configure:
    """New settings for a running agent: guards and retained wakes are kept, a running turn keeps the old ones. An agent
    that was leaving stays.
    """

    settings: AgentSettings


@final
@define(eq=False)
class Pause:
    """Hold every wake, or let them go again."""

    paused: bool


@final
@frozen
class Leaving:
    """Why an agent leaves, and whether anything is kept of it."""

    reason: str
    forget: bool = False


@final
@define(eq=False)
class Retire:
    """Leave: take no more turns, let running ones end, report what was not seen, and stop."""

    leaving: Leaving


# Messages of its own timers


@final
@define(eq=False)
class SessionDue:
    """Something in a session may be taken now."""

    session_key: str


@final
@define(eq=False)
class HeartbeatDue:
    """An instant of the heartbeat has come."""

    due_ms: int


@final
@define(eq=False)
class TurnOverdue:
    """The time of a turn is up."""

    session_key: str
    turn_id: int


@final
@define(eq=False)
class TurnStuck:
    """A turn was told to end some time ago, and has not."""

    session_key: str
    turn_id: int
