"""Exponential backoff with jitter and a cap."""

from __future__ import annotations

from attrs import field, frozen, validators

from .values.duration import duration_ms


def backoff_ms(*, base_ms: int, factor: float, cap_ms: int, jitter: float, repetition: int, draw: float) -> int:
    """The wait before a repetition, in whole milliseconds.

    Args:
        base_ms: Before the first repetition; 0 never waits.
        factor: From one repetition to the next, 1 or more.
        cap_ms: Never longer than this.
        jitter: Share of the wait that is left to chance, 0 to 1: a wait ``d`` comes out in ``(d * (1 - jitter), d]``.
        repetition: 0 for the first.
        draw: A random number, 0 <= draw < 1.
    """
    wait = float(base_ms)
    # Stopped at the cap, so that a long row of failures does not take long to count.
    for _ in range(repetition):
        if wait >= cap_ms or wait == 0 or factor == 1:
            break
        wait *= factor
    # The jitter only shortens, so the cap holds with it.
    return round(min(wait, cap_ms) * (1 - jitter * draw))


@frozen
class Backoff:
    """How long to wait before try ``n``.

    Attributes:
        base_ms: Before the first repetition; given as ``base``.
        cap_ms: Never longer than this, jitter included; given as ``cap``.
        factor: From one repetition to the next.
        jitter: Share of the wait that is drawn at random, 0 to 1, so that what fails together is not tried again
            together.
    """

    # 1, 2, 4 ... s, up to five minutes; the plain numbers are seconds, which the converter turns into milliseconds.
    base_ms: int = field(default=1, alias="base", converter=duration_ms)
    cap_ms: int = field(default=300, alias="cap", converter=duration_ms)
    factor: float = field(default=2.0, validator=validators.ge(1.0))
    jitter: float = field(default=0.2, validator=[validators.ge(0.0), validators.le(1.0)])

    def delay_ms(self, repetition: int, draw: float) -> int:
        """The wait before a repetition (0 for the first); see :func:`backoff_ms`."""
        return backoff_ms(
            base_ms=self.base_ms,
            factor=self.factor,
            cap_ms=self.cap_ms,
            jitter=self.jitter,
            repetition=repetition,
            draw=draw,
        )
