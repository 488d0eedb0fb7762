"""The configuration of a host, as values that cannot be wrong. A file of it is read in the runtime."""

from __future__ import annotations

import enum

from attrs import field, frozen

from .backoff import Backoff
from .errors import InvalidInputError
from .openclaw.listed_wakes import WithoutHeartbeat
from .schedule.active_hours import ActiveHours
from .schedule.heartbeat import Heartbeat, phase_ms
from .sessions.route import Routing, Scope, is_valid_agent_id, main_session_key, normalize_agent_id
from .values.duration import Duration, duration_ms
from .values.validators import at_least, is_a, one_of
from .wakes.cooldown import CooldownPolicy
from .wakes.event_queue import CAPACITY_DEFAULT, QueueOverflow


@frozen
class RetryPolicy:
    """How turns that did not run are tried again.

    Attributes:
        attempts_max: Tries of the same work, the first included; 1 never retries.
        backoff: Between failed tries.
        busy_ms: After a busy skip; given as ``busy``.
        idle_ms: After a busy skip that nobody waits for, and after any other skip that leaves events behind; given as
            ``idle``.
    """

    attempts_max: int = field(default=5, validator=at_least(1))
    backoff: Backoff = Backoff()
    busy_ms: int = field(default=1, alias="busy", converter=duration_ms)
    idle_ms: int = field(default=60, alias="idle", converter=duration_ms)


@frozen
class QueuePolicy:
    """The bounds of a session's events.

    Attributes:
        capacity: Events that one session holds.
        overflow: What happens to one too many.
        shown_max: Events that one turn is shown.
        failed_turns_max: Failed turns that an event may have been shown in before it becomes a dead letter.
    """

    capacity: int = field(default=CAPACITY_DEFAULT, validator=at_least(1))
    overflow: QueueOverflow = field(default=QueueOverflow.REJECT, converter=one_of(QueueOverflow))
    shown_max: int = field(default=20, validator=at_least(1))
    failed_turns_max: int = field(default=15, validator=at_least(1))


@frozen
class HeartbeatSchedule:
    """An agent's own beat.

    Attributes:
        interval_ms: From beat to beat.
        phase_ms: Its offset within the interval, so that agents do not beat together.
        active_hours: When it beats at all.
    """

    interval_ms: int = field(validator=at_least(1))
    phase_ms: int = field(default=0, validator=at_least(0))
    active_hours: ActiveHours | None = None


@frozen
class AgentSettings:
    """Everything an agent's behaviour is configured by.

    Attributes:
        main_key: The session that stands for the agent itself (``agent:ops:main``).
        interval_ms: What the cooldown takes for the agent's interval; ``None`` without a cadence.
        heartbeat: The heartbeat, when this host gives it; ``None`` when there is none or it comes from elsewhere.
        without_heartbeat: What may wake it when it has no interval.
        turn_timeout_ms: How long one turn may take.
        turns_max: Turns that it may take at once, in as many sessions; ``None``: as many as the host has slots.
    """

    agent_id: str
    main_key: str
    interval_ms: int | None = None
    heartbeat: HeartbeatSchedule | None = None
    without_heartbeat: WithoutHeartbeat = WithoutHeartbeat.EVERY_WAKE
    cooldown: CooldownPolicy = CooldownPolicy()
    retry: RetryPolicy = RetryPolicy()
    queue: QueuePolicy = QueuePolicy()
    turn_timeout_ms: int = field(default=600_000, validator=at_least(1))
    turns_max: int | None = None


class HeartbeatOrigin(enum.Enum):
    """Where the beats of the agents come from."""

    OWN = "own"
    EXTERNAL = "external"
    """Somebody else sends them as scheduled wakes; intervals still count for the cooldown."""


def agent_id_of(value: str) -> str:
    """An agent's id in its canonical form.

    Raises:
        InvalidInputError: It cannot be one.
    """
    if not is_valid_agent_id(value):
        accepted = "letters, digits, '-' and '_', beginning with a letter or digit, at most 64"
        raise InvalidInputError(f"agent id {value!r}: expected {accepted}")
    return normalize_agent_id(value)


def _optional_agent_id(value: str | None) -> str | None:
    return None if value is None else agent_id_of(value)


def _timeout_ms(value: Duration | None) -> int | None:
    timeout_ms = None if value is None else duration_ms(value)
    if timeout_ms == 0:
        raise InvalidInputError(f"turn_timeout {value!r}: expected more than 0")
    return timeout_ms


@frozen(kw_only=True)
class AgentOptions:
    """What may be said of one agent; what is not said is taken from the host's :attr:`HostConfig.defaults`.

    Attributes:
        heartbeat: Its cadence; without one it is woken by others only.
        cooldown: Its guards.
        retry: How turns that did not run are tried again.
        queue: The bounds of its sessions' events.
        turn_timeout_ms: How long one turn may take; given as ``turn_timeout``. 10 minutes unless said.
        turns_max: Turns that it may take at once, in as many sessions; by default as many as the host has slots.
    """

    heartbeat: Heartbeat | None = field(default=None, validator=is_a(Heartbeat))
    cooldown: CooldownPolicy | None = field(default=None, validator=is_a(CooldownPolicy))
    retry: RetryPolicy | None = field(default=None, validator=is_a(RetryPolicy))
    queue: QueuePolicy | None = field(default=None, validator=is_a(QueuePolicy))
    turn_timeout_ms: int | None = field(default=None, alias="turn_timeout", converter=_timeout_ms)
    turns_max: int | None = field(default=None, validator=at_least(1, optional=True))


@frozen(kw_only=True)
class AgentConfig(AgentOptions):
    """One agent of a configuration file.

    Attributes:
        id: Its name in session keys (``agent:<id>:...``); case does not matter.
        handler: ``module:function``, an async callable that takes a turn. This, or ``command``.
        command: A program that gets the turn as one JSON object on standard input.
    """

    id: str = field(converter=agent_id_of)
    handler: str | None = None
    command: tuple[str, ...] | None = None

    def __attrs_post_init__(self) -> None:
        if (self.handler is None) == (self.command is None):
            raise InvalidInputError(
                f"agent {self.id!r}: expected either handler = 'module:function' or command = [...]"
            )
        if self.command is not None and not self.command:
            raise InvalidInputError(f"agent {self.id!r}: command is empty, expected a program and its arguments")


@frozen(kw_only=True)
class HostConfig:
    """A host.

    Attributes:
        agents: The agents it begins with.
        defaults: What agents do not say themselves.
        main_key: The name of an agent's main session.
        scope: Whether each sender has a session, or all share one.
        default_agent: The owner of keys that name no agent; without one they are refused.
        turns_max: Turns that run at once in the whole host.
        without_heartbeat: What may wake an agent that has no cadence.
        heartbeat_origin: Where heartbeats come from.
        seed: Spreads the beats of the agents; the same seed gives the same phases.
        drain_grace_ms: How long leaving the host waits for work to end; given as ``drain_grace``.
        ledger_size: Decisions kept in memory.
        folder: Where modules of handlers are sought first, and where commands run; for a file the folder it lies in.
    """

    agents: tuple[AgentConfig, ...] = ()
    defaults: AgentOptions = AgentOptions()
    main_key: str = "main"
    scope: Scope = field(default=Scope.PER_SENDER, converter=one_of(Scope))
    default_agent: str | None = field(default=None, converter=_optional_agent_id)
    turns_max: int = field(default=4, validator=at_least(1))
    without_heartbeat: WithoutHeartbeat = field(default=WithoutHeartbeat.EVERY_WAKE, converter=one_of(WithoutHeartbeat))
    heartbeat_origin: HeartbeatOrigin = field(default=HeartbeatOrigin.OWN, converter=one_of(HeartbeatOrigin))
    seed: str = "wakeward"
    drain_grace_ms: int = field(default=10, alias="drain_grace", converter=duration_ms)
    ledger_size: int = field(default=10_000, validator=at_least(1))
    folder: str | None = None

    def __attrs_post_init__(self) -> None:
        ids = [agent.id for agent in self.agents]
        if twice := sorted({agent_id for agent_id in ids if ids.count(agent_id) > 1}):
            raise InvalidInputError(f"agents: {', '.join(map(repr, twice))} configured more than once")

    @property
    def routing(self) -> Routing:
        """Main key and scope."""
        return Routing(self.main_key, self.scope)

    def settings_of(self, agent_id: str, options: AgentOptions) -> AgentSettings:
        """What one agent of this host is to do, the defaults filled in."""
        heartbeat = options.heartbeat or self.defaults.heartbeat
        interval_ms = (heartbeat.every_ms or None) if heartbeat else None
        schedule = None
        if heartbeat and interval_ms and self.heartbeat_origin is HeartbeatOrigin.OWN:
            schedule = HeartbeatSchedule(
                interval_ms, phase_ms(self.seed, agent_id, interval_ms), heartbeat.active_hours
            )
        return AgentSettings(
            agent_id=agent_id,
            main_key=main_session_key(agent_id, self.main_key),
            interval_ms=interval_ms,
            heartbeat=schedule,
            without_heartbeat=self.without_heartbeat,
            cooldown=options.cooldown or self.defaults.cooldown or CooldownPolicy(),
            retry=options.retry or self.defaults.retry or RetryPolicy(),
            queue=options.queue or self.defaults.queue or QueuePolicy(),
            turn_timeout_ms=options.turn_timeout_ms or self.defaults.turn_timeout_ms or 600_000,
            turns_max=options.turns_max or self.defaults.turns_max,
        )
