"""The one book of outstanding work: sessions with something to do, turns, and children.

Each entry is changed by an effect, after the message that it follows from has been handled and committed. So who waits
here is woken after the fact, and never finds the book ahead of the actors: a turn is closed when its agent has dealt
with its end, not when it ends. Waiting and changing are in one place, so no change can miss a waiter.

Prior art: httpcore's connection pool, one book that is looked at after every change.
"""

from __future__ import annotations

from typing import final

import trio

from ...protocols.errors import HostClosedError
from ..kernel import ActorSystem


@final
class Outstanding:
    """What is not done yet.

    Attributes:
        children: Jobs whose exit has not been dealt with.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._sessions: set[tuple[str, str]] = set()
        self._turns: set[int] = set()
        self.children = 0
        self._abandoned = False
        self._changed = trio.lowlevel.ParkingLot()

    def set_busy(self, address: str, session_key: str, busy: bool, _c: object = None) -> None:
        """A session of an agent has work to do, or none any more. It performs the effect ``SET_BUSY``."""
        if busy:
            self._sessions.add((address, session_key))
        else:
            self._sessions.discard((address, session_key))
            self._wake()

    def open_turn(self, turn_id: int) -> None:
        """A turn begins."""
        self._turns.add(turn_id)

    def close_turn(self, turn_id: int) -> None:
        """The end of a turn has been dealt with."""
        self._turns.discard(turn_id)
        self._wake()

    def count_child(self, change: int) -> None:
        """A job was admitted (+1), or its exit has been dealt with (-1)."""
        self.children += change
        self._wake()

    def is_open(self, turn_id: int) -> bool:
        """Whether a turn has begun and its end has not been dealt with."""
        return turn_id in self._turns

    @property
    def is_quiet(self) -> bool:
        """Whether no turn and no child runs; wakes may be pending."""
        return not (self._turns or self.children)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing left to do."""
        return self.is_quiet and not self._sessions

    def abandon(self) -> None:
        """The host has drained. What is pending will not be done any more."""
        self._abandoned = not self.is_idle
        self._changed.unpark_all()

    async def wait_idle(self) -> None:
        """Wait until there is nothing left to do.

        Raises:
            HostClosedError: The host has drained, and what is pending will not be done any more.
        """
        while True:
            await self._system.wait_idle()  # a message that nobody has handled yet may still make work
            if self._abandoned:
                raise HostClosedError("the host has drained; what was pending is in the drain's report")
            if self.is_idle:
                return
            await self._changed.park()

    async def wait_quiet(self) -> None:
        """Wait until no turn and no child runs."""
        while not self.is_quiet:
            await self._changed.park()

    def _wake(self) -> None:
        """Wake those who wait, once what all of them wait for is there."""
        if not (self._turns or self.children) and self._changed:
            self._changed.unpark_all()
