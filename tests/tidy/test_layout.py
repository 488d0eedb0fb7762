"""Rules over the layout: who imports whom, and what is there."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from collections.abc import Iterator, Sequence

import pytest
from tidy.source import FACES, KEPT_FOR_VECTORS, Offence, Source, TreeRule, hold, offences, read_tree, sample, samples

RUN_BY_NAME = {".ci", "benchmarks", "examples"}
BELOW = {  # floor: what it may import from the package
    "protocols": {"protocols"},
    "actors": {"actors", "protocols"},
    "runtime": {"runtime", "actors", "protocols"},
}
PURE = {"trio", "loguru", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}
KERNEL_NEEDS = (".runtime.kernel", ".runtime.clock", ".protocols")
FOREIGN = {"protocols": PURE, "actors": PURE, "runtime": set[str]()}  # floor: what it may not import from elsewhere


def layering(source: Source) -> Iterator[Offence]:
    """Imports point one way, are relative inside the package, and the pure floors stay pure."""
    if not source.in_package:
        return
    for line, name in source.imports:
        first = name.lstrip(".").split(".")[0]
        if name.startswith("."):
            if first not in BELOW.get(source.floor, {first}):
                yield Offence(line, f"{source.floor} imports {name[1:]}, which is not below it")
            elif source.module.startswith(".runtime.kernel.") and not name.startswith(KERNEL_NEEDS):
                yield Offence(line, f"the kernel imports {name[1:]}: it stands on the protocols and the clock alone")
        elif first == "wakeward":
            yield Offence(line, f"imports {name} by its absolute name")
        elif first in FOREIGN.get(source.floor, ()):
            yield Offence(line, f"{source.floor} imports {first}")


def import_circles(sources: Sequence[Source]) -> Iterator[str]:
    """No module imports itself, over whatever way. An import that only a type checker sees is an import as well: two
    modules that need each other's types are one module, or need a third one below both.
    """
    graph = _import_graph(sources)
    paths = {source.module: source.path for source in sources if source.is_python}
    for module in sorted(graph):
        if way := _way_back(graph, module):
            yield f"{paths[module]}: imports itself: {' > '.join(name[1:] for name in way)}"


def _import_graph(sources: Sequence[Source]) -> dict[str, set[str]]:
    modules = {source.module for source in sources if source.is_python}
    graph: dict[str, set[str]] = {}
    for source in sources:
        if source.is_python:
            named = (_module_of(_inside(name, source), modules) for _, name in source.imports)
            graph[source.module] = {found for found in named if found is not None} - {source.module}
    return graph


def _inside(name: str, source: Source) -> str:
    """Tests import the package as ``wakeward.x``, and each other's helpers as ``support.x``."""
    if name.startswith("wakeward."):
        return name.removeprefix("wakeward")
    return f".tests.{name}" if source.floor == "tests" else name


def _module_of(name: str, modules: set[str]) -> str | None:
    """The module that an import of this name loads: ``.protocols.backoff`` for ``.protocols.backoff.Backoff``."""
    return next((prefix for prefix in reversed(list(_prefixes(name))) if prefix in modules), None)


def _way_back(graph: dict[str, set[str]], start: str) -> list[str] | None:
    """The shortest way by which a module imports itself."""
    ways = deque([[start]])
    seen: set[str] = set()
    while ways:
        way = ways.popleft()
        for following in sorted(graph[way[-1]] - seen):
            if following == start:
                return [*way, start]
            seen.add(following)
            ways.append([*way, following])
    return None


def dead_modules(sources: Sequence[Source]) -> Iterator[str]:
    """Every module is imported, run by name or named by an entry point; a test alone does not keep one alive."""
    used = {prefix for source in sources for name in _used_names(source) for prefix in _prefixes(name)}
    for source in sources:
        by_name = source.path.stem.startswith(("test_", "__")) or source.path.stem == "conftest"
        by_name = by_name or str(source.path).startswith(KEPT_FOR_VECTORS)
        if source.path.suffix != ".py" or by_name or source.floor in RUN_BY_NAME:
            continue
        if "." + ".".join(source.path.with_suffix("").parts) not in used | set(FACES):
            yield f"{source.path}: nothing imports it"


def _used_names(source: Source) -> Iterator[str]:
    """What a source keeps alive. Tests import their helpers as ``support.x``, and keep nothing else alive."""
    names = [name for _, name in source.imports] if source.path.suffix == ".py" else []
    if source.floor == "tests":
        yield from (f".tests.{name}" for name in names)
        return
    if source.path.suffix != ".md":
        names += re.findall(r"\bwakeward(?:\.\w+)+", source.text)
    yield from (name.removeprefix("wakeward") for name in names)


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(2, len(parts) + 1))


def unlisted_packages(sources: Sequence[Source]) -> Iterator[str]:
    """What is packaged is what is on disk."""
    settings = next(source.text for source in sources if str(source.path) == "pyproject.toml")
    listed = set(tomllib.loads(settings)["tool"]["setuptools"]["packages"])
    on_disk = {".".join(["wakeward", *source.path.parent.parts]) for source in sources if source.in_package}
    yield from (f"pyproject.toml: packages lacks {name}" for name in sorted(on_disk - listed))
    yield from (f"pyproject.toml: packages lists {name}, which is not there" for name in sorted(listed - on_disk))


LAYERING_BAD = [
    ("protocols/a.py", "from ..actors import agent"),
    ("protocols/a.py", "from .. import actors"),
    ("actors/a.py", "def f():\n    from ..runtime.clock import Clock"),
    ("runtime/kernel/a.py", "from ... import open_host"),
    ("runtime/a.py", "from wakeward.protocols import text"),
    ("__init__.py", "import wakeward.runtime"),
    ("protocols/a.py", "from time import monotonic"),
    ("actors/a.py", "import trio.testing as t"),
    ("runtime/kernel/a.py", "from ..host.open import open_host"),
    ("runtime/kernel/a.py", "from ...actors import router"),
]
LAYERING_GOOD = [
    ("actors/a.py", "from ..protocols.text import clean\nfrom . import port\nimport math"),
    ("runtime/kernel/a.py", "import trio, os\nfrom ..clock import Clock\nfrom ...protocols import actor"),
    ("runtime/a.py", "from ..actors import agent\nfrom .host import open"),
    ("__init__.py", "from .runtime import host"),
    ("tests/runtime/a.py", "import trio\nfrom wakeward.runtime import clock"),
]


TREE_RULES: tuple[TreeRule, ...] = (import_circles, dead_modules, unlisted_packages)


def test_the_tree_is_read() -> None:
    paths = {str(source.path) for source in read_tree()}
    assert {"__init__.py", "protocols/values/ecmascript.py", "tests/tidy/test_layout.py"} <= paths


def test_the_layers_are_kept() -> None:
    hold(offences(layering, (source for source in read_tree() if source.is_python)))


@pytest.mark.parametrize("rule", TREE_RULES)
def test_the_tree_keeps(rule: TreeRule) -> None:
    hold(rule(read_tree()))


@pytest.mark.parametrize(("path", "text"), LAYERING_BAD)
def test_a_broken_layer_is_seen(path: str, text: str) -> None:
    assert len(list(layering(sample(path, text)))) == 1


@pytest.mark.parametrize(("path", "text"), LAYERING_GOOD)
def test_what_keeps_its_layer_passes(path: str, text: str) -> None:
    assert list(layering(sample(path, text))) == []


@pytest.mark.parametrize(
    "texts",
    [
        {"actors/a.py": "from .b import B", "actors/b.py": "from . import a"},
        {"actors/a.py": "from .b import B", "actors/b.py": "if TYPE_CHECKING:\n    from .a import A"},
        {"actors/a.py": "from .b import B", "actors/b.py": "def f():\n    from .a import A"},
        {"actors/a/__init__.py": "from .b import B", "actors/a/b.py": "from ..a import C", "actors/a/c.py": ""},
        {"tests/a.py": "from b import c", "tests/b.py": "import a"},
        {
            "runtime/a.py": "from .c.b import x",
            "runtime/c/b.py": "from ..d import x",
            "runtime/d.py": "from . import e\nfrom .a import x",
            "runtime/e.py": "",
        },
    ],
)
def test_a_circle_is_seen(texts: dict[str, str]) -> None:
    found = {line.split(":")[0] for line in import_circles(samples(texts))}
    in_circle = set(texts) - {"runtime/e.py", "actors/a/c.py"}
    assert found == in_circle


def test_imports_without_a_circle_pass() -> None:
    texts = {
        "__init__.py": "from .runtime.a import A",
        "runtime/kernel/__init__.py": "from .a import A",
        "runtime/kernel/a.py": "from . import b\nfrom .c import C",
        "runtime/kernel/b.py": "from .c import C",
        "runtime/kernel/c.py": "import trio",
        "tests/support/a.py": "from wakeward.runtime.kernel import A",
        "docs/a.md": "from . import a",
    }
    assert list(import_circles(samples(texts))) == []


def test_a_dead_module_is_seen() -> None:
    settings = '[project.scripts]\nx = "wakeward.runtime.entry:main"'
    texts = {
        "pyproject.toml": settings,
        "runtime/alive.py": "",
        "protocols/openclaw/rule.py": "",
        "runtime/dead.py": "",
        "runtime/entry.py": "from . import alive\nCOMMAND = ['-m', 'wakeward.runtime.shim']",
        "runtime/shim.py": "",
        "tests/support/help.py": "",
        "tests/support/dead.py": "",
        "tests/runtime/test_dead.py": "from support.help import x\nfrom wakeward.runtime import dead",
    }
    assert [line.split(":")[0] for line in dead_modules(samples(texts))] == ["runtime/dead.py", "tests/support/dead.py"]


def test_a_package_that_is_not_listed_is_seen() -> None:
    settings = '[tool.setuptools]\npackages = ["wakeward", "wakeward.gone"]'
    texts = {"pyproject.toml": settings, "__init__.py": "", "actors/new/a.py": "", "tests/a.py": ""}
    assert list(unlisted_packages(samples(texts))) == [
        "pyproject.toml: packages lacks wakeward.actors.new",
        "pyproject.toml: packages lists wakeward.gone, which is not there",
    ]
