"""Who stands beside a message in a mailbox.

A message waits together with its sender, so that a dead letter can be attributed. Two kinds of senders want to be asked
once more at the moment of delivery, because their message may have lost its point: a request whose asker has gone, and
a tick whose timer was armed again. That question must cost the other messages nothing but one test of ``special``.
"""

from __future__ import annotations

from typing import ClassVar, Final, final

from attrs import define


class Sender:
    """Base of cells, timers, requests and the outside."""

    __slots__ = ()
    special: ClassVar[bool] = False
    """Whether :meth:`claim` has to be asked before delivery."""
    exempt: ClassVar[bool] = False
    """Whether its messages count for the capacity of a mailbox and may be dropped from it."""

    def label(self) -> str:
        """The name to show."""
        return "outside"

    def claim(self) -> bool:
        """Whether the message still has a point. Asked once, at delivery."""
        return True

    def lost(self, detail: str, error: BaseException | None) -> None:
        """The message will not be handled."""


@final
@define(eq=False)
class Outside(Sender):
    """Whoever is not an actor: there is no saying who."""


OUTSIDE: Final = Outside()
