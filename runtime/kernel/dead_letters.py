"""Dead letters: every message that was refused, dropped or not handled, with its sender and the reason, and counted.

The ring is bounded; the counts are not. Logging is throttled.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, final

from attrs import define, field, frozen
from loguru import logger

RING_MAX: Final = 1_000
LOG_WINDOW_MS: Final = 1_000
# An emitted line costs some 15 us, and a flood of refusals is when this hurts most.
LOG_LINES_MAX: Final = 10
"""At most so many lines per window. How many were held back is logged when the next window begins."""


class DeadReason(enum.Enum):
    """Why a message was not handled. The first four are the refusals of a receipt."""

    FULL = "full"
    STOPPED = "stopped"
    DRAINING = "draining"
    UNKNOWN = "unknown"
    DROPPED = "dropped"
    """Was dropped to make room for a newer one."""
    CRASHED = "crashed"
    """Crashed the actor, and is not tried again."""
    GAVE_UP = "gave-up"
    """Was waiting when the actor was given up after too many crashes."""
    KILLED = "killed"
    """Was waiting when the actor was killed."""
    DRAINED = "drained"
    """Was waiting when the grace of a drain was over."""
    ABANDONED = "abandoned"
    """A request whose asker had gone."""
    UNAVAILABLE = "unavailable"
    """Was handled, but its records could not be committed, so nothing of it happened."""
    FENCED = "fenced"
    """The same: another host owns the durable state of the actor."""


@final
@frozen(eq=False)
class DeadLetter:
    """A message that was not handled.

    Attributes:
        sender: Address of the actor that sent it, or ``outside``.
        to: Address of the actor that it was for.
        detail: For people: the exception, if there was one.
    """

    at_ms: int
    sender: str
    to: str
    reason: DeadReason
    message: Any
    detail: str = ""


@final
@define(eq=False)
class DeadLetters:
    """The latest dead letters and the counts of all."""

    _hook: Callable[[DeadLetter], None] | None = None
    ring: deque[DeadLetter] = field(factory=lambda: deque[DeadLetter](maxlen=RING_MAX))
    counts: Counter[DeadReason] = field(factory=Counter[DeadReason])
    _drained: list[DeadLetter] | None = None
    _window_ms: int = -LOG_WINDOW_MS
    _logged: int = 0
    _held_back: int = 0

    def add(self, letter: DeadLetter) -> None:
        """Count, keep, and log unless there were too many just now."""
        # Counted before the hook is called: who is told may look at the counts.
        self.counts[letter.reason] += 1
        self.ring.append(letter)
        if self._drained is not None and letter.reason is DeadReason.DRAINED:
            self._drained.append(letter)
        if self._hook is not None:
            self._hook(letter)
        if letter.at_ms - self._window_ms >= LOG_WINDOW_MS:
            self._open_window(letter.at_ms)
        if self._logged < LOG_LINES_MAX:
            self._logged += 1
            self._log(letter)
        else:
            self._held_back += 1

    def collect_drained(self) -> list[DeadLetter]:
        """From the first call on, the letters that a drain leaves behind, all of them."""
        if self._drained is None:
            self._drained = []
        return self._drained

    def _open_window(self, now_ms: int) -> None:
        if self._held_back:
            logger.warning("{} more dead letters were not logged", self._held_back)
        self._window_ms, self._logged, self._held_back = now_ms, 0, 0

    def _log(self, letter: DeadLetter) -> None:
        logger.warning(
            "dead letter for {}: {} from {}: {} {}",
            letter.to,
            type(letter.message).__name__,
            letter.sender,
            letter.reason.value,
            letter.detail,
            actor=letter.to,
        )
