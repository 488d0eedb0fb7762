"""How a command is run, as people say it, and the specification and contract that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from ...actors.jobs.record import Contract
from ...protocols.jobs.notice import JobRouting
from ...protocols.jobs.spec import JobSpec
from ...protocols.sessions.route import Routing
from ...protocols.values.duration import Duration, duration_ms
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.wake import Source
from .jobs import child_environment


class ExecOptions(TypedDict, total=False):
    """The options of :meth:`Host.exec <wakeward.runtime.host.Host.exec>`. Durations as ``"30s"``, seconds or a
    timedelta.

    Attributes:
        background: Return at once; the exit is told to the session.
        yield_after: Else: how long to wait before the command goes on in the background; ``None`` for ever. 10 s.
        cwd: Working directory.
        env: Variables to set, on top of the host's own. Those that could subvert the child are refused.
        stdin: What the child reads.
        stdin_open: Keep standard input open for ``handle.write``.
        timeout: End the child after so long.
        no_output_timeout: End the child after so long without output.
        silence_notice: Tell the session after so long without output; ``None`` never. 5 min.
        silence_source: Who tells it. ``CLI_WATCHDOG`` where the child is the turn itself; then it is told also
            without ``notify_on_exit``.
        grace: Between SIGTERM and SIGKILL. 5 s.
        pty: Give the child a terminal.
        separate_stderr: Keep standard error apart.
        detach: Let the child outlive the host.
        spill: A file that gets the whole output, bounded.
        notify_on_exit: Tell the session of the exit at all. Yes.
        notify_on_empty_success: Tell also of a success without output. No.
        delivery: Where an answer to the notice goes.
    """

    background: bool
    yield_after: Duration | None
    cwd: str | Path | None
    env: Mapping[str, str] | None
    stdin: bytes
    stdin_open: bool
    timeout: Duration | None
    no_output_timeout: Duration | None
    silence_notice: Duration | None
    silence_source: Source
    grace: Duration
    pty: bool
    separate_stderr: bool
    detach: bool
    spill: str | Path | None
    notify_on_exit: bool
    notify_on_empty_success: bool
    delivery: DeliveryContext | None


def exec_spec(command: str | Sequence[str], options: ExecOptions) -> JobSpec:
    """The specification of the child.

    Raises:
        InvalidInputError: The command, a duration or an environment variable cannot be used.
    """
    cwd, spill = options.get("cwd"), options.get("spill")
    return JobSpec(
        command if isinstance(command, str) else list(command),
        cwd=None if cwd is None else str(cwd),
        env=child_environment(options.get("env")),
        stdin=options.get("stdin", b""),
        stdin_open=options.get("stdin_open", False),
        timeout_ms=_ms_or_none(options.get("timeout")),
        no_output_timeout_ms=_ms_or_none(options.get("no_output_timeout")),
        silence_notice_ms=_ms_or_none(options.get("silence_notice", "5m")),
        grace_ms=duration_ms(options.get("grace", "5s")),
        pty=options.get("pty", False),
        separate_stderr=options.get("separate_stderr", False),
        detach=options.get("detach", False),
        spill_path=None if spill is None else str(spill),
    )


def exec_contract(session_key: str, agent_id: str, routing: Routing, options: ExecOptions) -> Contract:
    """The terms under which the child starts: a snapshot."""
    return Contract(
        session_key,
        agent_id,
        notify_on_exit=options.get("notify_on_exit", True),
        notify_on_exit_empty_success=options.get("notify_on_empty_success", False),
        routing=JobRouting(routing),
        delivery=options.get("delivery"),
        silence_source=options.get("silence_source", Source.EXEC_EVENT),
    )


def yield_after_ms(options: ExecOptions) -> int | None:
    """How long to wait for the child; 0: not at all, ``None``: for ever."""
    if options.get("background", False):
        return 0
    return _ms_or_none(options.get("yield_after", "10s"))


def _ms_or_none(value: Duration | None) -> int | None:
    return None if value is None else duration_ms(value)
