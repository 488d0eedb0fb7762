"""The restart decision: continue, and when, or the reason not to.

The window arithmetic is OTP's ``supervisor:add_restart/3``, kept per actor: an intensity counted over all children lets
one crash-looping agent take the others down. The delay is exponential, with a cap, with jitter, and is reset by a quiet
time. Everything is an argument: the instant, and the random number too.
"""

from __future__ import annotations

import enum
from typing import Final, assert_never, final

from attrs import field, frozen

from .backoff import backoff_ms
from .errors import InvalidInputError


class Policy(enum.Enum):
    """Which ends of an actor are followed by a restart (OTP's restart types)."""

    PERMANENT = "permanent"
    """Every one, also an orderly end of its own making."""
    TRANSIENT = "transient"
    """A crash."""
    TEMPORARY = "temporary"
    """None."""


class Strategy(enum.Enum):
    """Who of a group is restarted when one of its members is (OTP's strategies)."""

    ONE_FOR_ONE = "one-for-one"
    ONE_FOR_ALL = "one-for-all"
    REST_FOR_ONE = "rest-for-one"


class Exhausted(enum.Enum):
    """What follows when the intensity is exceeded."""

    STOP = "stop"
    """The actor ends as crashed; its watchers are told."""
    ESCALATE = "escalate"
    """The whole system ends, with the exceptions that led to it."""


@final
@frozen
class RestartSpec:
    """How often and how fast an actor comes back.

    Attributes:
        restarts_max: Restarts within ``window_ms`` before it is given up.
        backoff_first_ms: The delay before the first restart; 0 restarts at once, always.
        backoff_cap_ms: No delay is longer.
        jitter: The part of a delay that is left to chance, 0 to 1: a delay ``d`` lies in ``(d * (1 - jitter), d]``.
        reset_after_ms: A restart that held for so long makes the next delay the first one again.
        retries_max: How often a message that crashed the actor is tried again before it goes to the dead letters.
    """

    policy: Policy = Policy.TRANSIENT
    restarts_max: int = field(default=5)
    window_ms: int = field(default=60_000)
    backoff_first_ms: int = field(default=100)
    backoff_factor: float = field(default=2.0)
    backoff_cap_ms: int = field(default=30_000)
    jitter: float = field(default=0.2)
    reset_after_ms: int = field(default=60_000)
    retries_max: int = field(default=0)
    exhausted: Exhausted = Exhausted.STOP

    def __attrs_post_init__(self) -> None:
        for name in ("restarts_max", "backoff_first_ms", "backoff_cap_ms", "retries_max"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "a whole number, 0 or more")
        for name in ("window_ms", "reset_after_ms"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "milliseconds above 0")
        _require(self.backoff_factor >= 1, "backoff_factor", self.backoff_factor, "1 or more")
        _require(0 <= self.jitter <= 1, "jitter", self.jitter, "0 to 1")


@final
@frozen
class RestartHistory:
    """What the decision remembers of one actor.

    Attributes:
        restarts_ms: The instants of the decided restarts within the window, oldest first.
        streak: Restarts in a row without a quiet time between them.
        due_ms: When the latest restart was, or is, due.
    """

    restarts_ms: tuple[int, ...] = ()
    streak: int = 0
    due_ms: int | None = None


FRESH: Final = RestartHistory()


@final
@frozen
class Restart:
    """Come back at ``at_ms``."""

    at_ms: int
    history: RestartHistory


@final
@frozen
class GiveUp:
    """Do not come back. ``reason`` is for people; ``exhausted`` tells a spent intensity from the policy's own no."""

    reason: str
    exhausted: bool


def decide_restart(
    spec: RestartSpec, history: RestartHistory, *, now_ms: int, crashed: bool, roll: float
) -> Restart | GiveUp:
    """Whether an actor that has just ended comes back, and when.

    Args:
        spec: How often and how fast.
        history: What was decided before.
        now_ms: The instant of the end.
        crashed: False for an orderly end of the actor's own making.
        roll: A random number, 0 up to but not including 1; spreads the delay.
    """
    assert 0 <= roll < 1, roll
    if not _policy_restarts(spec.policy, crashed=crashed):
        return GiveUp(f"{spec.policy.value} actors are not restarted after this", exhausted=False)
    recent = tuple(at for at in history.restarts_ms if now_ms - at < spec.window_ms)
    if len(recent) >= spec.restarts_max:
        return GiveUp(f"{len(recent)} restarts in {spec.window_ms} ms, at most {spec.restarts_max}", exhausted=True)
    quiet = history.due_ms is not None and now_ms - history.due_ms >= spec.reset_after_ms
    streak = 1 if quiet else history.streak + 1
    at_ms = now_ms + delay_ms(spec, streak, roll)
    return Restart(at_ms, RestartHistory((*recent, now_ms), streak, at_ms))


def delay_ms(spec: RestartSpec, streak: int, roll: float) -> int:
    """The delay before restart number ``streak`` of a row (the first is 1), in whole milliseconds."""
    return backoff_ms(
        base_ms=spec.backoff_first_ms,
        factor=spec.backoff_factor,
        cap_ms=spec.backoff_cap_ms,
        jitter=spec.jitter,
        repetition=streak - 1,
        draw=roll,
    )


def _policy_restarts(policy: Policy, *, crashed: bool) -> bool:
    match policy:
        case Policy.PERMANENT:
            return True
        case Policy.TRANSIENT:
            return crashed
        case Policy.TEMPORARY:
            return False
        case _:
            assert_never(policy)


def _require(ok: bool, name: str, value: object, accepted: str) -> None:
    if not ok:
        raise InvalidInputError(f"RestartSpec({name}={value!r}): {accepted} is accepted")
