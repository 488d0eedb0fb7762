"""What a sender learns at once about a message: accepted, or refused and why."""

from __future__ import annotations

import enum
from typing import Final, final

from attrs import frozen


class Refusal(enum.Enum):
    """Why a message was not accepted. The set is closed, so that callers match on it and never parse texts."""

    FULL = "full"
    STOPPED = "stopped"
    DRAINING = "draining"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"
    """It could not be stored. Nothing has happened; it may be tried again."""
    INVALID = "invalid"
    """It can never be taken as it is: an event without text."""


@final
@frozen
class Receipt:
    """The answer to a sender. It is truthy if the message was accepted.

    A refusal is no exception, because a full mailbox is an expected outcome.

    Attributes:
        refusal: ``None`` when accepted.
        detail: For people: which actor, agent or key, and what would be accepted.
    """

    refusal: Refusal | None = None
    detail: str = ""

    def __bool__(self) -> bool:
        return self.refusal is None


# One for all: every accepted message gets it, and it says nothing else.
ACCEPTED: Final = Receipt()
