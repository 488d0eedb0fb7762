"""The examples work as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from wakeward.runtime.config.file import load_config

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_the_embedding_example_fits_into_a_readme_and_runs() -> None:
    path = EXAMPLES / "embedding.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 25
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    told, outcome, exited = done.stdout.splitlines()
    assert told == "agent:ops:main was told: deploy finished"
    assert outcome == "Ran(reply='done')"
    assert exited.startswith("agent:ops:main was told: Exec completed (")
    assert exited.endswith(", code 0) :: 3 targets built")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_a_configuration_is_right(path: Path) -> None:
    assert load_config(path).agents


@pytest.mark.parametrize(
    ("name", "shown"), [("agents.toml", "ops was told: Exec completed ("), ("commands.toml", "ran      #")]
)
async def test_a_configuration_runs(name: str, shown: str) -> None:
    command = [sys.executable, "-m", "wakeward", "run", EXAMPLES / name]
    with trio.fail_after(30):
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            assert process.stdout is not None
            said = ""
            while shown not in said:
                data = await process.stdout.receive_some()
                assert data, said
                said += data.decode()
            process.send_signal(signal.SIGTERM)
            while data := await process.stdout.receive_some():
                said += data.decode()
            assert await process.wait() == 0, said
            assert said.rstrip().endswith("drained")
        finally:
            if process.poll() is None:
                process.kill()
            with trio.move_on_after(5, shield=True):
                await process.wait()
                if process.stdout is not None:
                    await process.stdout.aclose()
