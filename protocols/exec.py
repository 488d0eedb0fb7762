"""A child process as values: what is to be run, and how it ended.

The classification of an exit follows OpenClaw (``buildExecExitOutcome``): a command that ended by itself is *completed*
whatever its code, because a non-zero code is an answer; it *failed* when it never ran properly (126, 127), or when
something ended it (a signal, a limit, its owner, the host).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final, assert_never, final

from attrs import define, field, frozen

from .errors import InvalidInputError

SHELL: Final = "/bin/sh"
"""What runs a command that is given as one text."""

DEFAULT_YIELD_AFTER_MS: Final = 10_000
"""How long a caller waits for a command before it goes on in the background."""

DEFAULT_HEAD_BYTES: Final = 50_000
DEFAULT_TAIL_BYTES: Final = 150_000
DEFAULT_GRACE_MS: Final = 5_000

SHELL_NOT_EXECUTABLE: Final = 126
SHELL_NOT_FOUND: Final = 127


class ExitReason(enum.Enum):
    """What ended a child."""

    EXIT = "exit"
    SIGNAL = "signal"
    MANUAL_CANCEL = "manual-cancel"
    OVERALL_TIMEOUT = "overall-timeout"
    NO_OUTPUT_TIMEOUT = "no-output-timeout"
    SPAWN_ERROR = "spawn-error"
    HOST_STOPPED = "host-stopped"
    LEFT_RUNNING = "left-running"


class ExitStatus(enum.Enum):
    """How it went. ``DETACHED`` is said only of a detached child that outlives the host."""

    COMPLETED = "completed"
    FAILED = "failed"
    DETACHED = "detached"


class FailureKind(enum.Enum):
    """Why a failed child failed."""

    SHELL_COMMAND_NOT_FOUND = "shell-command-not-found"
    SHELL_NOT_EXECUTABLE = "shell-not-executable"
    OVERALL_TIMEOUT = "overall-timeout"
    NO_OUTPUT_TIMEOUT = "no-output-timeout"
    SIGNAL = "signal"
    ABORTED = "aborted"
    RUNTIME_ERROR = "runtime-error"


TIMEOUTS: Final = frozenset({ExitReason.OVERALL_TIMEOUT, ExitReason.NO_OUTPUT_TIMEOUT})
STOPPING: Final = TIMEOUTS | {ExitReason.MANUAL_CANCEL, ExitReason.HOST_STOPPED}
"""The reasons for which we end a child; the others are the child's own doing."""


@final
@frozen
class Exit:
    """How one child ended. There is exactly one per started child, also when it could not be spawned.

    Attributes:
        exit_code: ``None`` when a signal ended it, or when it never ran.
        exit_signal: Name of the signal that ended it (``SIGKILL``), else ``None``.
        duration_ms: From the order to start until the end of the child itself.
        detail: For people: why it could not be spawned, or what else went wrong.
        cleanup_failure: Why it is uncertain that nothing of its process tree is left, or what else of the cleaning
            up failed; ``None`` when the tree is confirmed gone. It never replaces the result (openclaw#140594).
    """

    reason: ExitReason
    exit_code: int | None = None
    exit_signal: str | None = None
    duration_ms: int = 0
    detail: str = ""
    cleanup_failure: str | None = None

    def __attrs_post_init__(self) -> None:
        assert self.exit_code is None or self.exit_signal is None, f"both code and signal: {self!r}"

    @property
    def status(self) -> ExitStatus:
        """Completed, or failed."""
        if self.reason is ExitReason.LEFT_RUNNING:
            return ExitStatus.DETACHED
        ran = self.reason is ExitReason.EXIT and self._shell_failure is None
        return ExitStatus.COMPLETED if ran else ExitStatus.FAILED

    @property
    def timed_out(self) -> bool:
        """Whether one of our limits ended it."""
        return self.reason in TIMEOUTS

    @property
    def failure_kind(self) -> FailureKind | None:
        """Why it failed; ``None`` when it did not."""
        if self.status is not ExitStatus.FAILED:
            return None
        if self._shell_failure is not None:
            return self._shell_failure
        match self.reason:
            case ExitReason.OVERALL_TIMEOUT:
                return FailureKind.OVERALL_TIMEOUT
            case ExitReason.NO_OUTPUT_TIMEOUT:
                return FailureKind.NO_OUTPUT_TIMEOUT
            case ExitReason.SPAWN_ERROR:
                return FailureKind.RUNTIME_ERROR
            case ExitReason.SIGNAL | ExitReason.MANUAL_CANCEL | ExitReason.HOST_STOPPED:
                return FailureKind.SIGNAL if self.exit_signal is not None else FailureKind.ABORTED
            case ExitReason.EXIT | ExitReason.LEFT_RUNNING:
                return FailureKind.ABORTED
            case _:
                assert_never(self.reason)

    @property
    def _shell_failure(self) -> FailureKind | None:
        if self.exit_code == SHELL_NOT_FOUND:
            return FailureKind.SHELL_COMMAND_NOT_FOUND
        return FailureKind.SHELL_NOT_EXECUTABLE if self.exit_code == SHELL_NOT_EXECUTABLE else None


def _positive(spec: ExecSpec, attribute: Any, value: int | None) -> None:
    del spec
    if value is not None and value <= 0:
        raise InvalidInputError(f"exec: {attribute.name} is {value!r}, expected more than 0, or None for no limit")


def _not_negative(spec: ExecSpec, attribute: Any, value: int) -> None:
    del spec
    if value < 0:
        raise InvalidInputError(f"exec: {attribute.name} is {value!r}, expected 0 or more")


def _command(value: str | list[str] | tuple[str, ...]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)


def _env(value: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return None if value is None else MappingProxyType(dict(value))


@final
@frozen
class ExecSpec:
    """What to run, and within which limits.

    Attributes:
        command: One text for the shell, or the argument vector itself.
        cwd: Working directory; ``None`` is the host's.
        env: The whole environment, as the environment guard made it; ``None`` is the host's own.
        stdin: What the child reads. Closed after it unless ``stdin_open``.
        stdin_open: Whether more can be written while it runs. Always so with ``pty``.
        timeout_ms: Limit for the whole run.
        no_output_timeout_ms: Limit for a silence.
        silence_notice_ms: Report a silence of this length to the owner, once; ``None`` never does.
        grace_ms: From SIGTERM to SIGKILL when we end it.
        pty: Give it a terminal. Its output then is one stream with the terminal's line ends.
        separate_stderr: Keep stderr apart; else both are one stream, in the order in which they were written.
        detach: It survives the end of the host, and what it leaves behind is not killed with it.
        head_bytes: How much of the beginning of each output stream is kept.
        tail_bytes: How much of its end is kept.
        spill_path: A file that gets the output as it comes.
        spill_max_bytes: Its bound.
    """

    command: str | tuple[str, ...] = field(converter=_command)
    cwd: str | PurePath | None = None
    env: Mapping[str, str] | None = field(default=None, converter=_env)
    stdin: bytes = b""
    stdin_open: bool = False
    timeout_ms: int | None = field(default=None, validator=_positive)
    no_output_timeout_ms: int | None = field(default=None, validator=_positive)
    silence_notice_ms: int | None = field(default=300_000, validator=_positive)
    grace_ms: int = field(default=DEFAULT_GRACE_MS, validator=_not_negative)
    pty: bool = False
    separate_stderr: bool = False
    detach: bool = False
    head_bytes: int = field(default=DEFAULT_HEAD_BYTES, validator=_not_negative)
    tail_bytes: int = field(default=DEFAULT_TAIL_BYTES, validator=_positive)
    spill_path: str | PurePath | None = None
    spill_max_bytes: int = field(default=100_000_000, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if not self.command or (isinstance(self.command, tuple) and not self.command[0]):
            raise InvalidInputError(f"exec: command is {self.command!r}, expected a command or an argument vector")
        self._check_texts()
        if self.pty and (self.separate_stderr or self.detach):
            raise InvalidInputError("exec: pty excludes separate_stderr (one stream) and detach (it ends with us)")
        if self.detach and (self.separate_stderr or self.stdin_open):
            raise InvalidInputError("exec: detach excludes separate_stderr and stdin_open: no pipe outlives the host")

    def _check_texts(self) -> None:
        env = self.env or {}
        words = (self.command,) if isinstance(self.command, str) else self.command
        for text in (*words, *env, *env.values(), str(self.cwd or "")):
            if "\0" in text:
                raise InvalidInputError(f"exec: {text!r} contains a NUL, which no argument or variable can hold")
        for name in env:
            if not name or "=" in name:
                raise InvalidInputError(f"exec: {name!r} cannot be the name of an environment variable")

    @property
    def argv(self) -> tuple[str, ...]:
        """The argument vector, with the shell in front of a text."""
        return (SHELL, "-c", self.command) if isinstance(self.command, str) else self.command

    @property
    def takes_input(self) -> bool:
        """Whether something can be written to it while it runs."""
        return self.stdin_open or self.pty

    @property
    def title(self) -> str:
        """The command in one line, for people."""
        text = self.command if isinstance(self.command, str) else " ".join(self.command)
        line = " ".join(text.split())
        return line if len(line) <= 80 else f"{line[:79]}…"


@final
@define(eq=False)
class NoticeSeen:
    """Told to the router: somebody has been shown this exit, so the event that announces it is to be taken back.

    Drop the event with this context key unless a turn has it already, and the wake that came with it if nothing else
    is waiting. Answers openclaw#120488: a result that a poll has shown must not be announced again.
    """

    session_key: str
    context_key: str
    agent_id: str | None = None


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
