"""The one place where Trio's float seconds become whole milliseconds, and back.

The timeline is monotonic and anchored once: a jump of the wall clock moves nothing. A float cannot hold every
millisecond, so Trio may wake a task a few nanoseconds before the instant ``t`` that was asked for. Rounded down, the
present would then still be ``t - 1``, and a decision such as ``now_ms < retry_at_ms`` would be wrong at the very
instant that it was made for. So each reading has a tolerance of a microsecond, which is far above the error of a float
and far below a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self, final

import trio
from attrs import field, frozen

_TOLERANCE_MS: Final = 0.001


@final
@frozen
class Clock:
    """The host's timeline, in whole milliseconds.

    Attributes:
        epoch_ms: What the timeline reads at the anchor: the wall clock in a real host, 0 in tests.
        anchor_s: Trio's clock at the anchor, in seconds.
    """

    epoch_ms: int
    anchor_s: float
    _read_s: Callable[[], float] = field(repr=False, eq=False)

    @classmethod
    def start(cls, epoch_ms: int = 0) -> Self:
        """Anchor the timeline at this instant. Needs a running Trio, and is good for that run."""
        read_s = trio.lowlevel.current_clock().current_time  # trio.current_time() asks for the clock each time
        return cls(epoch_ms, read_s(), read_s)

    def now_ms(self) -> int:
        """The present instant; never earlier than an instant whose :meth:`deadline_s` has come."""
        # The difference is taken in seconds first: a wall clock in milliseconds would cost the float its fine digits.
        return self.epoch_ms + int((self._read_s() - self.anchor_s) * 1000 + _TOLERANCE_MS)

    def deadline_s(self, at_ms: int) -> float:
        """An instant of the timeline as a Trio deadline, in seconds of Trio's clock."""
        # No tolerance here: now_ms() has it, so a task that is woken a little early reads at_ms all the same.
        return self.anchor_s + (at_ms - self.epoch_ms) / 1000
