"""How a child process ended, as a value.

The classification follows OpenClaw (``buildExecExitOutcome``). A command that ended by itself is *completed* whatever
its code, because a non-zero code is an answer. It *failed* when it never ran properly (126, 127), or when something
ended it (a signal, a limit, its owner, the host).
"""

from __future__ import annotations

import enum
from typing import Final, assert_never, final

from attrs import frozen

# POSIX, 2.8.2 Exit Status for Commands: found but not executable, and not found.
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
    LOST = "lost"
    """The host ended before it saw the end of the child. Nothing is known of its result."""


class ExitStatus(enum.Enum):
    """How a child ended, in one word. Only a detached child that outlives the host is ``DETACHED``."""

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
"""The reasons of a child that was ended because it reached a time limit."""


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
        # wait() tells either a code or a signal, never both.
        assert self.exit_code is None or self.exit_signal is None, f"both code and signal: {self!r}"

    @property
    def status(self) -> ExitStatus:
        """Completed, failed, or left running."""
        # It has not ended, so it has neither completed nor failed.
        if self.reason is ExitReason.LEFT_RUNNING:
            return ExitStatus.DETACHED
        # A shell answers 126 and 127 for a command that it could not start, so the command has not run.
        ran = self.reason is ExitReason.EXIT and self._shell_failure is None
        return ExitStatus.COMPLETED if ran else ExitStatus.FAILED

    @property
    def timed_out(self) -> bool:
        """Whether a time limit ended the child."""
        return self.reason in TIMEOUTS

    @property
    def failure_kind(self) -> FailureKind | None:
        """Why the child failed; ``None`` if it did not fail."""
        if self.status is not ExitStatus.FAILED:
            return None
        # Before the reason: 126 and 127 say more than that the shell has ended by itself.
        if self._shell_failure is not None:
            return self._shell_failure
        match self.reason:
            case ExitReason.OVERALL_TIMEOUT:
                return FailureKind.OVERALL_TIMEOUT
            case ExitReason.NO_OUTPUT_TIMEOUT:
                return FailureKind.NO_OUTPUT_TIMEOUT
            case ExitReason.SPAWN_ERROR:
                return FailureKind.RUNTIME_ERROR
            # Who was asked to end may do so with a code of its own, without a signal.
            case ExitReason.SIGNAL | ExitReason.MANUAL_CANCEL | ExitReason.HOST_STOPPED:
                return FailureKind.SIGNAL if self.exit_signal is not None else FailureKind.ABORTED
            # EXIT and LEFT_RUNNING are answered above; they are named so that every reason has its case.
            case ExitReason.EXIT | ExitReason.LEFT_RUNNING | ExitReason.LOST:
                return FailureKind.ABORTED
            case _:
                assert_never(self.reason)

    @property
    def _shell_failure(self) -> FailureKind | None:
        if self.exit_code == SHELL_NOT_FOUND:
            return FailureKind.SHELL_COMMAND_NOT_FOUND
        return FailureKind.SHELL_NOT_EXECUTABLE if self.exit_code == SHELL_NOT_EXECUTABLE else None
