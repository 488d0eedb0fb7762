from __future__ import annotations

import pytest
from wakeward.protocols.jobs.completion import ExecCompletion, parse_exec_completion


def test_a_completion_is_read_into_its_parts() -> None:
    text = "  exec Failed (K9_a-b, Signal SIGKILL) :: first\nsecond \u2028"
    assert parse_exec_completion(text) == ExecCompletion("Failed", "K9_a-b", "Signal SIGKILL", "first\nsecond")


@pytest.mark.parametrize(
    ("text", "succeeded"),
    [
        ("Exec completed (a, code 0)", True),
        ("EXEC COMPLETED (a, CODE 0)", True),
        ("Exec completed (a, code 1)", False),
        ("Exec failed (a, signal SIGKILL)", False),
    ],
)
def test_only_exit_code_0_is_a_success(text: str, succeeded: bool) -> None:
    parsed = parse_exec_completion(text)
    assert parsed is not None
    assert parsed.succeeded is succeeded


def test_a_text_of_another_form_has_no_parts() -> None:
    assert parse_exec_completion("Exec finished (node=n1 id=r1, code 0)") is None
