from __future__ import annotations

import pytest
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.exit import Exit, ExitReason, ExitStatus, FailureKind
from wakeward.protocols.jobs.notice import silence_text
from wakeward.protocols.jobs.spec import TITLE_LENGTH_MAX, JobSpec


@pytest.mark.parametrize(
    ("result", "status", "kind"),
    [
        (Exit(ExitReason.EXIT, 0), ExitStatus.COMPLETED, None),
        (Exit(ExitReason.EXIT, 3), ExitStatus.COMPLETED, None),
        (Exit(ExitReason.EXIT, 126), ExitStatus.FAILED, FailureKind.SHELL_NOT_EXECUTABLE),
        (Exit(ExitReason.EXIT, 127), ExitStatus.FAILED, FailureKind.SHELL_COMMAND_NOT_FOUND),
        (Exit(ExitReason.SIGNAL, exit_signal="SIGSEGV"), ExitStatus.FAILED, FailureKind.SIGNAL),
        (Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM"), ExitStatus.FAILED, FailureKind.SIGNAL),
        (Exit(ExitReason.MANUAL_CANCEL, 0), ExitStatus.FAILED, FailureKind.ABORTED),
        (Exit(ExitReason.HOST_STOPPED), ExitStatus.FAILED, FailureKind.ABORTED),
        (Exit(ExitReason.OVERALL_TIMEOUT, exit_signal="SIGTERM"), ExitStatus.FAILED, FailureKind.OVERALL_TIMEOUT),
        (Exit(ExitReason.NO_OUTPUT_TIMEOUT, 0), ExitStatus.FAILED, FailureKind.NO_OUTPUT_TIMEOUT),
        (Exit(ExitReason.OVERALL_TIMEOUT, 127), ExitStatus.FAILED, FailureKind.SHELL_COMMAND_NOT_FOUND),
        (Exit(ExitReason.SPAWN_ERROR), ExitStatus.FAILED, FailureKind.RUNTIME_ERROR),
        (Exit(ExitReason.LEFT_RUNNING), ExitStatus.DETACHED, None),
        (Exit(ExitReason.LOST), ExitStatus.FAILED, FailureKind.ABORTED),
    ],
)
def test_an_exit_is_completed_when_the_command_ended_by_itself(
    result: Exit, status: ExitStatus, kind: FailureKind | None
) -> None:
    assert (result.status, result.failure_kind) == (status, kind)


@pytest.mark.parametrize("reason", list(ExitReason))
def test_only_our_limits_time_out_and_every_reason_has_a_status(reason: ExitReason) -> None:
    result = Exit(reason)
    assert result.timed_out == reason.value.endswith("timeout")
    assert (result.failure_kind is None) == (result.status is not ExitStatus.FAILED)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"command": ""}, "''"),
        ({"command": ()}, "()"),
        ({"command": ("", "x")}, "('', 'x')"),
        ({"command": "a\0b"}, "NUL"),
        ({"command": "x", "env": {"A=B": "1"}}, "'A=B'"),
        ({"command": "x", "env": {"A": "1\0"}}, "NUL"),
        ({"command": "x", "cwd": "/tmp\0"}, "NUL"),
        ({"command": "x", "timeout_ms": 0}, "timeout_ms is 0"),
        ({"command": "x", "no_output_timeout_ms": -1}, "no_output_timeout_ms is -1"),
        ({"command": "x", "grace_ms": -1}, "grace_ms is -1"),
        ({"command": "x", "tail_bytes": 0}, "tail_bytes is 0"),
        ({"command": "x", "pty": True, "separate_stderr": True}, "pty"),
        ({"command": "x", "pty": True, "detach": True}, "pty"),
        ({"command": "x", "detach": True, "stdin_open": True}, "detach"),
    ],
)
def test_a_bad_spec_cannot_exist_and_says_why(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        JobSpec(**arguments)  # pyright: ignore[reportArgumentType] - wrong on purpose
    assert named in str(caught.value)


def test_a_text_goes_to_the_shell_and_a_vector_does_not() -> None:
    assert JobSpec("echo $A").argv == ("/bin/sh", "-c", "echo $A")
    assert JobSpec(["echo", "$A"]).argv == ("echo", "$A")


def test_the_environment_is_a_snapshot() -> None:
    env = {"A": "1"}
    spec = JobSpec("x", env=env)
    env["A"] = "2"
    assert spec.env == {"A": "1"}


def test_a_title_is_one_short_line() -> None:
    assert JobSpec("a\n  b").title == "a b"
    assert len(JobSpec("x" * 200).title) == TITLE_LENGTH_MAX
    assert JobSpec(["echo", "\ud800"]).title == "echo ?", "a journal stores it"


def test_a_silence_names_its_length_the_likely_cause_and_the_next_limit() -> None:
    text = silence_text(
        "Exec silent (amber-re)",
        silent_ms=310_000,
        takes_input=True,
        next_limit=(3_660_000, "overall timeout"),
    )
    assert text == (
        "Exec silent (amber-re) :: no output for 5m10s; it may be waiting for input; overall timeout in 1h1m"
    )
    assert silence_text("a", silent_ms=400, takes_input=False, next_limit=None).endswith("0s; no limit is set")
