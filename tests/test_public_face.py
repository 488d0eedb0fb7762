"""What ``import wakeward`` gives, and what it leaves alone.

``__all__``, what the package binds, what a static tool reads and what the documentation names are held together. What
an import does to the process is observed in a process of its own.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import wakeward

ROOT = Path(__file__).resolve().parents[1]
FIXED = {"AgentSpec", "Failed", "Heartbeat", "Host", "Ran", "Skipped", "Turn", "open_host"}
HEAVY = {"_pytest", "click", "hypothesis", "pytest", "rich", "trio_websocket", "wsproto"}


def public(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")} - {"annotations"}


def fresh_python(program: str, folder: Path) -> str:
    """Run a program in an interpreter that has imported nothing yet; what it printed."""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_names_each_export_once() -> None:
    assert len(wakeward.__all__) == len(set(wakeward.__all__))
    assert set(wakeward.__all__) >= FIXED


def test_all_is_what_the_package_binds() -> None:
    bound = {name for name, value in vars(wakeward).items() if not isinstance(value, ModuleType)}
    modules = {name for name in wakeward.__all__ if isinstance(getattr(wakeward, name), ModuleType)}
    assert public(bound) | modules == public(wakeward.__all__)


def test_a_static_tool_sees_the_same_names() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert public(imported | defined) == public(wakeward.__all__)


def test_the_documentation_names_each_export() -> None:
    pages = [page for page in (ROOT / "docs" / "api.md", ROOT / "README.md") if page.is_file()]
    words = set(re.findall(r"\w+", "\n".join(page.read_text(encoding="utf-8") for page in pages)))
    missing = sorted(public(wakeward.__all__) - words)
    assert not missing, "neither docs/api.md nor README.md names these"


def test_the_types_are_shipped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"]["wakeward"]
    assert (ROOT / "py.typed").is_file()


def test_an_import_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = fresh_python("import sys, wakeward; print(*{name.split('.')[0] for name in sys.modules})", tmp_path)
    assert "wakeward" in loaded.split()
    assert not HEAVY & set(loaded.split())


SILENT = """
from loguru import logger
seen = []
first = logger.add(seen.append, format="{message}")
import wakeward
second = logger.add(seen.append, format="{message}")
assert second == first + 1, "the import added a sink"
logger.remove(second)
logger.remove(0)   # raises if the import took away loguru's own sink
wakewards = {"__name__": "wakeward.runtime.probe", "logger": logger}
exec("logger.warning('unasked')", wakewards)
logger.enable("wakeward")
exec("logger.warning('asked')", wakewards)
print(*(line.strip() for line in seen))
"""


def test_the_library_logs_only_when_asked(tmp_path: Path) -> None:
    assert fresh_python(SILENT, tmp_path).split() == ["asked"]
