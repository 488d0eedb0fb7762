"""What the owner of a job is told when the job ends, or when it is silent for long.

A job in the background outlives the turn that started it, so its end has to be told. It is told once, to the session of
its contract and to no other. It is not told if somebody has been shown the exit already (a poll), has asked for it (a
cancel), or does not want to be told. The session was chosen when the job started (:mod:`.terms`).

The texts are OpenClaw's, so that a program that reads them there can read them here.
"""

from __future__ import annotations

import re
from typing import Final

from ..values.ecmascript import ES_WHITESPACE, es_trim, utf16_head, utf16_len, utf16_tail
from ..wakes.messages import Notice
from ..wakes.wake import Intent, Source
from .exit import TIMEOUTS, ExitReason, ExitStatus
from .record import JobRecord

OUTPUT_TAIL_UNITS_MAX: Final = 400
"""How much of the end of the output is looked at, in UTF-16 code units."""

OUTPUT_SHOWN_UNITS_MAX: Final = 180
"""How much of that is shown, in UTF-16 code units, the ellipsis included."""

SHORT_ID_UNITS_MAX: Final = 8

STALL_REASON: Final = "cli:watchdog:stall"
"""The reason of a silent turn's wake, as OpenClaw gives it."""

_QUIET_REASONS: Final = frozenset({ExitReason.HOST_STOPPED, ExitReason.LEFT_RUNNING})
"""The host is stopping, so no agent is left that could be told."""

_WHITESPACE: Final = re.compile(f"[{ES_WHITESPACE}]+")
_AFTER_TIMEOUT: Final = (
    "The command was terminated, but external side effects may already have completed. Verify the resulting "
    "state before retrying. Do not automatically rerun non-idempotent commands. Use a higher timeout only "
    "when the command is known to be safe to retry."
)


def exit_notice_text(record: JobRecord) -> str | None:
    """The text that tells the exit of this job; ``None`` if the exit is not to be told."""
    ended = record.exit
    assert ended is not None, f"{record.id} has not ended"
    if not record.contract.notify_on_exit or ended.reason in _QUIET_REASONS:
        return None
    return told_text(
        record.id,
        status=ended.status,
        reason=ended.reason,
        exit_code=ended.exit_code,
        exit_signal=ended.exit_signal,
        output=record.tail,
        cleanup_failed=ended.cleanup_failure is not None,
        notify_on_empty_success=record.contract.notify_on_empty_success,
    )


def told_text(
    job_id: str,
    *,
    status: ExitStatus,
    reason: ExitReason | None,
    exit_code: int | None,
    exit_signal: str | int | None,
    output: str,
    cleanup_failed: bool = False,
    notify_on_empty_success: bool = False,
) -> str | None:
    """The text of an exit; ``None`` if it is not worth a turn.

    Not worth a turn are a cancel that went well, and a success without output.

    Args:
        job_id: The first eight characters are shown.
        status: Completed or failed.
        reason: ``None`` where the end of the child was never seen.
        exit_code: ``None`` where there is none.
        exit_signal: A name (``SIGKILL``), or a number where it has no name.
        output: The end of the output.
        cleanup_failed: Whether cleaning up after the child failed. A cancel is told then; the text is the same.
        notify_on_empty_success: Whether a success without output is told.
    """
    # The one who cancelled it knows. That cleaning up has failed is news (openclaw#141973).
    if reason is ExitReason.MANUAL_CANCEL and not cleanup_failed:
        return None
    # Cut to the last 400 units first, then show the first 180 of those: both limits are OpenClaw's, as recorded.
    shown = compact_output(utf16_tail(output, OUTPUT_TAIL_UNITS_MAX))
    succeeded = status is ExitStatus.COMPLETED and exit_code == 0
    if succeeded and not shown and not notify_on_empty_success:
        return None
    short_id = utf16_head(job_id, SHORT_ID_UNITS_MAX)
    # The short form of the id is OpenClaw's; the whole id is in the event's context key.
    text = f"Exec {status.value} ({short_id}, {exit_label(exit_code, exit_signal)})"
    if shown:
        text += f" :: {shown}"
    # A model that only reads "failed" may run the command again, though its effects have happened.
    if reason in TIMEOUTS:
        text += f"\n\n{_AFTER_TIMEOUT}"
    return text


def exit_label(exit_code: int | None, exit_signal: str | int | None) -> str:
    """``signal SIGKILL``, ``code 3``, or ``unknown exit code``. A signal says more than a code beside it."""
    if exit_signal is not None:
        return f"signal {exit_signal}"
    return "unknown exit code" if exit_code is None else f"code {exit_code}"


def compact_output(output: str) -> str:
    """Output on one line, with single spaces, cut to :data:`OUTPUT_SHOWN_UNITS_MAX` with an ellipsis."""
    line = es_trim(_WHITESPACE.sub(" ", output))
    if utf16_len(line) <= OUTPUT_SHOWN_UNITS_MAX:
        return line
    # The ellipsis counts, as recorded, so one unit less of the text.
    return utf16_head(line, OUTPUT_SHOWN_UNITS_MAX - 1) + "…"


def exit_context_key(job_id: str) -> str:
    """The context key of the event that tells an exit."""
    # In lower case, as the queue keeps context keys: the same text later finds the event that is to be taken back.
    return f"exec:{job_id}".lower()


def silence_context_key(record: JobRecord) -> str:
    """The context key of the event that tells a silence."""
    # Another key than the exit's, so that a report of silence is not taken back together with the exit.
    return f"{record.contract.source.value}:{record.id}" if record.contract.is_turn else f"exec:{record.id}:silent"


def notice_of(record: JobRecord, text: str, *, source: Source, context_key: str) -> Notice:
    """Make the notice for the session of the job's contract: event and wake in one message."""
    contract = record.contract
    return Notice(
        session_key=contract.session_key,
        text=text,
        source=source,
        intent=Intent.EVENT if contract.wakes else None,
        reason=STALL_REASON if source is Source.CLI_WATCHDOG else source.value,
        agent_id=contract.agent_id,
        context_key=context_key,
        delivery=contract.delivery,
    )


def silence_notice_text(record: JobRecord, *, silent_ms: int, now_ms: int, takes_input: bool) -> str:
    """The text that tells the owner of a child that it is silent.

    Args:
        record: The job. It has not ended.
        silent_ms: For how long the child has written nothing.
        now_ms: The present instant, on the host's timeline.
        takes_input: Whether something can be written to it.
    """
    is_turn = record.contract.is_turn
    who = f"Turn silent ({record.spec.title})" if is_turn else f"Exec silent ({record.id[:SHORT_ID_UNITS_MAX]})"
    # Both limits count down differently: one from the last output, one from the start. The nearer one is named.
    limits: list[tuple[int, str]] = []
    if record.spec.no_output_timeout_ms is not None:
        limits.append((record.spec.no_output_timeout_ms - silent_ms, "no-output timeout"))
    if record.spec.timeout_ms is not None:
        name = "turn timeout" if is_turn else "overall timeout"
        limits.append((record.started_ms + record.spec.timeout_ms - now_ms, name))
    next_limit = min(limits) if limits else None
    return silence_text(who, silent_ms=silent_ms, takes_input=takes_input, next_limit=next_limit)


def silence_text(who: str, *, silent_ms: int, takes_input: bool, next_limit: tuple[int, str] | None) -> str:
    """How long a child has been silent, the likely cause, and which limit comes next.

    Args:
        who: Who is silent: ``Exec silent (amber-re)``.
        silent_ms: For how long.
        takes_input: Whether something can be written to it.
        next_limit: The milliseconds until the next limit ends the child, and the name of that limit.
    """
    text = f"{who} :: no output for {_duration(silent_ms)}"
    if takes_input:
        text += "; it may be waiting for input"
    if next_limit is None:
        return f"{text}; no limit is set"
    in_ms, name = next_limit
    return f"{text}; {name} in {_duration(in_ms)}"


def _duration(ms: int) -> str:
    # A limit that has just passed would be negative.
    seconds = max(0, ms) // 1000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [(hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    shown = [f"{count}{unit}" for count, unit in parts if count]
    # Two units are exact enough for people.
    return "".join(shown[:2]) or "0s"
