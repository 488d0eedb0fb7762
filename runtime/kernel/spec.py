"""What a kind of actor is made of: factory, mailbox, restart, passivation. One object per kind, shared by its cells."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from typing import Any, Final, final

from attrs import Factory, field, frozen

from ...protocols.actor import Context, Receiver
from ...protocols.errors import InvalidInputError
from ...protocols.restart import RestartSpec

BehaviourFactory = Callable[[Context], Receiver[Any]]
"""Makes the behaviour of one actor; called at activation and again at every restart."""


class MailboxOverflow(enum.Enum):
    """What happens to a message that finds the mailbox full."""

    REJECT = "reject"
    """The new message is refused."""
    DROP_OLDEST = "drop-oldest"
    """The message that waited longest goes to the dead letters; the new one is accepted."""
    LATEST = "latest"
    """A mailbox of one: a new message replaces the one that waits, which goes to the dead letters."""


def _newer(_older: Any, newer: Any) -> Any:
    return newer


@final
@frozen
class Merge:
    """A new message is merged into a waiting one of the same key, which keeps its place. Without one, and with a full
    mailbox, the new message is refused.

    Attributes:
        key: Which messages merge.
        combine: Makes one message of the older and the newer; by default the newer replaces the older.
    """

    key: Callable[[Any], Hashable]
    combine: Callable[[Any, Any], Any] = _newer


@final
@frozen
class MailboxSpec:
    """How many messages may wait (timers and the control lane are not counted), and what happens to one more."""

    capacity: int = field(default=10_000)
    overflow: MailboxOverflow | Merge = MailboxOverflow.REJECT

    def __attrs_post_init__(self) -> None:
        if self.capacity < 1:
            raise InvalidInputError(f"MailboxSpec(capacity={self.capacity!r}): at least 1 is accepted")

    @property
    def room(self) -> int:
        """How long the user lane may become on the fast path: two places per message. Merging never takes it."""
        # The fast path would put messages in without asking for their keys.
        if isinstance(self.overflow, Merge):
            return 0
        return 2 if self.overflow is MailboxOverflow.LATEST else 2 * self.capacity


def _room(spec: ActorSpec) -> int:
    return spec.mailbox.room


@final
@frozen(eq=False)
class ActorSpec:
    """What the actors of one kind share.

    Attributes:
        passivate_after_ms: An actor that has been idle for so long is passivated; ``None``: never.
    """

    kind: str
    factory: BehaviourFactory
    mailbox: MailboxSpec = field(factory=MailboxSpec)
    restart: RestartSpec = field(factory=RestartSpec)
    passivate_after_ms: int | None = None
    room: int = field(init=False, default=Factory(_room, takes_self=True))

    def __attrs_post_init__(self) -> None:
        if self.passivate_after_ms is not None and self.passivate_after_ms < 1:
            raise InvalidInputError(
                f"{self.kind!r}: passivate_after_ms={self.passivate_after_ms!r}: 1 or more, or None, is accepted"
            )


def _nobody(context: Context) -> Receiver[Any]:
    raise AssertionError(f"{context.address} is of no kind and cannot be activated")


UNDEFINED: Final = ActorSpec("", _nobody)
"""The spec of a ref whose kind nobody has defined yet."""
