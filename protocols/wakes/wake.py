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
"""How long a wake waits for other wakes of its session, as in OpenClaw, unless it names another time."""


class Source(enum.StrEnum):
    """Where a wake or event comes from. An agent without a heartbeat may be set to take only some of them."""

    # The recorded names, which clients of OpenClaw send as well.
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
    """How urgent a wake is. The cooldown decision reads nothing else of the wake."""

    SCHEDULED = "scheduled"
    EVENT = "event"
    TASK = "task"
    IMMEDIATE = "immediate"
    MANUAL = "manual"


@frozen
class WakeTask:
    """A unit of due work that a wake carries. A later task with the same job id replaces it."""

    job_id: str
    name: str = ""
    prompt: str = ""


def normalize_reason(reason: str | None) -> str:
    """Trim a reason. A blank one becomes ``requested``."""
    # Never blank: a reason is shown to people, in the ledger and in a turn.
    return (es_trim(reason) if reason else "") or "requested"
