"""A handler that remembers its turns, and an agent without guards that has it."""

from __future__ import annotations

from typing import Any

import trio
from wakeward import (
    AgentSpec,
    CooldownPolicy,
    Host,
    Outcome,
    Turn,
)

OPS = "agent:ops:main"


NO_GUARDS = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)


class Recorder:
    """A handler that remembers its turns."""

    def __init__(self, *outcomes: Outcome | None, takes: float = 0) -> None:
        self.turns: list[Turn] = []
        self._outcomes = iter(outcomes)
        self._takes = takes

    async def __call__(self, turn: Turn) -> Outcome | None:
        self.turns.append(turn)
        await trio.sleep(self._takes)
        return next(self._outcomes, None)

    @property
    def texts(self) -> list[list[str]]:
        return [[event.text for event in turn.events] for turn in self.turns]


async def add(host: Host, handler: Any, agent_id: str = "ops", **options: Any) -> None:
    given: dict[str, Any] = {"cooldown": NO_GUARDS, **options}
    host.add_agent(AgentSpec(agent_id, handler, **given))
