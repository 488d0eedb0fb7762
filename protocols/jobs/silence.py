"""Decides when to look at a child that may be silent for too long, and what follows from a look.

Silence is time in which the host ran and the child wrote nothing. A look that comes much later than it was due means
that the host did not run in between (it was suspended, for example). Nobody knows when that standstill began, so the
silence is counted from zero again (openclaw#148898).
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from .record import JobRecord

STANDSTILL_MS: Final = 5_000
"""A look that comes later than this means that the host did not run in between."""


class OutputMark(NamedTuple):
    """How much a job has written, and when it last did."""

    total_bytes: int
    last_ms: int | None


class SilenceStep(enum.Enum):
    """What has to be done after a look at a child."""

    WAIT = "wait"
    REPORT = "report"
    END = "end"


class SilenceLook(NamedTuple):
    """The result of a look at a child.

    Attributes:
        record: The job, with what is to be remembered of this look.
        silent_ms: For how long the child has been silent.
    """

    step: SilenceStep
    record: JobRecord
    silent_ms: int


def next_look_ms(record: JobRecord, output: OutputMark, now_ms: int) -> int | None:
    """When to look at the child next; ``None`` if it has neither a silence limit nor a silence notice."""
    since_ms = _since_ms(record, output)
    due_ms: list[int] = []
    if record.spec.no_output_timeout_ms is not None:
        due_ms.append(since_ms + record.spec.no_output_timeout_ms)
    if record.spec.silence_notice_ms is not None:
        # Once a silence is reported, the next look is only for new output.
        from_ms = now_ms if record.reported_bytes == output.total_bytes else since_ms
        due_ms.append(from_ms + record.spec.silence_notice_ms)
    return min(due_ms, default=None)


def look_for_silence(record: JobRecord, output: OutputMark, *, due_ms: int, now_ms: int) -> SilenceLook:
    """Look at a child: is it to be ended, is its silence to be reported, or neither?

    A silence is reported once: again only after new output.

    Args:
        record: The job, which has not ended.
        output: What it has written so far.
        due_ms: When this look was due.
        now_ms: When it comes.
    """
    # First of all: a limit that seems to be passed may be the standstill alone (openclaw#148898).
    if now_ms - due_ms > STANDSTILL_MS:
        record = record.moved(silent_since_ms=now_ms)
    silent_ms = now_ms - _since_ms(record, output)
    limit_ms, after_ms = record.spec.no_output_timeout_ms, record.spec.silence_notice_ms
    # Before the report: of a child that is ended now, its exit is told anyway.
    if limit_ms is not None and silent_ms >= limit_ms:
        return SilenceLook(SilenceStep.END, record, silent_ms)
    # Compared by bytes, not by time: any new output ends a silence, also within the same millisecond.
    if after_ms is not None and silent_ms >= after_ms and record.reported_bytes != output.total_bytes:
        return SilenceLook(SilenceStep.REPORT, record.moved(reported_bytes=output.total_bytes), silent_ms)
    return SilenceLook(SilenceStep.WAIT, record, silent_ms)


def _since_ms(record: JobRecord, output: OutputMark) -> int:
    # The later one, because a standstill of the host may have come after the last output.
    return max(record.silent_since_ms, output.last_ms or 0)
