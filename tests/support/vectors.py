"""Reads the conformance vectors recorded from OpenClaw as data.

The full set is read from the folder in ``WAKEWARD_CONFORMANCE_DIR``, else from ``shared/conformance`` beside the
checkout. A file that is in neither is read from ``tests/data/vectors``: a few rows for each thing that the rules
distinguish. What has no row there either is skipped, with a reason.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]

_TESTS = Path(__file__).resolve().parents[1]
FULL_SET = Path(os.environ.get("WAKEWARD_CONFORMANCE_DIR") or _TESTS.parents[1] / "shared" / "conformance")
SHIPPED = _TESTS / "data" / "vectors"


def rows_of(file: str, folder: Path) -> list[Row]:
    """Every row of ``file.jsonl``; none when the folder lacks the file."""
    path = folder / f"{file}.jsonl"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def each_row(file: str, **where: str) -> pytest.MarkDecorator:
    """Parametrize ``row`` over the rows of ``file.jsonl`` whose fields equal ``where``."""
    full = rows_of(file, FULL_SET)
    rows = full or rows_of(file, SHIPPED)
    chosen = [row for row in rows if all(row.get(key) == value for key, value in where.items())]
    assert chosen or not full, f"{file}.jsonl has no row with {where}"
    if chosen:
        return pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in chosen])
    reason = f"no {file}.jsonl with {where}: set WAKEWARD_CONFORMANCE_DIR to the folder of the full set"
    return pytest.mark.parametrize("row", [pytest.param({}, marks=pytest.mark.skip(reason=reason))])
