"""What is remembered of an actor across its restarts, and what few actors need."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, final

import trio
from attrs import define, field

from ...protocols.actor import Cause
from ...protocols.restart import FRESH, RestartHistory
from .group import Group
from .sender import Request
from .timers import Alarm

C = TypeVar("C")


@final
@define(eq=False, repr=False, weakref_slot=False)
class Extras(Generic[C]):
    """Made when first needed: most actors are never watched, asked or restarted.

    Attributes:
        requests: Requests to it that it has not answered.
        parked: Of these, those that wait for room in the mailbox, with their messages.
        errors: What it crashed of: the latest, or as many as an escalation will show.
        attempts: How often the message at the head has crashed it.
        owner: Whose records it saves.
        restart_alarm: Fires when it is restarted.
        ended: How it ended.
    """

    watchers: dict[C, None] = field(factory=dict[C, None])
    requests: dict[Request, None] = field(factory=dict[Request, None])
    parked: dict[Request, Any] = field(factory=dict[Request, Any])
    group: Group[C] | None = None
    history: RestartHistory = FRESH
    errors: list[BaseException] = field(factory=list[BaseException])
    attempts: int = 0
    crashes: int = 0
    restarts: int = 0
    owner: str | None = None
    restart_alarm: Alarm | None = None
    ended: tuple[Cause, BaseException | None] | None = None
    end_event: trio.Event | None = None
