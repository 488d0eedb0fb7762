"""The restart decision: continue, and when, or the reason not to.

The arithmetic is that of OTP's ``supervisor:add_restart/3``: at most ``intensity`` restarts within ``period_ms``, kept
per actor. The delay grows exponentially up to a cap, has jitter, and is reset by a time without crashes. Everything is
an argument: the instant, and the random number too.

OTP counts the intensity per supervisor. That was rejected: with many agents under one supervisor, the crashes of one
would end all of them.
"""

from __future__ import annotations

import enum
from typing import Final, assert_never, final

from attrs import field, frozen

from .backoff import backoff_ms
from .errors import InvalidInputError


class RestartType(enum.Enum):
    """After which ends an actor is restarted (OTP's restart types)."""

    PERMANENT = "permanent"
    """After every end, also an orderly one that the actor itself asked for."""
    TRANSIENT = "transient"
    """After a crash only."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(enum.Enum):
    """Which members of a group are restarted when one of them is (OTP's strategies)."""

    ONE_FOR_ONE = "one-for-one"
    ONE_FOR_ALL = "one-for-all"
    REST_FOR_ONE = "rest-for-one"


class Exhausted(enum.Enum):
    """What happens when an actor has more restarts than its intensity allows."""

    STOP = "stop"
    """The actor ends as crashed; its watchers are told."""
    ESCALATE = "escalate"
    """The whole system ends, with the exceptions that led to it."""


@final
@frozen
class RestartSpec:
    """How often and how fast an actor is restarted.

    Attributes:
        intensity: At most so many restarts within ``period_ms``; one more crash, and the actor is given up.
        backoff_first_ms: The delay before the first restart; 0 restarts at once, always.
        backoff_cap_ms: No delay is longer.
        jitter: The part of a delay that is left to chance, 0 to 1: a delay ``d`` lies in ``(d * (1 - jitter), d]``.
        reset_after_ms: After so long without a crash the next delay is the first one again.
        retries_max: How often a message that crashed the actor is tried again before it goes to the dead letters.
    """

    restart_type: RestartType = RestartType.TRANSIENT
    # OTP's default is one restart in five seconds, for a whole supervisor. Here the count is that of one actor.
    intensity: int = field(default=5)
    period_ms: int = field(default=60_000)
    backoff_first_ms: int = field(default=100)
    backoff_factor: float = field(default=2.0)
    backoff_cap_ms: int = field(default=30_000)
    # Actors that crash together, because of one cause, must not all come back in the same instant.
    jitter: float = field(default=0.2)
    reset_after_ms: int = field(default=60_000)
    # None by default: a message that crashes its actor most likely crashes it again.
    retries_max: int = field(default=0)
    exhausted: Exhausted = Exhausted.STOP

    def __attrs_post_init__(self) -> None:
        for name in ("intensity", "backoff_first_ms", "backoff_cap_ms", "retries_max"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "a whole number, 0 or more")
        # Above 0: a period of 0 would count no restart, and nothing would ever be given up.
        for name in ("period_ms", "reset_after_ms"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "milliseconds above 0")
        _require(self.backoff_factor >= 1, "backoff_factor", self.backoff_factor, "1 or more")
        _require(0 <= self.jitter <= 1, "jitter", self.jitter, "0 to 1")


@final
@frozen
class RestartHistory:
    """What the decision remembers of one actor.

    Attributes:
        restarts_ms: The instants of the decided restarts within the period, oldest first.
        streak: Restarts in a row, without ``reset_after_ms`` between two of them.
        due_ms: When the latest restart was, or is, due.
    """

    restarts_ms: tuple[int, ...] = ()
    streak: int = 0
    due_ms: int | None = None


FRESH: Final = RestartHistory()


@final
@frozen
class Restart:
    """Restart at ``at_ms``."""

    at_ms: int
    history: RestartHistory


@final
@frozen
class GiveUp:
    """Do not restart.

    Attributes:
        reason: For people.
        exhausted: The intensity was exceeded. False when the restart type allows no restart after such an end.
    """

    reason: str
    exhausted: bool


def decide_restart(
    spec: RestartSpec, history: RestartHistory, *, now_ms: int, crashed: bool, draw: float
) -> Restart | GiveUp:
    """Whether an actor that has just ended is restarted, and when.

    Args:
        spec: How often and how fast.
        history: What was decided before.
        now_ms: The instant of the end.
        crashed: False for an orderly end that the actor asked for.
        draw: A random number, 0 up to but not including 1; spreads the delay.
    """
    # Below 1: the range of a delay is open at its lower end (RestartSpec.jitter).
    assert 0 <= draw < 1, draw
    if not _is_restarted(spec.restart_type, crashed=crashed):
        return GiveUp(f"{spec.restart_type.value} actors are not restarted after this", exhausted=False)
    # Strictly within: a restart exactly one period ago is forgotten.
    recent = tuple(at for at in history.restarts_ms if now_ms - at < spec.period_ms)
    # An intensity of 0 gives up at the first crash.
    if len(recent) >= spec.intensity:
        return GiveUp(f"{len(recent)} restarts in {spec.period_ms} ms, at most {spec.intensity}", exhausted=True)
    # Counted from when the restart was due, not from the crash: a long delay is no time in which it ran well.
    quiet = history.due_ms is not None and now_ms - history.due_ms >= spec.reset_after_ms
    streak = 1 if quiet else history.streak + 1
    at_ms = now_ms + delay_ms(spec, streak, draw)
    # Only what is within the period is kept, so the history is bounded by the intensity.
    return Restart(at_ms, RestartHistory((*recent, now_ms), streak, at_ms))


def delay_ms(spec: RestartSpec, streak: int, draw: float) -> int:
    """The delay before restart number ``streak`` of a row (the first is 1), in whole milliseconds."""
    return backoff_ms(
        base_ms=spec.backoff_first_ms,
        factor=spec.backoff_factor,
        cap_ms=spec.backoff_cap_ms,
        jitter=spec.jitter,
        # A streak counts from 1, a repetition from 0.
        repetition=streak - 1,
        draw=draw,
    )


def _is_restarted(restart_type: RestartType, *, crashed: bool) -> bool:
    match restart_type:
        case RestartType.PERMANENT:
            return True
        case RestartType.TRANSIENT:
            return crashed
        case RestartType.TEMPORARY:
            return False
        case _:
            assert_never(restart_type)


def _require(ok: bool, name: str, value: object, accepted: str) -> None:
    if not ok:
        raise InvalidInputError(f"RestartSpec({name}={value!r}): {accepted} is accepted")
