"""Wakeward: an actor-model runtime on Trio for hosts that run many agents. One wake, one agent.

The names here are for the common case: a host, its agents, what they are configured by and what comes back. Actors of
your own are made with :func:`open_system`; deeper modules are for the rest. What is not exported may change.
"""

from __future__ import annotations

from loguru import logger as _logger

from .actors.port import Context, Reply, Terminated
from .protocols.active_hours import ActiveHours
from .protocols.backoff import Backoff
from .protocols.config import AgentConfig, AgentOptions, HostConfig, Ticks
from .protocols.cooldown import CooldownPolicy
from .protocols.errors import ConfigError, HostClosedError, InvalidInputError, WakewardError
from .protocols.event import DeliveryContext, Event
from .protocols.event_queue import Overflow
from .protocols.exec import Exit
from .protocols.exec_text import ExecCompletion, parse_exec_completion
from .protocols.heartbeat import Heartbeat
from .protocols.ledger import Decision, DecisionKind
from .protocols.receipt import Receipt, Refusal
from .protocols.session_route import Scope
from .protocols.settings import QueuePolicy, RetryPolicy
from .protocols.turn import Failed, Outcome, Ran, Skipped
from .protocols.wake import Intent, Source, WakeTask
from .runtime.host import Host
from .runtime.jobs import JobHandle
from .runtime.kernel import ActorRef, ActorSystem, MailboxSpec, open_system
from .runtime.open_host import open_host
from .runtime.spec import AgentSpec, Handler
from .runtime.statistics import AgentStatistics, DrainReport, HostStatistics
from .runtime.turn import Turn

__all__ = [
    "ActiveHours",
    "ActorRef",
    "ActorSystem",
    "AgentConfig",
    "AgentOptions",
    "AgentSpec",
    "AgentStatistics",
    "Backoff",
    "ConfigError",
    "Context",
    "CooldownPolicy",
    "Decision",
    "DecisionKind",
    "DeliveryContext",
    "DrainReport",
    "Event",
    "ExecCompletion",
    "Exit",
    "Failed",
    "Handler",
    "Heartbeat",
    "Host",
    "HostClosedError",
    "HostConfig",
    "HostStatistics",
    "Intent",
    "InvalidInputError",
    "JobHandle",
    "MailboxSpec",
    "Outcome",
    "Overflow",
    "QueuePolicy",
    "Ran",
    "Receipt",
    "Refusal",
    "Reply",
    "RetryPolicy",
    "Scope",
    "Skipped",
    "Source",
    "Terminated",
    "Ticks",
    "Turn",
    "WakeTask",
    "WakewardError",
    "open_host",
    "open_system",
    "parse_exec_completion",
]

_logger.disable("wakeward")
