"""Exponential backoff with jitter and a cap."""

from __future__ import annotations

from attrs import field, frozen, validators

from .duration import duration_ms


@frozen
class Backoff:
    """How long to wait before try ``n``.

    Attributes:
        base_ms: Before the first repetition; given as ``base``.
        cap_ms: Never longer than this, jitter included; given as ``cap``.
        factor: From one repetition to the next.
        jitter: Share of the wait that is drawn at random, 0 to 1, so that failures do not march in step.
    """

    base_ms: int = field(default=1, alias="base", converter=duration_ms)
    cap_ms: int = field(default=300, alias="cap", converter=duration_ms)
    factor: float = field(default=2.0, validator=validators.ge(1.0))
    jitter: float = field(default=0.2, validator=[validators.ge(0.0), validators.le(1.0)])

    def delay_ms(self, repetition: int, draw: float) -> int:
        """The wait before a repetition.

        Args:
            repetition: 0 for the first.
            draw: A random number, 0 <= draw < 1.
        """
        exponent = min(repetition, 64)  # beyond it every float is above every cap
        full = min(float(self.cap_ms), self.base_ms * self.factor**exponent)
        return round(full * (1 - self.jitter * draw))
