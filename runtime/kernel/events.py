"""The observer's hook. It is called at the edges of an actor's life, never per synchronous message."""

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
    HANDLING_STARTED = "handling-started"
    """An asynchronous message is being handled now."""
    HANDLING_ENDED = "handling-ended"


@final
@frozen(eq=False)
class Observation:
    """One edge.

    Attributes:
        detail: CRASHED and HANDLING_ENDED: the exception, or ``None``; HANDLING_STARTED: the message; DEAD_LETTER: the
            :class:`~.dead_letters.DeadLetter`; STOPPED: the :class:`~wakeward.protocols.actor.Terminated`.
    """

    edge: Edge
    address: str
    at_ms: int
    detail: object = None


Observer = Callable[[Observation], None]
"""Must be quick. An exception is logged, and the observer is called again next time."""
