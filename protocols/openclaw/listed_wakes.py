"""What may wake an agent that has no cadence.

Ours: every targeted wake (openclaw#67913, #129836: switching the beat off must not switch off completions).
OpenClaw's, as recorded, for who needs it: some kinds only, told apart by the reason's text among other things.
"""

from __future__ import annotations

import enum
from typing import Final

from ..values.ecmascript import es_trim
from ..wakes.wake import Intent, Source


class WithoutHeartbeat(enum.Enum):
    """Which wakes an agent without a cadence takes."""

    EVERY_WAKE = "every-wake"
    LISTED = "listed"
    """OpenClaw's list. Events of other kinds stay in their queue until a wake of a listed kind comes."""


_PREFIX_OF: Final = {Source.CRON: "cron:", Source.HOOK: "hook:"}
_WAKE_NOW_OF: Final = frozenset({Source.MANUAL, Source.NOTIFICATIONS_EVENT, Source.RESTART_SENTINEL})
_ALWAYS_NOW: Final = frozenset({Source.BACKGROUND_TASK, Source.BACKGROUND_TASK_BLOCKED})


def is_listed(source: Source, intent: Intent, reason: str, *, names_session: bool) -> bool:
    """Whether a targeted wake is of a kind that OpenClaw lets wake an agent without a cadence.

    Args:
        source: Who asks.
        intent: How urgent.
        reason: Its text.
        names_session: It named a session, not only an agent.
    """
    reason = es_trim(reason)
    if source is Source.EXEC_EVENT:
        return intent is Intent.EVENT and reason == "exec-event"
    if intent is not Intent.IMMEDIATE:
        return False
    if source in _PREFIX_OF:
        return reason.startswith(_PREFIX_OF[source])
    if source in _WAKE_NOW_OF:
        return names_session and reason == "wake"
    return source in _ALWAYS_NOW
