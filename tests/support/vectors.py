"""Reads the conformance vectors recorded from OpenClaw as data.

From the folder in ``WAKEWARD_CONFORMANCE_DIR``, else from ``shared/conformance`` beside the checkout. Without either,
the tests that need them are skipped, with a reason.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]

_DIR = Path(
    os.environ.get("WAKEWARD_CONFORMANCE_DIR") or Path(__file__).resolve().parents[3] / "shared" / "conformance"
)


def each_row(file: str, **where: str) -> pytest.MarkDecorator:
    """Parametrize ``row`` over the rows of ``file.jsonl`` whose fields equal ``where``."""
    path = _DIR / f"{file}.jsonl"
    if not path.is_file():
        reason = f"no {path.name} in {_DIR.name}/: set WAKEWARD_CONFORMANCE_DIR to the folder of vectors"
        return pytest.mark.parametrize("row", [pytest.param({}, marks=pytest.mark.skip(reason=reason))])
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chosen = [row for row in rows if all(row.get(key) == value for key, value in where.items())]
    assert chosen, f"{path.name} has no row with {where}"
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in chosen])
