"""What all tests share: seeds that can be repeated, and a time limit for each asynchronous test.

A seed is drawn and printed before anything runs with it, past the capture of output, so that it is there also when the
test hangs or the process is killed. ``pytest --seed N`` repeats it: for the ``seed`` and ``rng`` fixtures of each test,
and for Hypothesis, whose seed stands in the header of the run.

This file imports nothing of the project and of its tests, so that it can be tried as the conftest of another project.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

import pytest
import trio
import trio.testing

TIME_LIMIT_S: Final = 60
SLOW_TIME_LIMIT_S: Final = 600
VIRTUAL_TIME_LIMIT_S: Final = 10 * 365 * 86_400
"""Nothing is simulated for so long. A test that waits for what never comes gets there in one jump, and fails."""
SEED_BITS: Final = 32


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, metavar="N", help="repeat a run that was made with this seed")


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads its option
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "time_limit(seconds): how long an asynchronous test may take; 60 s by default")
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = _seed(config)


def pytest_report_header(config: pytest.Config) -> str:
    return f"Hypothesis: seed {config.option.hypothesis_seed}, repeat with --seed"


def _seed(config: pytest.Config) -> int:
    given = config.getoption("--seed")
    return random.SystemRandom().getrandbits(SEED_BITS) if given is None else given


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number that this test may be random by: a fresh one, or that of ``--seed``."""
    number = _seed(request.config)
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{request.node.nodeid}: seed {number}")  # noqa: T201 - must be seen when the test hangs
    return number


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Random numbers by ``seed``."""
    return random.Random(seed)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of pytest-trio, which makes a synchronous function of the test
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    is_hypothesis = hasattr(getattr(item, "obj", None), "hypothesis")  # wraps one trio.run per example
    if isinstance(item, pytest.Function) and item.get_closest_marker("trio") and not is_hypothesis:
        item.obj = _limited(item.obj, _time_limit_s(item))
    return (yield)


def _time_limit_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("time_limit")
    if marker is not None:
        return marker.args[0]
    return SLOW_TIME_LIMIT_S if item.get_closest_marker("slow") else TIME_LIMIT_S


def _limited(test: Callable[..., Awaitable[None]], limit_s: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def limited(**arguments: Any) -> None:
        is_virtual = any(isinstance(value, trio.testing.MockClock) for value in arguments.values())
        with trio.fail_after(VIRTUAL_TIME_LIMIT_S if is_virtual else limit_s):
            await test(**arguments)

    return limited
