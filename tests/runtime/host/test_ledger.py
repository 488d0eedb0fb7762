"""The ledger in memory."""

from __future__ import annotations

import pytest
from loguru import logger
from wakeward.protocols.wakes.decision import Decision, DecisionKind
from wakeward.runtime.host.ledger import LOGGED_EACH, MemoryLedger


def refusal(number: int) -> Decision:
    return Decision(number, DecisionKind.REFUSED, "ops", f"agent:ops:s{number % 2}", reason="full")


def test_it_keeps_the_last_and_counts_all() -> None:
    ledger = MemoryLedger(3)
    for number in range(5):
        ledger.record(refusal(number))
    assert [decision.at_ms for decision in ledger] == [2, 3, 4]
    assert ledger.counts[DecisionKind.REFUSED] == 5
    assert [decision.at_ms for decision in ledger.of(agent_id="ops", session_key="agent:ops:s1")] == [3]
    assert ledger.of(agent_id="dev") == []


def test_watchers_see_each_decision_while_they_watch() -> None:
    ledger, seen = MemoryLedger(3), list[int]()
    with ledger.watch(lambda decision: seen.append(decision.at_ms)):
        ledger.record(refusal(1))
    ledger.record(refusal(2))
    assert seen == [1]


@pytest.mark.parametrize("count", [1, 10, 100_000])
def test_a_flood_of_refusals_makes_no_flood_of_lines(count: int) -> None:
    lines: list[str] = []
    logger.enable("wakeward")
    sink = logger.add(lines.append, format="{message}", level="WARNING")
    try:
        ledger = MemoryLedger(10)
        for number in range(count):
            ledger.record(refusal(number))
    finally:
        logger.remove(sink)
        logger.disable("wakeward")
    assert min(count, LOGGED_EACH) <= len(lines) <= LOGGED_EACH + 20
