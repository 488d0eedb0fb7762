"""The one part of the kernel that needs a real clock and a real thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from loguru import logger
from support.probe import Journal, Probe
from wakeward.runtime.kernel import open_system, stall


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    monkeypatch.setattr(stall, "STALL_S", 0.2)
    monkeypatch.setattr(stall, "LOOK_S", 0.02)
    lines: list[Any] = []
    logger.enable("wakeward")
    sink = logger.add(lambda message: lines.append(message.record), level="WARNING")  # pyright: ignore[reportAttributeAccessIssue]  loguru hands over a str with a record
    yield lines
    logger.remove(sink)


def block() -> None:
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        pass


def handler_that_blocks(_: Probe) -> None:
    block()


async def turn_that_blocks(_: Probe) -> None:
    await trio.sleep(0.1)
    block()


@pytest.mark.parametrize("message", [handler_that_blocks, turn_that_blocks])
async def test_a_handler_that_blocks_the_loop_is_named_once_with_its_stack(
    logged: list[Any], journal: Journal, message: Any
) -> None:
    with trio.fail_after(10):
        async with open_system() as system:
            system.spawn("culprit", journal.probe).tell(message)
            await system.wait_idle()
    (line,) = logged
    assert line["extra"]["actor"] == "culprit"
    assert "culprit has blocked the event loop for" in line["message"]
    assert message.__name__ in line["message"]


async def test_many_quick_handlers_and_long_handlings_are_no_stall(logged: list[Any], journal: Journal) -> None:
    def busy(_: Probe) -> None:
        if time.monotonic() < until:
            ref.tell(busy)

    until = time.monotonic() + 0.5
    with trio.fail_after(10):
        async with open_system() as system:
            ref = system.spawn("busy", journal.probe)
            ref.tell(busy)
            system.spawn("patient", journal.probe).tell(lambda _: trio.sleep(0.6))
            await system.wait_idle()
    assert logged == []
