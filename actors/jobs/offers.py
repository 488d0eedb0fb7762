"""When notices that were refused are offered again, and how many at once.

A refusal is heard of, an acceptance is not. So a full queue is probed: one notice for each session, the oldest first,
after a delay that doubles while refusals come. When a round was not refused, the next follows soon and offers twice as
many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

NOTICE_RETRY_MS: Final = 1_000
"""After how long a refused notice is offered again at first, and after each round that was not refused."""

NOTICE_RETRY_MAX_MS: Final = 30_000
"""The longest delay between two rounds."""

ROUND_COUNT_MAX: Final = 1_024
"""How many notices of one session a round offers at most."""


@final
class Offers:
    """The refused notices of one agent's jobs, by job id. One timer serves them all."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._offered: set[str] = set()
        self._delay_ms = NOTICE_RETRY_MS
        self._round_count = 1
        self._is_armed = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """The jobs whose notices wait, the oldest refusal first."""
        return tuple(self._waiting)

    def refused(self, job_id: str) -> None:
        """The notice of this job was refused, at first or when it was offered again."""
        self._waiting[job_id] = None
        if job_id in self._offered:
            # It is full again: the next round probes with one.
            self._round_count = 1
            self._delay_ms = min(2 * self._delay_ms, NOTICE_RETRY_MAX_MS)
            self._offered.clear()  # one refusal says it for the whole round

    def arm(self, now_ms: int) -> int | None:
        """When the timer is to be armed for; ``None`` when it is armed already, or nothing waits."""
        # A refusal does not move the timer: exits that keep coming would put it off for ever.
        if self._is_armed or not self._waiting:
            return None
        self._is_armed = True
        return now_ms + self._delay_ms

    def take(self, session_keys: Mapping[str, str]) -> list[str]:
        """Begin a round, because the timer has fired: the jobs whose notices are offered now.

        Args:
            session_keys: The session of each notice that still waits. One that is not named is settled.
        """
        self._is_armed = False
        # Nothing of the last round came back: there is room, so it may be more and sooner.
        if self._offered:
            self._round_count = min(2 * self._round_count, ROUND_COUNT_MAX)
            self._delay_ms = NOTICE_RETRY_MS
        counts: dict[str, int] = {}
        taken: list[str] = []
        self._waiting = {job_id: None for job_id in self._waiting if job_id in session_keys}
        for job_id in self._waiting:
            key = session_keys[job_id]
            counts[key] = counts.get(key, 0) + 1
            # To offer all of them every second was tried: 55 waiting exits pushed everything else out of the ledger.
            if counts[key] <= self._round_count:
                taken.append(job_id)
        for job_id in taken:
            del self._waiting[job_id]
        self._offered = set(taken)
        return taken
