"""Who stands beside a message in a mailbox.

A message waits together with its sender, so that a dead letter can be attributed. Two kinds of senders are asked once
more at the moment of delivery, because their message may have lost its purpose: a request whose asker has gone, and a
message of a timer that was armed again.
"""

from __future__ import annotations

from typing import ClassVar, Final, final

from attrs import define


class Sender:
    """Base of actors, timers, requests and the outside."""

    __slots__ = ()
    # All other messages pay for the question with one test of this, no more.
    special: ClassVar[bool] = False
    """Whether :meth:`claim` is asked before delivery."""
    exempt: ClassVar[bool] = False
    """Whether its messages do not count for the capacity of a mailbox and are never dropped from it."""

    def label(self) -> str:
        """The name to show."""
        return "outside"

    def claim(self) -> bool:
        """Whether the message is still wanted. Asked once, at delivery."""
        return True

    def lost(self, detail: str, error: BaseException | None) -> None:
        """The message will not be handled."""


class Request(Sender):
    """A sender that waits for an answer.

    Attributes:
        callee_address: The actor that was asked.
        due_ms: When the system's default deadline for it passes.
    """

    __slots__ = ()
    callee_address: str
    due_ms: int

    def expire(self) -> None:
        """The default deadline has passed."""


@final
@define(eq=False)
class Outside(Sender):
    """A sender that is not an actor. Nothing more is known about it."""


OUTSIDE: Final = Outside()
