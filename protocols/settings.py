"""What an agent is configured to do, in the units of the domain; made from the public specification by the host."""

from __future__ import annotations

from attrs import field, frozen

from .active_hours import ActiveHours
from .admission import WithoutCadence
from .backoff import Backoff
from .checks import at_least, one_of
from .cooldown import CooldownPolicy
from .duration import duration_ms
from .event_queue import CAPACITY_DEFAULT, Overflow


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
    overflow: Overflow = field(default=Overflow.REJECT, converter=one_of(Overflow))
    shown_max: int = field(default=20, validator=at_least(1))
    failed_turns_max: int = field(default=15, validator=at_least(1))


@frozen
class Cadence:
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
        cadence: The beat, when this host gives it; ``None`` when there is none or it comes from elsewhere.
        without_cadence: What may wake it when it has no interval.
        turn_timeout_ms: How long one turn may take.
        turns_max: Turns that it may take at once, in as many sessions; ``None``: as many as the host has slots.
    """

    agent_id: str
    main_key: str
    interval_ms: int | None = None
    cadence: Cadence | None = None
    without_cadence: WithoutCadence = WithoutCadence.EVERY_WAKE
    cooldown: CooldownPolicy = CooldownPolicy()
    retry: RetryPolicy = RetryPolicy()
    queue: QueuePolicy = QueuePolicy()
    turn_timeout_ms: int = field(default=600_000, validator=at_least(1))
    turns_max: int | None = None
