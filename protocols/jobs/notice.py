"""The notice that a finished child becomes: one event for its owner's queue, and the wake that has it read.

A job that runs in the background outlives the turn that started it, and ends when nobody looks. Its end is
told once, to the session that started it and to no other, unless somebody has seen it already (a poll), has
asked for it (a cancel), or does not want to be told. A subagent's session gets its event, but no wake: its
parent waits for it, and would otherwise be started for every command below it (openclaw#66748).

An event that nobody will drain is a lost event, so the session is not always the one that started the job
(:mod:`.session_route`): a cron run's goes to its agent's main session. And where the direct messages of the
one person an agent belongs to *are* its main session, those of that person's direct session go there too.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Final, assert_never, final

from attrs import field, frozen

from ..sessions.key import is_subagent, parse_session_key, split_thread
from ..sessions.route import GLOBAL_KEY, EventRoute, Routing, Scope, event_route, main_session_key, queue_key
from ..values.ecmascript import ES_WHITESPACE, es_trim, utf16_head, utf16_len, utf16_tail
from ..wakes.event import DeliveryContext
from ..wakes.messages import Notice
from ..wakes.wake import Intent, Source
from .exit import TIMEOUTS, ExitReason

OUTPUT_TAIL_UNITS_MAX: Final = 400
"""How much of the end of the output is looked at, in UTF-16 code units."""

OUTPUT_SHOWN_UNITS_MAX: Final = 180
"""How much of that is shown, in UTF-16 code units, the ellipsis included."""

SHORT_ID_UNITS_MAX: Final = 8


class JobStatus(enum.Enum):
    """How a job ended. 126, 127, a signal and a timeout are failures; other exit codes are for the reader."""

    COMPLETED = "completed"
    FAILED = "failed"


class DirectScope(enum.Enum):
    """Which session direct messages belong to: the agent's main session, or one for each peer."""

    MAIN = "main"
    PER_PEER = "per-peer"
    PER_CHANNEL_PEER = "per-channel-peer"
    PER_ACCOUNT_CHANNEL_PEER = "per-account-channel-peer"


def main_peer(allow_from: Iterable[str], direct_scope: DirectScope = DirectScope.MAIN) -> str | None:
    """The one peer whose direct messages are the agent's main session, or ``None``.

    There is one when direct messages belong to the main session and exactly one peer may send them.
    """
    entries = {es_trim(entry).lower() for entry in allow_from} - {""}
    if direct_scope is not DirectScope.MAIN or "*" in entries or len(entries) != 1:
        return None
    return entries.pop()


@final
@frozen
class JobRouting:
    """Where a job's notice goes. A snapshot from when the job started: a reload does not redirect running
    jobs.

    Attributes:
        main_peer: See :func:`main_peer`.
    """

    routing: Routing = field(factory=Routing)
    main_peer: str | None = None


@final
@frozen
class FinishedJob:
    """What a notice depends on, and nothing else.

    Attributes:
        id: The first eight characters are shown.
        backgrounded: Whether the turn that started the job went on without it. Otherwise the turn has the
            result.
        notify_on_exit_empty_success: Whether a success without output is worth telling.
        notified: Whether this exit has been told already.
        terminal_poll_observed: Whether somebody polled the job and was shown its end.
        session_key: Of the session that started the job; blank or ``None`` belongs to nobody.
        agent_id: The owner, where the key does not say it.
        exit_reason: ``None`` where the child's end was never seen.
        finalization_failed: Whether cleaning up after the child failed. It does not change how the child
            ended.
        exit_signal: A name (``SIGKILL``), or a number where it has none.
        tail: The end of the output, if it is kept apart from ``aggregated``.
        aggregated: The output, or what was retained of it.
        routing: As it was when the job started.
        delivery: Where an answer to the notice should go.
    """

    id: str
    status: JobStatus
    session_key: str | None
    agent_id: str | None = None
    backgrounded: bool = True
    notify_on_exit: bool = True
    notify_on_exit_empty_success: bool = False
    notified: bool = False
    terminal_poll_observed: bool = False
    exit_reason: ExitReason | None = ExitReason.EXIT
    finalization_failed: bool = False
    exit_code: int | None = None
    exit_signal: str | int | None = None
    tail: str = ""
    aggregated: str = ""
    routing: JobRouting = field(factory=JobRouting)
    delivery: DeliveryContext | None = None


@final
@frozen
class ExecEvent:
    """The event of a notice. ``session_key`` is the queue, in normal form, and always names its owner."""

    session_key: str
    text: str
    context_key: str
    delivery: DeliveryContext | None = None


@final
@frozen
class ExecWake:
    """The wake of a notice.

    Where both ``agent_id`` and ``session_key`` are ``None``, the job's key has no owner of its own: the
    wake is for the owner of the queue its event is in. OpenClaw wakes everybody then;
    :meth:`ExecNotice.message` does not.
    """

    agent_id: str | None
    session_key: str | None
    source: Source = Source.EXEC_EVENT
    intent: Intent = Intent.EVENT
    reason: str = Source.EXEC_EVENT.value
    coalesce_ms: int = 0


@final
@frozen
class ExecNotice:
    """What is to be told: an event, and its wake, or ``None`` where nobody is to be woken."""

    event: ExecEvent
    wake: ExecWake | None

    def message(self) -> Notice:
        """Event and wake as one message, so that the queue that is filled is the queue that is drained."""
        return Notice(
            session_key=self.event.session_key,
            text=self.event.text,
            source=Source.EXEC_EVENT,
            intent=self.wake.intent if self.wake else None,
            reason=Source.EXEC_EVENT.value,
            context_key=self.event.context_key,
            delivery=self.event.delivery,
            coalesce_ms=self.wake.coalesce_ms if self.wake else 0,
        )


def exec_notice(job: FinishedJob) -> ExecNotice | None:
    """What a job's end tells its owner, or ``None`` where it is not to be told.

    Whatever the answer, :func:`counts_as_notified` says whether the job's end is settled by it.

    Raises:
        InvalidSessionKeyError: Nobody owns the job's session, or another agent than the job's. The end of
            the job is then for the dead letters, with :func:`exit_text`.
    """
    key = es_trim(job.session_key or "")
    if not _is_due(job) or _is_suppressed(job):
        return None
    route = _route(key, job.routing)
    event = ExecEvent(
        session_key=queue_key(route.event_key, job.agent_id),
        text=exit_text(job),
        context_key=f"exec:{job.id}".lower(),
        delivery=job.delivery or None,
    )
    if is_subagent(key):
        return ExecNotice(event, None)
    agent_id = (job.agent_id or None) if key == GLOBAL_KEY else route.agent_id
    return ExecNotice(event, ExecWake(agent_id, route.session_key))


def counts_as_notified(job: FinishedJob) -> bool:
    """Whether the job's end is settled once :func:`exec_notice` was asked: told, or meant not to be told."""
    return job.notified or _is_due(job)


def exit_text(job: FinishedJob) -> str:
    """The text of a job's notice: how it ended, and the end of its output on the same line."""
    short_id = utf16_head(job.id, SHORT_ID_UNITS_MAX)
    text = f"Exec {job.status.value} ({short_id}, {exit_label(job.exit_code, job.exit_signal)})"
    output = _output(job)
    if output:
        text += f" :: {output}"
    if job.exit_reason in TIMEOUTS:
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
    return utf16_head(line, OUTPUT_SHOWN_UNITS_MAX - 1) + "…"


def _is_due(job: FinishedJob) -> bool:
    """Whether this is the moment in which the job's end is settled."""
    wanted = job.backgrounded and job.notify_on_exit
    seen = job.notified or job.terminal_poll_observed
    return wanted and not seen and bool(es_trim(job.session_key or ""))


def _is_suppressed(job: FinishedJob) -> bool:
    """Whether a due notice is not worth a turn: a cancel that went well, a success with nothing to show."""
    if job.exit_reason is ExitReason.MANUAL_CANCEL and not job.finalization_failed:
        return True
    succeeded = job.status is JobStatus.COMPLETED and job.exit_code == 0
    return succeeded and not job.notify_on_exit_empty_success and not _output(job)


def _output(job: FinishedJob) -> str:
    return compact_output(utf16_tail(job.tail or job.aggregated, OUTPUT_TAIL_UNITS_MAX))


def _route(key: str, job_routing: JobRouting) -> EventRoute:
    route = event_route(key, job_routing.routing)
    parsed = parse_session_key(key)
    peer = job_routing.main_peer
    if route.event_key != key or parsed is None or peer is None or peer != _direct_peer(key):
        return route
    match job_routing.routing.scope:
        case Scope.GLOBAL:
            return EventRoute(GLOBAL_KEY, parsed.agent_id, None)
        case Scope.PER_SENDER:
            main = main_session_key(parsed.agent_id, job_routing.routing.main_key)
            return EventRoute(main, None, main)
        case _:
            assert_never(job_routing.routing.scope)


def _direct_peer(key: str) -> str | None:
    """The peer of a direct session: ``direct:<peer>``, ``<channel>:direct:<peer>``,
    ``<channel>:<account>:direct:<peer>``.

    ``None`` for any other session, and for a key that can be read as more than one of these.
    """
    parsed = parse_session_key(split_thread(key).base_key)
    parts = parsed.rest.lower().split(":") if parsed else [""]
    starts = [start for start in (1, 2, 3) if _has_peer_at(parts, start)]
    if len(starts) != 1 or parts[starts[0] - 1] not in _DIRECT or parts[0] in _NO_CHANNELS:
        return None
    return es_trim(":".join(parts[starts[0] :])) or None


def _has_peer_at(parts: list[str], start: int) -> bool:
    kinds = _DIRECT if start == 1 else _PEER_KINDS
    return len(parts) > start and parts[start - 1] in kinds and all([*parts[: start - 1], parts[start]])


_DIRECT: Final = frozenset({"direct", "dm"})
_PEER_KINDS: Final = _DIRECT | {"group", "channel"}
_NO_CHANNELS: Final = frozenset({"agent", "group", "channel"})
_WHITESPACE: Final = re.compile(f"[{ES_WHITESPACE}]+")
_AFTER_TIMEOUT: Final = (
    "The command was terminated, but external side effects may already have completed. Verify the resulting "
    "state before retrying. Do not automatically rerun non-idempotent commands. Use a higher timeout only "
    "when the command is known to be safe to retry."
)


def silence_text(who: str, *, silent_ms: int, takes_input: bool, next_limit: str | None) -> str:
    """What the owner of a silent child is told: how long, the likely cause, and which limit comes next.

    Args:
        who: Who is silent: ``Exec silent (amber-re)``.
        silent_ms: For how long.
        takes_input: Whether something can be written to it.
        next_limit: See :func:`limit_text`.
    """
    text = f"{who} :: no output for {_duration(silent_ms)}"
    if takes_input:
        text += "; it may be waiting for input"
    return text + (f"; {next_limit}" if next_limit else "; no limit is set")


def limit_text(name: str, in_ms: int) -> str:
    """``no-output timeout in 5m``."""
    return f"{name} in {_duration(in_ms)}"


def _duration(ms: int) -> str:
    seconds = max(0, ms) // 1000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [(hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    shown = [f"{count}{unit}" for count, unit in parts if count]
    return "".join(shown[:2]) or "0s"
