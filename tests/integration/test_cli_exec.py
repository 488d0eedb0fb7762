"""``wakeward exec``: a command, its output, and what its exit woke."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from wakeward.runtime.cli import main


def test_the_command_is_shown_and_what_it_woke(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "--agent", "ops", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]) == 3
    shown = capfd.readouterr()
    assert shown.out == "out\nerr\n"
    ended, event, turn, ran = shown.err.splitlines()
    assert ended.startswith("exit     code 3, after ")
    assert event.startswith("event    ops: Exec completed (")
    assert event.endswith(", code 3) :: out err")
    assert turn == "turn     ops: #1, woken by exec-event"
    assert ran.startswith("ran      ops: #1 in ")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 77"], 77),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["no-such-program", "--agent", "x"], 127),
    ],
)
def test_the_status_is_the_commands_own(command: list[str], status: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "--agent", "ops", *command]) == status
    assert "turn     ops: #1" in capfd.readouterr().err


def test_programs_get_one_object(capfd: pytest.CaptureFixture[str]) -> None:
    command = ["sh", "-c", "echo hi; exit 4"]
    assert main(["exec", "--json", "--agent", "Ops", "--", *command]) == 4
    shown = capfd.readouterr()
    told = json.loads(shown.out)
    assert shown.err == ""
    assert told["exit"].pop("duration_ms") >= 0
    assert told["notice"].pop("text").endswith(", code 4) :: hi")
    assert told == {
        "agent": "ops",
        "command": command,
        "exit": {"reason": "exit", "code": 4, "signal": None, "detail": ""},
        "output": "hi\n",
        "notice": {"session_key": "agent:ops:main"},
        "turn": {"session_key": "agent:ops:main", "source": "exec-event", "outcome": "ran"},
    }


CONFIG = """
main_key = "home"
[defaults.retry]
attempts_max = 3
[[agents]]
id = "ops"
command = ["sh", "-c", "cat >got; exit {status}"]
[[agents]]
id = "loud"
command = ["touch", "loud"]
heartbeat = {{ every = "50ms" }}
"""


@pytest.mark.parametrize(("status", "outcome"), [(0, "ran"), (5, "failed"), (75, "deferred")])
def test_a_configured_agent_takes_the_turn(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], status: int, outcome: str
) -> None:
    (tmp_path / "host.toml").write_text(CONFIG.format(status=status))
    argv = [
        "exec",
        "--json",
        "--config",
        str(tmp_path / "host.toml"),
        "--agent",
        "ops",
        "--",
        "sh",
        "-c",
        "sleep .3; echo x",
    ]
    assert main(argv) == 0
    assert json.loads(capfd.readouterr().out)["turn"]["outcome"] == outcome
    turn = json.loads((tmp_path / "got").read_text())
    assert turn["session_key"] == "agent:ops:home"
    assert turn["events"][0]["text"].endswith(":: x")
    assert not (tmp_path / "loud").exists(), "another agent of the configuration took a turn"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--agent", "who", "--config", "CONFIG", "ls"], "Invalid value for --agent: 'who' is none of ops, loud"),
        (["--agent", "no one", "ls"], "agent id 'no one': expected letters"),
        (["--agent", "ops", "--config", "no-such-file", "ls"], "no-such-file: a mistake in the configuration"),
        (["--agent", "ops"], "Missing argument 'COMMAND...'"),
        (["ls"], "Missing option '--agent'"),
    ],
)
def test_wrong_input_is_one_message(
    tmp_path: Path, argv: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "host.toml").write_text(CONFIG.format(status=0))
    assert main(["exec", *(str(tmp_path / "host.toml") if word == "CONFIG" else word for word in argv)]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert "Traceback" not in shown.err


async def test_output_is_shown_while_the_command_runs_and_an_interrupt_ends_both(tmp_path: Path) -> None:
    script = "echo $$ >pid; echo begun; sleep 60"
    argv = [sys.executable, "-m", "wakeward", "exec", "--agent", "ops", "--", "sh", "-c", script]
    with trio.fail_after(20):
        process = await trio.lowlevel.open_process(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.receive_some() == b"begun\n"
        process.send_signal(2)
        assert await process.wait() == 130
        assert await process.stderr.receive_some() in {b"", b"\n"}  # click ends the line
        await process.stdout.aclose()
        await process.stderr.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
