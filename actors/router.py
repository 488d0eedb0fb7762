"""The router: resolves a session key, and forwards to the owner only. Never a fan-out.

What has no owner is refused with its reason, and its sender is told; OpenClaw retries such keys for ever, or wakes
everybody (openclaw#31729, #32724).

The host resolves the key of what it sends itself, because its caller is told at once whether somebody owns it. Such a
message is marked as located, and is forwarded without another look.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, final

from ..protocols.actor import Context
from ..protocols.effects import HostEffects
from ..protocols.errors import InvalidInputError
from ..protocols.receipt import Receipt, Refusal
from ..protocols.sessions.locate import Location, locate
from ..protocols.sessions.route import Routing
from ..protocols.wakes.decision import Decision, DecisionKind
from ..protocols.wakes.messages import Notice, NoticeSeen, Wake

ROUTER_ADDRESS: Final = "router"

_NAMED_MAX: Final = 8
"""Agents that a refusal names."""

_ROUTES_MAX: Final = 65_536
"""Keys whose owner is remembered. Beyond, all are forgotten and found again."""

Routed = Wake | Notice | NoticeSeen
"""What the router takes."""


@final
class Directory:
    """Who is there, and whose a key is. The router and the host share it; the host alone changes it.

    Attributes:
        addresses: Of the agents that live here, by agent id.
    """

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

    def leave(self, agent_id: str) -> bool:
        """An agent is no longer there. Returns whether it was."""
        self._found.clear()
        return self.addresses.pop(agent_id, None) is not None

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
            return self.unknown(location.agent_id)
        if len(self._found) >= _ROUTES_MAX:
            self._found.clear()
        self._found[session_key, agent_id] = location
        return location

    def unknown(self, agent_id: str) -> Receipt:
        """The refusal of what is for an agent that is not here."""
        some = islice(self.addresses, _NAMED_MAX)
        known = ", ".join(some) + (", ..." if len(self.addresses) > _NAMED_MAX else "") or "none"
        return Receipt(Refusal.UNKNOWN, f"no agent {agent_id!r} here; agents: {known}")


@final
class Router:
    """The behaviour. Forwards each wake and each notice to one agent."""

    def __init__(self, ctx: Context, directory: Directory) -> None:
        self._ctx = ctx
        self._effects = HostEffects(ctx)
        self._directory = directory

    def receive(self, message: Routed, /) -> None:
        """Forward, or refuse."""
        if not message.located:
            found = self._directory.resolve(message.session_key, message.agent_id)
            if isinstance(found, Receipt):
                self._refuse(message, found)
                return
            locate_message(message, found)
        assert message.agent_id is not None, message
        address = self._directory.addresses.get(message.agent_id)
        if address is None:  # the agent was removed while the message was on its way
            self._refuse(message, self._directory.unknown(message.agent_id))
        else:
            self._ctx.tell(address, message)

    def _refuse(self, message: Routed, receipt: Receipt) -> None:
        if isinstance(message, NoticeSeen):
            return  # the agent that it could concern has gone, and the event with it
        self._effects.decide(refusal_of(message, receipt, self._ctx.now_ms()))
        if message.ticket is not None:
            self._effects.answer(message.ticket, receipt)


def locate_message(message: Routed, location: Location) -> None:
    """Note in a message whose it is."""
    message.located = True
    message.agent_id = location.agent_id
    if message.session_key is not None:  # the agent knows its main session, and whether it was named
        message.session_key = location.session_key


def refusal_of(message: Wake | Notice, receipt: Receipt, now_ms: int) -> Decision:
    """The decision about something that was not taken."""
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
