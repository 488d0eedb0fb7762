"""Chooses the recorded rows that are shipped: the smallest row of each group, up to a number of groups.

    WAKEWARD_CONFORMANCE_DIR=path/to/vectors python tests/support/choose_vectors.py

A group is what the rule distinguishes: for the cooldown the intent, the guard, and how near a boundary the instant is.
Rows are taken over as they are, byte for byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, Final

Row = dict[str, Any]
SHIPPED: Final = Path(__file__).resolve().parents[1] / "data" / "vectors"
MIN_SPACING_MS: Final = 30_000
FLOOD_WINDOW_MS: Final = 60_000
FLOOD_THRESHOLD: Final = 5


def cooldown_group(row: Row) -> Hashable:
    """Intent, guard, and which boundary the instant is near: a millisecond before it, on it, a millisecond after."""
    given, expected = row["input"], row["expected"]
    if row["fn"] != "should_defer_wake":
        return (row["fn"], len(given["buffer"]))
    near = [(name, given["now"] - at) for name, at in boundaries(given).items() if abs(given["now"] - at) <= 1]
    return (given["intent"], expected["reason"], given["retained_work"], *near[:1])


def boundaries(given: Row) -> dict[str, int]:
    """The last instant at which each guard holds, or the first at which it does not."""

    def or_default(name: str, default: int) -> int:
        return default if given[name] is None else given[name]

    last: int | None = given["last_run_started"]
    starts: list[int] = given["recent_run_starts"] or []
    threshold = or_default("flood_threshold", FLOOD_THRESHOLD)
    found = {"due": given["next_due"]}
    if last is not None:
        found["spacing"] = last + or_default("min_spacing", MIN_SPACING_MS)
    if 0 < threshold <= len(starts):
        found["flood"] = starts[-threshold] + or_default("flood_window", FLOOD_WINDOW_MS)
    return found


def session_key_group(row: Row) -> Hashable:
    """Kind and tag; for a key also what the parsers say of it."""
    expected = row["expected"]
    asked = ("shape", "is_cron_run", "is_subagent", "is_acp", "is_unscoped_sentinel")
    return (row["kind"], row["tag"], *(expected.get(name) for name in asked if row["kind"] == "key"))


def by_kind_and_tag(row: Row) -> Hashable:
    """Kind and tag, and how the answer begins."""
    return (row["kind"], row["tag"], json.dumps(row["expected"])[:24])


def by_first_tag(row: Row) -> Hashable:
    """The first of a timeline's tags."""
    return row["tags"][0]


def by_operations(row: Row) -> Hashable:
    """Which operations a sequence has."""
    return frozenset(op["op"] for op in row["input"]["ops"])


FILES: Final[dict[str, tuple[Callable[[Row], Hashable], int]]] = {
    "cooldown": (cooldown_group, 200),
    "durations_and_hours": (by_kind_and_tag, 80),
    "env_guard": (by_kind_and_tag, 30),
    "event_queue": (by_operations, 22),
    "exec_events": (by_kind_and_tag, 40),
    "session_keys": (session_key_group, 30),
    "timelines": (by_first_tag, 10),
}


def choose(lines: Iterable[str], group: Callable[[Row], Hashable], groups_max: int) -> list[str]:
    """The shortest line of each group; where there are more groups than wanted, those with the shortest lines, taken
    evenly from every kind.
    """
    best: dict[Hashable, str] = {}
    for line in sorted(lines, key=len):
        best.setdefault(group(json.loads(line)), line)
    by_kind: dict[str, list[str]] = {}
    for line in best.values():
        row = json.loads(line)
        by_kind.setdefault(row.get("kind") or row["fn"], []).append(line)
    chosen: list[str] = []
    while len(chosen) < groups_max and any(by_kind.values()):
        chosen += [candidates.pop(0) for candidates in by_kind.values() if candidates]
    return sorted(chosen)


def main() -> None:
    """Write the shipped files anew."""
    source = Path(os.environ["WAKEWARD_CONFORMANCE_DIR"])
    for name, (group, groups_max) in FILES.items():
        with (source / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as lines:
            chosen = choose(lines, group, groups_max)
        (SHIPPED / f"{name}.jsonl").write_text("".join(chosen), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
