"""Wakeward: an actor-model runtime on Trio for hosts that run many agents. One wake, one agent.

The names here are for the common case: a host, its agents, what they are configured by and what comes back. Actors of
your own are made with :func:`open_system`; deeper modules are for the rest. What is not exported may change.
"""

from __future__ import annotations

from loguru import logger as _logger

from .protocols.actor import Context, Reply, Terminated
from .protocols.backoff import Backoff
from .protocols.config import AgentConfig, AgentOptions, HeartbeatOrigin, HostConfig, QueuePolicy, RetryPolicy
from .protocols.errors import ConfigError, HostClosedError, InvalidInputError, WakewardError
from .protocols.jobs.completion import ExecCompletion, parse_exec_completion
from .protocols.jobs.exit import Exit
from .protocols.receipt import Receipt, Refusal
from .protocols.schedule.active_hours import ActiveHours
from .protocols.schedule.heartbeat import Heartbeat
from .protocols.sessions.route import Scope
from .protocols.wakes.cooldown import CooldownPolicy
from .protocols.wakes.decision import Decision, DecisionKind
from .protocols.wakes.event import DeliveryContext, Event
from .protocols.wakes.event_queue import QueueOverflow
from .protocols.wakes.turn import Failed, Outcome, Ran, SkipKind, Skipped
from .protocols.wakes.wake import Intent, Source, WakeTask
from .runtime.host.agent_spec import AgentSpec, Handler
from .runtime.host.host import Host
from .runtime.host.open import open_host
from .runtime.host.statistics import AgentStatistics, DrainReport, HostStatistics
from .runtime.host.turn import Turn
from .runtime.jobs.handle import JobHandle
from .runtime.kernel import ActorRef, ActorSystem, MailboxOverflow, MailboxSpec, open_system

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
    "HeartbeatOrigin",
    "Host",
    "HostClosedError",
    "HostConfig",
    "HostStatistics",
    "Intent",
    "InvalidInputError",
    "JobHandle",
    "MailboxOverflow",
    "MailboxSpec",
    "Outcome",
    "QueueOverflow",
    "QueuePolicy",
    "Ran",
    "Receipt",
    "Refusal",
    "Reply",
    "RetryPolicy",
    "Scope",
    "SkipKind",
    "Skipped",
    "Source",
    "Terminated",
    "Turn",
    "WakeTask",
    "WakewardError",
    "open_host",
    "open_system",
    "parse_exec_completion",
]

_logger.disable("wakeward")
