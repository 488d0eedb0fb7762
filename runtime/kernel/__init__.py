"""The actor kernel: cells, mailboxes, refs, supervision, timers and drain, on one Trio dispatcher."""

from __future__ import annotations

from .ask import Ask
from .deadletters import DeadLetter, DeadReason
from .drain import DrainReport
from .errors import (
    AddressError,
    AskCycleError,
    AskError,
    AskFailedError,
    AskRefusedError,
    AskTimeoutError,
)
from .observer import Edge, Observation, Observer
from .ref import ActorRef, Kind
from .spec import MailboxSpec, Merge, Overflow
from .statistics import ActorStatistics, SystemStatistics
from .system import ActorSystem, open_system

__all__ = [
    "ActorRef",
    "ActorStatistics",
    "ActorSystem",
    "AddressError",
    "Ask",
    "AskCycleError",
    "AskError",
    "AskFailedError",
    "AskRefusedError",
    "AskTimeoutError",
    "DeadLetter",
    "DeadReason",
    "DrainReport",
    "Edge",
    "Kind",
    "MailboxSpec",
    "Merge",
    "Observation",
    "Observer",
    "Overflow",
    "SystemStatistics",
    "open_system",
]
