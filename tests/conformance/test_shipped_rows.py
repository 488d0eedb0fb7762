"""The rows that are shipped: as recorded, small, and enough to try each rule of the gate in a plain checkout."""

from __future__ import annotations

import json
from itertools import product

import pytest
from support.choose_vectors import FILES, boundaries, choose
from support.vectors import FULL_SET, SHIPPED, each_row, rows_of
from wakeward.protocols.wakes.cooldown import DeferReason
from wakeward.protocols.wakes.wake import Intent

SHIPPED_MAX_BYTES = 200_000
GUARDS = {
    Intent.MANUAL: {None},
    Intent.IMMEDIATE: {None, DeferReason.FLOOD},
    Intent.TASK: {None, DeferReason.FLOOD, DeferReason.MIN_SPACING},
    Intent.SCHEDULED: {None, DeferReason.FLOOD, DeferReason.NOT_DUE},
    Intent.EVENT: {None, DeferReason.FLOOD, DeferReason.MIN_SPACING, DeferReason.NOT_DUE},
}


def test_they_are_small() -> None:
    assert {path.stem for path in SHIPPED.iterdir()} == set(FILES)
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= SHIPPED_MAX_BYTES


def test_each_guard_and_each_boundary_of_the_cooldown_is_there() -> None:
    rows = [row for row in rows_of("cooldown", SHIPPED) if row["fn"] == "should_defer_wake"]
    answers = {(row["input"]["intent"], row["expected"]["reason"]) for row in rows}
    assert answers == {(intent, reason) for intent, reasons in GUARDS.items() for reason in reasons}
    near = {(name, row["input"]["now"] - at) for row in rows for name, at in boundaries(row["input"]).items()}
    assert near >= set(product(("due", "spacing", "flood"), (-1, 0, 1)))


def test_each_operation_of_the_queues_is_there() -> None:
    operations = {op["op"] for row in rows_of("event_queue", SHIPPED) for op in row["input"]["ops"]}
    assert operations >= {"enqueue", "enqueue_entry", "enqueue_receipt", "receipt_remove", "peek", "drain", "consume"}


@pytest.mark.parametrize("file", FILES)
def test_they_are_rows_of_the_full_set(file: str) -> None:
    full = {row["id"]: row for row in rows_of(file, FULL_SET)}
    if not full:
        pytest.skip("no full set to compare with: set WAKEWARD_CONFORMANCE_DIR")
    assert all(row == full[row["id"]] for row in rows_of(file, SHIPPED))


def test_the_shortest_row_of_each_group_is_chosen_evenly_over_the_kinds() -> None:
    lines = [
        json.dumps({"kind": kind, "x": size * "x"}) + "\n" for kind, size in (("a", 3), ("a", 2), ("b", 9), ("a", 1))
    ]
    chosen = choose(lines, lambda row: len(row["x"]), 3)
    assert sorted((json.loads(line)["kind"], len(json.loads(line)["x"])) for line in chosen) == [
        ("a", 1),
        ("a", 2),
        ("b", 9),
    ]


def test_without_any_row_the_test_is_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.vectors.FULL_SET", SHIPPED / "nowhere")
    assert each_row("cooldown", fn="record_run_start").args[1][0].id.startswith("cooldown-")
    (skipped,) = each_row("cooldown", fn="no such function").args[1]
    assert "WAKEWARD_CONFORMANCE_DIR" in skipped.marks[0].kwargs["reason"]
