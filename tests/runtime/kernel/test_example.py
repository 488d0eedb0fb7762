from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import trio.testing
from wakeward.runtime.kernel import ActorSystem

EXAMPLE = Path(__file__).parents[3] / "examples" / "counter.py"


async def test_the_example_counts(system: ActorSystem, autojump_clock: trio.testing.MockClock) -> None:
    example = runpy.run_path(str(EXAMPLE))
    counts = await example["count_downloads"](system)
    assert counts == {"a.example": 18, "bb.example": 10, "c.example": 0}
    assert trio.current_time() == pytest.approx(0.03)


def test_the_example_runs_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out == "{'a.example': 18, 'bb.example': 10, 'c.example': 0}\n"
