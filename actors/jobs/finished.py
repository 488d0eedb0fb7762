"""Which finished jobs are kept, and for how long.

A finished job is listed until it is too old, or its agent has too many; the oldest is dropped first. Its record can
stay longer than that: a notice that is held or refused has yet to be told, and one that was sent may come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final, NamedTuple, assert_never, final

from ...protocols.jobs.limits import JobLimits
from ...protocols.jobs.record import JobRecord, NoticeState

REFUSAL_PATIENCE_MS: Final = 60_000
"""How long after an exit a refusal of its notice may come. A mailbox is worked off in much less."""

UNLISTED_COUNT_MAX: Final = 1_000
"""How many records of jobs that are no longer listed are kept. Beyond, the oldest goes, told or not."""


class Swept(NamedTuple):
    """What a sweep found.

    Attributes:
        unlisted: Jobs to be listed no more.
        forgotten: Jobs whose records go.
    """

    unlisted: list[str]
    forgotten: list[str]


@final
class FinishedJobs:
    """The finished jobs of one agent, in the order in which they ended."""

    def __init__(self, limits: JobLimits) -> None:
        self._limits = limits
        self._listed: dict[str, None] = {}
        self._unlisted: dict[str, None] = {}
        self._look_ms: int | None = None

    def add(self, job_id: str) -> None:
        """A job in the background has ended."""
        self._listed[job_id] = None

    def discard(self, job_id: str) -> None:
        """A job is forgotten, if it was finished at all."""
        self._listed.pop(job_id, None)
        self._unlisted.pop(job_id, None)

    def sweep(self, jobs: Mapping[str, JobRecord], now_ms: int) -> Swept:
        """Find out what is to go now. The caller forgets what is forgotten (:meth:`discard`)."""
        unlisted = self._unlist(jobs, now_ms)
        if self._look_ms is not None and now_ms >= self._look_ms:
            looked_at = list(self._unlisted)
            self._look_ms = None
        else:
            looked_at = unlisted  # the others were looked at lately; a thousand of them are not, at each message
        forgotten = [job_id for job_id in looked_at if _is_done_with(jobs[job_id], now_ms)]
        excess = len(self._unlisted) - len(forgotten) - UNLISTED_COUNT_MAX
        if excess > 0:
            done_with = set(forgotten)
            # The oldest go first, told or not: the bound must hold whatever the notices wait for.
            forgotten += islice((job_id for job_id in self._unlisted if job_id not in done_with), excess)
        if len(self._unlisted) > len(forgotten) and self._look_ms is None:
            self._look_ms = now_ms + REFUSAL_PATIENCE_MS
        return Swept(unlisted, forgotten)

    def next_sweep_ms(self, jobs: Mapping[str, JobRecord]) -> int | None:
        """When to sweep again; ``None`` when nothing is kept."""
        due_ms = [_ended_ms(jobs[job_id]) + self._limits.finished_ttl_ms for job_id in islice(self._listed, 1)]
        if self._look_ms is not None:
            due_ms.append(self._look_ms)
        return min(due_ms, default=None)

    def _unlist(self, jobs: Mapping[str, JobRecord], now_ms: int) -> list[str]:
        excess = len(self._listed) - self._limits.finished_count_max
        unlisted: list[str] = []
        for job_id in self._listed:
            # In the order of their ends: behind the first that may stay there is none that may not.
            if excess <= 0 and now_ms < _ended_ms(jobs[job_id]) + self._limits.finished_ttl_ms:
                break
            excess -= 1
            unlisted.append(job_id)
        for job_id in unlisted:
            del self._listed[job_id]
            self._unlisted[job_id] = None
        return unlisted


def _ended_ms(record: JobRecord) -> int:
    assert record.ended_ms is not None, f"{record.id} has not ended"
    return record.ended_ms


def _is_done_with(record: JobRecord, now_ms: int) -> bool:
    """Whether nothing can come of the exit any more."""
    match record.notice:
        case NoticeState.SETTLED:
            return True
        case NoticeState.SENT:
            # Its notice may still be refused, and is then offered again from this record.
            return now_ms >= _ended_ms(record) + REFUSAL_PATIENCE_MS
        case NoticeState.HELD | NoticeState.REFUSED:
            # To drop these with the others was tried: of 60 exits at once, ten were then neither seen nor announced.
            return False
        case NoticeState.NONE:
            raise AssertionError(f"{record.id} has not ended")
        case _:
            assert_never(record.notice)
