"""The one hook for looking on: called at the edges of an actor's life, never per synchronous message."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import final

from attrs import frozen


class Edge(enum.Enum):
    """What happened."""

    ACTIVATED = "activated"
    PASSIVATED = "passivated"
    CRASHED = "crashed"
    RESTARTED = "restarted"
    STOPPED = "stopped"
    DEAD_LETTER = "dead-letter"
    TURN_STARTED = "turn-started"
    TURN_ENDED = "turn-ended"


@final
@frozen(eq=False)
class Observation:
    """One edge.

    Attributes:
        detail: CRASHED and TURN_ENDED: the exception, or ``None``; TURN_STARTED: the message; DEAD_LETTER: the
            :class:`~.deadletters.DeadLetter`; STOPPED: the :class:`~wakeward.actors.port.Terminated`.
    """

    edge: Edge
    address: str
    at_ms: int
    detail: object = None


Observer = Callable[[Observation], None]
"""Must be quick and must not raise: an exception is logged and the observer is called again next time."""
