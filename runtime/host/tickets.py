"""Who waits for an answer: a table from tickets, which actors hold and store, to the callers of this process."""

from __future__ import annotations

from itertools import count
from typing import final

import trio
from attrs import define, field

from ...protocols.wakes.messages import Answer, Ticket


@final
@define(eq=False)
class Caller:
    """Somebody who waits for one answer."""

    ticket: Ticket
    _at_close: Answer
    _table: dict[Ticket, Caller]
    _answered: trio.Event = field(factory=trio.Event)
    _answer: Answer | None = None

    def answer(self, answer: Answer) -> None:
        """Give the answer. The first one counts."""
        if self._answer is None:
            self._answer = answer
            self._table.pop(self.ticket, None)
            self._answered.set()

    def close(self) -> None:
        """The host has drained: nothing will come of it any more."""
        self.answer(self._at_close)

    async def wait(self) -> Answer:
        """Wait for the answer.

        Cancellation: the caller is forgotten; an answer that comes later reaches nobody.
        """
        try:
            await self._answered.wait()
        finally:
            self._table.pop(self.ticket, None)
        assert self._answer is not None
        return self._answer


@final
class Tickets:
    """All who wait for an answer of this host."""

    def __init__(self, boot: str) -> None:
        """Begin empty. ``boot`` names this run of the host."""
        self.boot = boot
        self._numbers = count(1)
        self._callers: dict[Ticket, Caller] = {}

    def __len__(self) -> int:
        return len(self._callers)

    def open(self, at_close: Answer) -> Caller:
        """A new ticket, and who holds it.

        Args:
            at_close: The answer when the host has drained and no other one has come.
        """
        ticket = Ticket(self.boot, next(self._numbers))
        caller = self._callers[ticket] = Caller(ticket, at_close, self._callers)
        return caller

    def answer(self, ticket: Ticket | None, answer: Answer) -> None:
        """Answer whoever holds this ticket. Nothing happens when nobody does, or no longer."""
        caller = None if ticket is None else self._callers.get(ticket)
        if caller is not None:
            caller.answer(answer)

    def close(self) -> None:
        """Answer all who still wait."""
        for caller in list(self._callers.values()):
            caller.close()
