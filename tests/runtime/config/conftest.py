from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.config_files import HANDLERS


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a module of handlers that no other test has imported."""
    module = f"handlers_{abs(hash(tmp_path))}"
    (tmp_path / f"{module}.py").write_text(HANDLERS)
    (tmp_path / "HANDLERS").write_text(module)
    yield tmp_path
    sys.modules.pop(module, None)
    sys.path[:] = [path for path in sys.path if path != str(tmp_path)]
