"""A wake: the request that one session take a turn.

Policy follows source and intent, both closed enums. The reason is text for people and decides nothing (openclaw#75439
is what happened when strings decided).
"""

from __future__ import annotations

import enum
from typing import Final

from attrs import frozen

from ..values.ecmascript import es_trim

DEFAULT_COALESCE_MS: Final = 250
"""How long a wake waits for company unless it says otherwise."""


class Source(enum.StrEnum):
    """Who asks. Decides nothing by itself but what a disabled agent may still be woken by."""

    INTERVAL = "interval"
    MANUAL = "manual"
    EXEC_EVENT = "exec-event"
    NOTIFICATIONS_EVENT = "notifications-event"
    CRON = "cron"
    HOOK = "hook"
    BACKGROUND_TASK = "background-task"
    BACKGROUND_TASK_BLOCKED = "background-task-blocked"
    ACP_SPAWN = "acp-spawn"
    SESSION_STATE = "session-state"
    CLI_WATCHDOG = "cli-watchdog"
    RESTART_SENTINEL = "restart-sentinel"
    RETRY = "retry"
    OTHER = "other"


class Intent(enum.StrEnum):
    """How urgent. The cooldown decision reads this and nothing else of a wake."""

    SCHEDULED = "scheduled"
    EVENT = "event"
    TASK = "task"
    IMMEDIATE = "immediate"
    MANUAL = "manual"


@frozen
class WakeTask:
    """A unit of due work that a wake carries: a later one with the same job replaces it."""

    job_id: str
    name: str = ""
    prompt: str = ""


def normalize_reason(reason: str | None) -> str:
    """A reason fit to show; blank becomes ``requested``."""
    return (es_trim(reason) if reason else "") or "requested"
