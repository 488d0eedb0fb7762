"""The router: resolves a session key, and forwards to the owner only. Never a fan-out.

What has no owner becomes a dead letter with its reason, and its sender is told; OpenClaw retries such keys for ever, or
wakes everybody (openclaw#31729, #32724).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final, cast, final

from ..protocols.actor import Context
from ..protocols.errors import InvalidInputError
from ..protocols.receipt import Receipt, Refusal
from ..protocols.sessions.locate import Location, locate
from ..protocols.sessions.route import (
    Routing,
)
from ..protocols.wakes.decision import Decision, DecisionKind, Ledger
from ..protocols.wakes.messages import Notice, NoticeSeen, Wake

_NAMED_MAX: Final = 8
"""Agents that a refusal names."""

_ROUTES_MAX: Final = 65_536
"""Keys whose owner is remembered. Beyond, all are forgotten and found again."""


@final
class Directory:
    """Who is there, and whose a key is. Shared by host and router; changed by the host alone."""

    def __init__(self, routing: Routing = Routing(), unowned: str | None = None) -> None:
        """Begin empty; see :meth:`configure`."""
        self.addresses: dict[str, str] = {}
        self._found: dict[tuple[str | None, str | None], Location] = {}
        self.configure(routing, unowned)

    def configure(self, routing: Routing, unowned: str | None) -> None:
        """Take main key and scope, and the agent that owns keys without an owner."""
        self.routing, self.unowned = routing, unowned
        self._found.clear()

    def enter(self, agent_id: str, address: str) -> None:
        """An agent is there."""
        self.addresses[agent_id] = address

    def leave(self, agent_id: str) -> str | None:
        """An agent is no longer there; its address, if it was."""
        self._found.clear()
        return self.addresses.pop(agent_id, None)

    def resolve(self, session_key: str | None, agent_id: str | None) -> Location | Receipt:
        """The owner and the session, or a refusal that says what is wrong and what is accepted."""
        location = self._found.get((session_key, agent_id))
        if location is not None:
            return location
        try:
            location = locate(session_key, agent_id, self.routing, self.unowned)
        except InvalidInputError as error:
            return Receipt(Refusal.UNKNOWN, str(error))
        if location.agent_id not in self.addresses:
            some = islice(self.addresses, _NAMED_MAX)
            known = ", ".join(some) + (", ..." if len(self.addresses) > _NAMED_MAX else "") or "none"
            return Receipt(Refusal.UNKNOWN, f"no agent {location.agent_id!r} here; agents: {known}")
        if len(self._found) >= _ROUTES_MAX:
            self._found.clear()
        self._found[session_key, agent_id] = location
        return location


@final
class Router:
    """The behaviour. Forwards each wake and each notice to one agent."""

    def __init__(self, ctx: Context, directory: Directory, ledger: Ledger) -> None:
        self._ctx = ctx
        self._directory = directory
        self._ledger = ledger

    def receive(self, message: object, /) -> None:
        """Forward, or refuse."""
        assert isinstance(message, Wake | Notice | NoticeSeen), message
        location = self._directory.resolve(message.session_key, message.agent_id)
        if isinstance(location, Receipt):
            self._refuse(message, location)
            return
        message.agent_id = location.agent_id
        if message.session_key is not None:  # the agent knows its main session, and whether it was named
            message.session_key = location.session_key
        tell = cast("Callable[[str, object], Receipt | None]", self._ctx.tell)
        receipt = tell(self._directory.addresses[location.agent_id], message)
        if receipt is not None and not receipt:
            self._refuse(message, receipt)

    def _refuse(self, message: Wake | Notice | NoticeSeen, receipt: Receipt) -> None:
        if isinstance(message, NoticeSeen):
            return  # whom it could concern has gone, and the event with it
        self._ledger.record(refusal_of(message, receipt, self._ctx.now_ms()))
        if message.settle is not None:
            message.settle(receipt)


def refusal_of(message: Wake | Notice, receipt: Receipt, now_ms: int) -> Decision:
    """The record of something that was not taken."""
    return Decision(
        now_ms,
        DecisionKind.REFUSED,
        message.agent_id,
        message.session_key,
        message.source,
        message.intent,
        receipt.detail or str(receipt.refusal),
        text=message.text if isinstance(message, Notice) else None,
    )
