"""What the kernel raises. A refused ``tell`` is none of it: that is a falsy receipt."""

from __future__ import annotations

from typing import final

from ...protocols.errors import InvalidInputError, WakewardError
from ...protocols.receipt import Receipt


@final
class AddressError(InvalidInputError):
    """An address that cannot be used: malformed, taken, or of a kind that nobody defined."""


class AskError(WakewardError):
    """A request was not answered. The subclass says why."""


@final
class AskRefusedError(AskError):
    """The request was not taken, and no waiting would have helped: ``receipt`` says why."""

    def __init__(self, address: str, receipt: Receipt) -> None:
        """Keep the receipt, show its detail."""
        super().__init__(f"ask of {address!r} refused: {receipt.detail}")
        self.receipt = receipt


@final
class AskFailedError(AskError):
    """The actor crashed, ended, or lost the request before it answered. The exception it crashed of is the cause."""


@final
class AskTimeoutError(AskError):
    """The system's default deadline for requests passed. A nearer deadline is the caller's own cancel scope."""


@final
class AskCycleError(AskError):
    """The asked actor is itself waiting, directly or through others, for the asker: no answer could ever come."""
