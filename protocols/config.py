"""The configuration of a host, as values that cannot be wrong.

A configured value is made once, where it enters the program: by a person's call, or by the reader of a configuration
file (``runtime/config``). There a duration is converted, and from there on the same object is handed on. The
:class:`~wakeward.protocols.wakes.cooldown.CooldownPolicy` that a file makes *is* the one that the gate reads.

Three steps, from general to special: :class:`HostConfig` holds the defaults, :class:`AgentOptions` what one agent says
itself, and :meth:`HostConfig.settings_of` puts both together into the :class:`AgentSettings` of that agent. Whatever
neither of them says has its default in :class:`AgentSettings`, and nowhere else.
"""

from __future__ import annotations

import enum
from typing import Any, Final

from attrs import evolve, field, frozen

from .backoff import Backoff
from .errors import InvalidInputError
from .openclaw.listed_wakes import WithoutHeartbeat
from .schedule.active_hours import ActiveHours
from .schedule.heartbeat import Heartbeat, phase_ms
from .sessions.route import DEFAULT_MAIN_KEY, Routing, Scope, is_valid_agent_id, main_session_key, normalize_agent_id
from .values.duration import Duration, duration_ms
from .values.validators import at_least, is_a, one_of
from .wakes.cooldown import CooldownPolicy
from .wakes.event_queue import CAPACITY_DEFAULT, QueueOverflow

# ---- what is said of an agent


@frozen
class RetryPolicy:
    """How a turn that did not run is tried again.

    Attributes:
        attempts_max: Tries of the same work, the first one included; 1 means no retry.
        backoff: The wait between failed tries.
        busy_ms: The wait after a busy skip; given as ``busy``.
        idle_ms: The wait after a busy skip that no caller waits for, and after any other skip that leaves events
            behind; given as ``idle``.
    """

    # A default has the form in which a person gives the value: the converter reads 1 as one second. The two waits after
    # a skip, 1 s and 60 s, are OpenClaw's, as the recorded timelines show them.
    # The 15 failed turns after which an event becomes a dead letter are three wakes of 5 tries that were given up.
    attempts_max: int = field(default=5, validator=at_least(1))
    backoff: Backoff = Backoff()
    busy_ms: int = field(default=1, alias="busy", converter=duration_ms)
    idle_ms: int = field(default=60, alias="idle", converter=duration_ms)


@frozen
class QueuePolicy:
    """The bounds of one session's events.

    Attributes:
        capacity: Events that the session holds.
        overflow: What happens to one event more.
        shown_max: Events that one turn is shown.
        failed_turns_max: Failed turns in which an event may have been shown before it becomes a dead letter.
    """

    capacity: int = field(default=CAPACITY_DEFAULT, validator=at_least(1))
    # Refused, not dropped: nothing that was accepted may be lost unless a user has chosen it (openclaw#16771).
    overflow: QueueOverflow = field(default=QueueOverflow.REJECT, converter=one_of(QueueOverflow))
    shown_max: int = field(default=20, validator=at_least(1))
    failed_turns_max: int = field(default=15, validator=at_least(1))


def _timeout_ms(value: Duration | None) -> int | None:
    timeout_ms = None if value is None else duration_ms(value)
    if timeout_ms == 0:  # elsewhere 0 switches something off, and here it would end every turn at its start
        raise InvalidInputError(f"turn_timeout {value!r}: expected more than 0")
    return timeout_ms


# Keyword only, so that a subclass can add fields without a default. The validators are for callers without a type
# checker: a cooldown given as a number would fail only in the gate.
@frozen(kw_only=True)
class AgentOptions:
    """The options of one agent. What it leaves out is taken from the host's :attr:`HostConfig.defaults`.

    Attributes:
        heartbeat: Its heartbeat. Without one, the agent is woken only by others.
        cooldown: Its guards.
        retry: How a turn that did not run is tried again.
        queue: The bounds of one session's events.
        turn_timeout_ms: How long one turn may take; given as ``turn_timeout``. 10 minutes by default.
        turns_max: Turns that it may take at once, in different sessions. By default as many as the host has turn slots.
    """

    heartbeat: Heartbeat | None = field(default=None, validator=is_a(Heartbeat))
    cooldown: CooldownPolicy | None = field(default=None, validator=is_a(CooldownPolicy))
    retry: RetryPolicy | None = field(default=None, validator=is_a(RetryPolicy))
    queue: QueuePolicy | None = field(default=None, validator=is_a(QueuePolicy))
    turn_timeout_ms: int | None = field(default=None, alias="turn_timeout", converter=_timeout_ms)
    turns_max: int | None = field(default=None, validator=at_least(1, optional=True))


def agent_id_of(value: str) -> str:
    """Bring an agent's id into its canonical form.

    Raises:
        InvalidInputError: It cannot be an agent's id.
    """
    if not is_valid_agent_id(value):
        # The recorded normaliser would make it "main", and so name an agent that nobody meant (openclaw#124670).
        accepted = "letters, digits, '-' and '_', beginning with a letter or digit, at most 64"
        raise InvalidInputError(f"agent id {value!r}: expected {accepted}")
    return normalize_agent_id(value)


@frozen(kw_only=True)
class AgentConfig(AgentOptions):
    """One agent of a configuration file.

    Attributes:
        id: Its name in session keys (``agent:<id>:...``). Case does not matter.
        handler: ``module:function``, an async callable that takes a turn. Give either this or ``command``.
        command: A program that gets each turn as one JSON object on standard input.
        loaded: What ``handler`` or ``command`` names, ready to be called; ``None`` until it has been loaded. It is kept
            here so that one configuration loads it once.
    """

    id: str = field(converter=agent_id_of)
    handler: str | None = None
    command: tuple[str, ...] | None = None
    # Compared by their text: a configuration is equal to itself before and after its handlers are loaded.
    loaded: object | None = field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # With both, one of them would be ignored without a word.
        if (self.handler is None) == (self.command is None):
            raise InvalidInputError(
                f"agent {self.id!r}: expected either handler = 'module:function' or command = [...]"
            )
        if self.command is not None and not self.command:
            raise InvalidInputError(f"agent {self.id!r}: command is empty, expected a program and its arguments")

    def with_loaded(self, handler: object) -> AgentConfig:
        """A copy of this agent that keeps its loaded handler."""
        copy = evolve(self)
        object.__setattr__(copy, "loaded", handler)  # not an argument of the class: each argument is a key of the file
        return copy


# ---- the host


class HeartbeatOrigin(enum.Enum):
    """Where the heartbeats of the agents come from."""

    OWN = "own"
    EXTERNAL = "external"
    """Another program sends them as scheduled wakes. The interval still counts for the cooldown."""


def _optional_agent_id(value: str | None) -> str | None:
    return None if value is None else agent_id_of(value)


@frozen(kw_only=True)
class HostConfig:
    """The configuration of a host.

    Attributes:
        agents: The agents that it starts with.
        defaults: The options of agents that do not give their own.
        main_key: The name of an agent's main session.
        scope: Whether each sender has a session, or all senders share one.
        default_agent: The owner of keys that name no agent. Without one, such keys are refused.
        turns_max: Turns that run at once in the whole host.
        without_heartbeat: What may wake an agent that has no heartbeat.
        heartbeat_origin: Where heartbeats come from.
        seed: Spreads the heartbeats of the agents; the same seed gives the same phases.
        drain_grace_ms: How long work may go on when the host's block is left; given as ``drain_grace``.
        ledger_size: Decisions that are kept in memory.
        folder: Python searches it first for the modules of handlers, and programs run in it. For a configuration file
            it is the file's own folder.
    """

    agents: tuple[AgentConfig, ...] = ()
    defaults: AgentOptions = AgentOptions()
    main_key: str = DEFAULT_MAIN_KEY
    scope: Scope = field(default=Scope.PER_SENDER, converter=one_of(Scope))
    default_agent: str | None = field(default=None, converter=_optional_agent_id)
    # Four turns at once, as in OpenClaw, whose recorded timelines run with this number.
    turns_max: int = field(default=4, validator=at_least(1))
    # Ours differs from OpenClaw: without a heartbeat, completions must still arrive (openclaw#67913, #129836).
    without_heartbeat: WithoutHeartbeat = field(default=WithoutHeartbeat.EVERY_WAKE, converter=one_of(WithoutHeartbeat))
    heartbeat_origin: HeartbeatOrigin = field(default=HeartbeatOrigin.OWN, converter=one_of(HeartbeatOrigin))
    seed: str = "wakeward"
    drain_grace_ms: int = field(default=10, alias="drain_grace", converter=duration_ms)
    ledger_size: int = field(default=10_000, validator=at_least(1))
    folder: str | None = None

    def __attrs_post_init__(self) -> None:
        ids = [agent.id for agent in self.agents]  # in canonical form: "Ops" and "ops" are one agent
        if twice := sorted({agent_id for agent_id in ids if ids.count(agent_id) > 1}):
            raise InvalidInputError(f"agents: {', '.join(map(repr, twice))} configured more than once")

    @property
    def routing(self) -> Routing:
        """Main key and scope."""
        return Routing(self.main_key, self.scope)

    def settings_of(self, agent_id: str, options: AgentOptions) -> AgentSettings:
        """The settings of one agent of this host: its own options, and the defaults where it has none."""
        # An agent that gives a heartbeat replaces the whole of the default one, hours included.
        heartbeat: Heartbeat | None = _first_said("heartbeat", options, self.defaults)
        return AgentSettings(
            agent_id=agent_id,
            main_key=main_session_key(agent_id, self.main_key),
            # Set also if the heartbeat comes from another program: the cooldown reckons with the interval all the same.
            interval_ms=(heartbeat.every_ms or None) if heartbeat else None,
            heartbeat=self._schedule_of(agent_id, heartbeat),
            without_heartbeat=self.without_heartbeat,
            **{name: said for name in _HANDED_ON if (said := _first_said(name, options, self.defaults)) is not None},
        )

    def _schedule_of(self, agent_id: str, heartbeat: Heartbeat | None) -> HeartbeatSchedule | None:
        # Without a schedule the agent arms no timer, so a heartbeat from another program does not come twice.
        if heartbeat is None or heartbeat.every_ms == 0 or self.heartbeat_origin is HeartbeatOrigin.EXTERNAL:
            return None
        # Made from the id, so an agent keeps its phase over restarts and whatever other agents there are.
        phase = phase_ms(self.seed, agent_id, heartbeat.every_ms)
        return HeartbeatSchedule(heartbeat.every_ms, phase, heartbeat.active_hours)


_HANDED_ON: Final = ("cooldown", "retry", "queue", "turn_timeout_ms", "turns_max")
"""The options that become settings as they are. A heartbeat becomes a schedule, which also needs the host's seed."""


def _first_said(name: str, *layers: AgentOptions) -> Any:
    # Only None says nothing: a heartbeat of 0 is said, and switches the default one off.
    return next((said for layer in layers if (said := getattr(layer, name)) is not None), None)


# ---- what an agent's behaviour reads


@frozen
class HeartbeatSchedule:
    """When an agent's own heartbeat comes.

    Attributes:
        interval_ms: From one heartbeat to the next.
        phase_ms: Its offset within the interval, so that not all agents have their heartbeat at the same instant.
        active_hours: Heartbeats come only in these hours; ``None`` means always.
    """

    interval_ms: int = field(validator=at_least(1))
    phase_ms: int = field(default=0, validator=at_least(0))
    active_hours: ActiveHours | None = None


@frozen
class AgentSettings:
    """All settings of one agent, as its behaviour reads them.

    Attributes:
        main_key: The key of its main session (``agent:ops:main``).
        interval_ms: The interval that the cooldown reckons with; ``None``: no heartbeat, so the agent is always due.
        heartbeat: When its heartbeat comes; ``None`` if there is none, or if it comes from another program.
        without_heartbeat: What may wake it if it has no interval.
        turn_timeout_ms: How long one turn may take.
        turns_max: Turns that it may take at once, in different sessions; ``None``: as many as the host has turn slots.
    """

    agent_id: str
    main_key: str
    interval_ms: int | None = None
    heartbeat: HeartbeatSchedule | None = None
    without_heartbeat: WithoutHeartbeat = WithoutHeartbeat.EVERY_WAKE
    cooldown: CooldownPolicy = CooldownPolicy()
    retry: RetryPolicy = RetryPolicy()
    queue: QueuePolicy = QueuePolicy()
    turn_timeout_ms: int = field(default=600_000, validator=at_least(1))  # no converter: settings are milliseconds
    turns_max: int | None = None
