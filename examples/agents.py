"""The handlers of ``agents.toml``."""

from __future__ import annotations

from wakeward import Ran, Turn


async def keep_watch(turn: Turn) -> Ran:
    """Start a check at every heartbeat. Its exit wakes this agent again, with the result."""
    if turn.source == "interval":
        await turn.exec_background("df -h . | tail -n 1")
    for event in turn.events:
        print(f"{turn.agent_id} was told: {event.text}", flush=True)
    return Ran()


async def summarise(turn: Turn) -> Ran:
    """Count the events since the last turn."""
    return Ran(reply=f"{len(turn.events)} events since the last turn")
