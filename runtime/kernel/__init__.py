"""The actor kernel: cells, mailboxes, refs, supervision, timers and drain, on one Trio dispatcher."""

from __future__ import annotations

from .ask import Ask
from .dead_letters import DeadLetter, DeadReason
from .drain import DrainReport
from .errors import AddressError, AskCycleError, AskError, AskFailedError, AskRefusedError, AskTimeoutError
from .events import Edge, Observation, Observer
from .open import open_system
from .ref import ActorRef, Kind
from .spec import MailboxSpec, Merge, Overflow
from .statistics import ActorStatistics, SystemStatistics
from .system import ActorSystem

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
