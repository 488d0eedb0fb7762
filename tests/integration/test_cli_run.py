"""``wakeward run``, as a process of its own with real signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from support.fifo import open_fifo
from wakeward.runtime.cli import main

CONFIG = """
drain_grace = "20s"
[defaults.cooldown]
flood_threshold = 0
[[agents]]
id = "steady"
command = ["sh", "-c", "cat >/dev/null; echo fine"]
heartbeat = { every = "100ms" }
"""
SLOW = """
drain_grace = "60s"
[[agents]]
id = "slow"
command = ["sh", "-c", "trap '' TERM; echo up >fifo; sleep 60"]
heartbeat = { every = "100ms" }
"""


@asynccontextmanager
async def running(folder: Path, config: str, *options: str) -> AsyncGenerator[trio.Process]:
    """The command at work; killed if a test leaves it behind."""
    (folder / "host.toml").write_text(config)
    command = [sys.executable, "-m", "wakeward", "run", *options, "host.toml"]
    with trio.fail_after(30):
        process = await trio.lowlevel.open_process(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            with trio.move_on_after(5, shield=True):
                await process.wait()
                for stream in filter(None, (process.stdout, process.stderr)):
                    await stream.aclose()


async def read_until(stream: trio.abc.ReceiveStream | None, wanted: str) -> str:
    """What the process says, up to the first time that it says ``wanted``, or up to its end."""
    assert stream is not None
    text = ""
    while wanted not in text:
        data = await stream.receive_some()
        if not data:
            break
        text += data.decode()
    return text


async def read_rest(stream: trio.abc.ReceiveStream | None) -> str:
    return await read_until(stream, "\0 is never said")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_drains_it(tmp_path: Path, number: signal.Signals) -> None:
    async with running(tmp_path, CONFIG) as process:
        said = await read_until(process.stderr, " ran ")
        process.send_signal(number)
        said += await read_rest(process.stderr)
        assert await process.wait() == 0
    assert "host.toml: 1 agent (steady)" in said
    assert "turn     #1, woken by interval" in said
    assert f"{number.name}: draining, for 20s at most; again: at once" in said
    assert said.rstrip().endswith(" drained")


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with open_fifo(tmp_path / "fifo") as fifo:
        async with running(tmp_path, SLOW) as process:
            said = await read_until(process.stderr, " turn ")
            assert await fifo.read_line() == "up"
            process.send_signal(signal.SIGTERM)
            said += await read_until(process.stderr, "draining")
            process.send_signal(signal.SIGINT)
            said += await read_rest(process.stderr)
            assert await process.wait() == 0
    assert "SIGINT again: ending what still runs" in said
    assert "drained, but not in time" in said
    assert "the turn of agent:slow:main was interrupted; its events are kept" in said


async def test_a_signal_shows_what_the_actors_do(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG) as process:
        await read_until(process.stderr, " ran ")
        process.send_signal(signal.SIGUSR1)
        said = await read_until(process.stderr, "dead letters")
        assert "actors: 3 idle" in said
        process.send_signal(signal.SIGTERM)
        await read_rest(process.stderr)
        assert await process.wait() == 0


async def test_programs_get_the_decisions_as_lines_of_json(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG, "--json") as process:
        said = await read_until(process.stdout, '"ran"')
        process.send_signal(signal.SIGTERM)
        said += await read_rest(process.stdout)
        assert await process.wait() == 0
    decisions = [json.loads(line) for line in said.splitlines()]
    assert [decision["kind"] for decision in decisions[:3]] == ["accepted", "started", "ran"]
    assert decisions[1].keys() >= {
        "at_ms",
        "agent_id",
        "session_key",
        "source",
        "intent",
        "reason",
        "until_ms",
        "turn_id",
    }
    assert {decision["agent_id"] for decision in decisions} == {"steady"}


async def test_a_handler_that_raises_is_logged_once_and_the_host_lives_on(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("async def handle(turn):\n    raise RuntimeError('the moon is full')\n")
    config = """
        [defaults.retry]
        backoff = { base = "50ms" }
        [[agents]]
        id = "odd"
        handler = "broken:handle"
        heartbeat = { every = "100ms" }
    """
    async with running(tmp_path, config) as process:
        said = await read_until(process.stderr, "failed   #1")
        assert said.count("Traceback") == 1
        said += await read_until(process.stderr, "turn     #2")
        process.send_signal(signal.SIGTERM)
        await read_rest(process.stderr)
        assert await process.wait() == 0
    assert "the handler of agent odd raised in a turn of agent:odd:main" in said
    assert "RuntimeError: the moon is full" in said


async def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    async with running(tmp_path, CONFIG, "--json") as process:
        assert process.stdout is not None
        await read_until(process.stdout, "}")
        await process.stdout.aclose()
        assert "Traceback" not in await read_rest(process.stderr)
        assert await process.wait() == 1


def test_a_wrong_configuration_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "host.toml"
    path.write_text('turns_max = 0\n[[agents]]\nid = "ops"\nhandler = "no_such_module:f"\n')
    assert main(["run", str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        f"wakeward: {path}: 2 mistakes in the configuration",
        "  turns_max: 0: expected a whole number, 1 or more",
        "  agents[0].handler: 'no_such_module:f': there is no module 'no_such_module'",
    ]


@pytest.mark.parametrize("argv", [["run"], ["run", "a", "b"], ["walk"], ["run", "--log-level", "loud", "x"], []])
def test_a_wrong_command_line_is_one_message(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Usage: wakeward")


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["exec", "-h"], ["demo", "-h"], ["--version"]])
def test_help_is_no_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    assert "akeward" in capsys.readouterr().out
