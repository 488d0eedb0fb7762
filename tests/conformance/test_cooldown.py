"""The cooldown decision against what OpenClaw was recorded to decide."""

from __future__ import annotations

from datetime import timedelta

from support.vectors import Row, each_row
from wakeward.protocols.wakes.cooldown import CooldownPolicy, decide, record_start
from wakeward.protocols.wakes.wake import Intent

NAMES = ("min_spacing", "flood_window", "flood_threshold")


def policy(given: Row) -> CooldownPolicy:
    stated: Row = {name: value for name in NAMES if (value := given.get(name)) is not None}
    lengths = {name: timedelta(milliseconds=stated[name]) for name in stated if name != "flood_threshold"}
    known: Row = {**stated, **lengths}
    return CooldownPolicy(**known)


@each_row("cooldown", fn="should_defer_wake")
def test_should_defer_wake(row: Row) -> None:
    given, expected = row["input"], row["expected"]
    deferral = decide(
        policy(given),
        Intent(given["intent"]),
        now_ms=given["now"],
        next_due_ms=given["next_due"],
        last_started_ms=given["last_run_started"],
        recent_starts_ms=given["recent_run_starts"] or [],
        retained=given["retained_work"],
    )
    assert (deferral is not None) == expected["defer"]
    if deferral is not None:
        assert (deferral.reason.value, deferral.retry_at_ms) == (expected["reason"], expected["retry_at"])


@each_row("cooldown", fn="record_run_start")
def test_record_run_start(row: Row) -> None:
    threshold = policy(row["input"]).flood_threshold
    buffer = record_start(row["input"]["buffer"], row["input"]["ts"], threshold)
    assert buffer == row["expected"]["buffer"]
