"""The conftest, tried in a project of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SEEDED = """
    from hypothesis import given, strategies as st

    def test_drawn(seed, rng):
        assert seed != 7, rng.random()

    @given(st.integers())
    def test_found(number):
        print("drawn", number)
        assert False
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\ntrio_mode = true\nmarkers = slow")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> str:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=60).stdout.str()


def test_a_fresh_seed_is_printed_before_the_test(project: pytest.Pytester) -> None:
    project.makepyfile("import os\n\ndef test_hangs(seed):\n    os._exit(3)")  # dies with its captured output
    seeds = [re.findall(r"test_hangs: seed (\d+)", run(project)) for _ in range(2)]
    assert [len(found) for found in seeds] == [1, 1]
    assert seeds[0] != seeds[1]


def test_a_seed_is_repeated(project: pytest.Pytester) -> None:
    project.makepyfile(SEEDED)
    first, second = (run(project, "--seed", "7") for _ in range(2))
    assert "Hypothesis: seed 7" in first
    drawn = [re.findall(r"drawn -?\d+|assert .*random.*|0\.\d{6,}", output) for output in (first, second)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) > 1


@pytest.mark.parametrize(
    ("head", "name", "outcome"),
    [
        ("@pytest.mark.time_limit(0.05)", "", {"failed": 1}),
        ("@pytest.mark.time_limit(5)", "", {"passed": 1}),
        ("", "", {"passed": 1}),
        ("@pytest.mark.time_limit(0.05)", "autojump_clock", {"passed": 1}),
    ],
)
def test_a_test_that_takes_too_long_fails(
    project: pytest.Pytester, head: str, name: str, outcome: dict[str, int]
) -> None:
    project.makepyfile(f"import pytest, trio\n\n{head}\nasync def test_waits({name}):\n    await trio.sleep(0.2)")
    project.runpytest_subprocess("-p", "no:cacheprovider", timeout=60).assert_outcomes(**outcome)


def test_a_test_in_virtual_time_that_waits_for_ever_fails(project: pytest.Pytester) -> None:
    project.makepyfile("import trio\n\nasync def test_waits(autojump_clock):\n    await trio.sleep_forever()")
    assert "TooSlowError" in run(project)
