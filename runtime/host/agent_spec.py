"""What an agent is to a host: its name, its handler, and what is said of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

from attrs import field, frozen

from ...protocols.config import AgentOptions, agent_id_of
from ...protocols.errors import InvalidInputError
from ...protocols.wakes.turn import Outcome
from .turn import Turn

Handler = Callable[[Turn], Awaitable[Outcome | None]]
"""What an agent does in a turn. ``None`` is as good as ``Ran()``; an exception is a failed turn."""


@final
@frozen(kw_only=True)
class AgentSpec(AgentOptions):
    """An agent: ``AgentSpec("ops", handler, heartbeat=Heartbeat("30m"))``.

    Attributes:
        id: Its name in session keys (``agent:<id>:...``): letters, digits, ``-`` and ``_``, at most 64; case does not
            matter.
        handler: What it does in a turn.
    """

    id: str = field(converter=agent_id_of, kw_only=False)
    handler: Handler = field(kw_only=False)

    def __attrs_post_init__(self) -> None:
        if not callable(self.handler):
            raise InvalidInputError(
                f"agent {self.id!r}: handler {self.handler!r} is not callable; expected async (Turn) -> ..."
            )
