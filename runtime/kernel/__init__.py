"""The actor kernel: cells, mailboxes, refs, supervision, timers and drain, on one Trio dispatcher."""

from __future__ import annotations

from .ask import Ask
from .commits import Recorder
from .dead_letters import DeadLetter, DeadReason
from .drain import SystemDrainReport
from .errors import AddressError, AskCycleError, AskError, AskFailedError, AskRefusedError, AskTimeoutError
from .events import Edge, Observation, Observer
from .kernel import Performer
from .open import open_system
from .ref import ActorRef, Kind
from .spec import MailboxOverflow, MailboxSpec, Merge
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
    "Edge",
    "Kind",
    "MailboxOverflow",
    "MailboxSpec",
    "Merge",
    "Observation",
    "Observer",
    "Performer",
    "Recorder",
    "SystemDrainReport",
    "SystemStatistics",
    "open_system",
]
