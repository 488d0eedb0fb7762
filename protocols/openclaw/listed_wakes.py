"""Which wakes an agent without a heartbeat takes: every one, or the kinds on OpenClaw's list.

Ours is :attr:`WithoutHeartbeat.EVERY_WAKE`: switching the heartbeat off must not switch off completions
(openclaw#67913, #129836).

Why the list is recorded and not ours: it lets *strings* decide. A hook's wake passes if the text of its reason starts
with ``"hook:"``, and that text is otherwise for people. It is the one rule of this room that the product uses: an agent
reads it when the configuration says ``without_heartbeat = "listed"``, for hosts that replace OpenClaw and must wake as
it does.
"""

from __future__ import annotations

import enum
from typing import Final

from ..values.ecmascript import es_trim
from ..wakes.wake import Intent, Source


class WithoutHeartbeat(enum.Enum):
    """Which wakes an agent without a heartbeat takes."""

    EVERY_WAKE = "every-wake"
    LISTED = "listed"
    """Only those on OpenClaw's list. Other events stay in their queue until a wake of a listed kind comes."""


_PREFIX_OF: Final = {Source.CRON: "cron:", Source.HOOK: "hook:"}
# The kinds with which a person or a node says "wake this session now"; their reason is the plain word.
_WAKE_NOW_OF: Final = frozenset({Source.MANUAL, Source.NOTIFICATIONS_EVENT, Source.RESTART_SENTINEL})
_ALWAYS_NOW: Final = frozenset({Source.BACKGROUND_TASK, Source.BACKGROUND_TASK_BLOCKED})


def is_listed(source: Source, intent: Intent, reason: str, *, names_session: bool) -> bool:
    """Whether OpenClaw lets this wake start a turn of an agent without a heartbeat.

    Args:
        source: Who asks.
        intent: How urgent the wake is.
        reason: Its text.
        names_session: Whether the wake named a session, not only an agent.
    """
    # Strings decide from here on. Elsewhere in this project a reason is text for people.
    reason = es_trim(reason)
    if source is Source.EXEC_EVENT:
        # Exactly: an exec event that somebody made immediate is not listed, as the disabled-* rows show.
        return intent is Intent.EVENT and reason == "exec-event"
    if intent is not Intent.IMMEDIATE:
        return False
    if source in _PREFIX_OF:
        return reason.startswith(_PREFIX_OF[source])
    if source in _WAKE_NOW_OF:
        return names_session and reason == "wake"
    return source in _ALWAYS_NOW  # a scheduled wake never passes: its agent has no interval
