"""The house's own rules, checked over the source tree.

A rule is a function that takes one source, or all of them, and yields offences. Each is tried on samples that break it,
so that a rule that has stopped seeing anything is noticed; then it is held against the tree. Comments are read with
``tokenize`` and code with ``ast``, so that code in a string does not offend.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest
from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".ci", "actors", "benchmarks", "docs", "examples", "protocols", "runtime", "tests")
RUN_BY_NAME = {".ci", "benchmarks", "examples"}
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 600

BELOW = {  # floor: what it may import from the package
    "protocols": {"protocols"},
    "actors": {"actors", "protocols"},
    "runtime": {"runtime", "actors", "protocols"},
}
PURE = {"trio", "loguru", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}
FOREIGN = {"protocols": PURE, "actors": PURE, "runtime": set[str]()}  # floor: what it may not import from elsewhere

BANNED = {
    "time.time": "the host's timeline is monotonic, see runtime/clock.py",
    "time.sleep": "it stops the whole host; await trio.sleep",
}
WALL_CLOCK = {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"}
RANDOM_CLASSES = {"random.Random", "random.SystemRandom"}

LEFTOVER = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
EXEMPTION = re.compile(
    r"(?:noqa|type: *ignore|pyright: *ignore|pragma: *no *cover)(?:: *[A-Z]+\d+(?:, *[A-Z]+\d+)*|\[[\w, -]*\])?"
)
SKIPS = {"pytest.skip", "pytest.xfail", "pytest.mark.skip"}  # the reason may stand first
CONDITIONAL_SKIPS = {"pytest.mark.skipif", "pytest.mark.xfail", "pytest.importorskip"}
MACHINE = re.compile(r"(?<![\w.~])/(?:root|home|work)/|pypi\.org/simple|files\.pythonhosted\.org|registry\.npmjs\.org")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s+(\S+)|\bsrc=\"([^\"]+)\"")


class Offence(NamedTuple):
    line: int
    what: str


@frozen(slots=False)
class Source:
    """One text file; ``path`` is relative to the root of the checkout."""

    path: PurePosixPath
    text: str

    @property
    def floor(self) -> str:
        """The top-level folder, or nothing for a file beside the floors."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""

    @property
    def in_package(self) -> bool:
        return self.path.suffix == ".py" and (self.floor == "" or self.floor in BELOW)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text, str(self.path))))

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Each imported name in full. A name out of the checkout starts with a dot: ``.protocols.text.clean_text``."""
        found: list[tuple[int, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parents = self.path.parts[: len(self.path.parts) - node.level] if node.level else ()
                start = ["", *parents] if node.level else []
                start += [node.module] if node.module else []
                found += [(node.lineno, ".".join([*start, alias.name])) for alias in node.names]
        return found


# The rules over one source


def layering(source: Source) -> Iterator[Offence]:
    """Imports point one way, are relative inside the package, and the pure floors stay pure."""
    if not source.in_package:
        return
    for line, name in source.imports:
        first = name.lstrip(".").split(".")[0]
        if name.startswith("."):
            if first not in BELOW.get(source.floor, {first}):
                yield Offence(line, f"{source.floor} imports {name[1:]}, which is not below it")
        elif first == "wakeward":
            yield Offence(line, f"imports {name} by its absolute name")
        elif first in FOREIGN.get(source.floor, ()):
            yield Offence(line, f"{source.floor} imports {first}")


def banned_calls(source: Source) -> Iterator[Offence]:
    """No wall clock, no blocking sleep, no asyncio, no global randomness, no print outside the command line."""
    if not source.in_package:
        return
    yield from (Offence(line, "asyncio") for line, name in source.imports if name.split(".")[0] == "asyncio")
    known = _known_names(source.nodes)
    for node in source.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and (why := _banned(_dotted(node, known), source)):
            yield Offence(node.lineno, f"{ast.unparse(node)}: {why}")


def _banned(name: str, source: Source) -> str | None:
    if name.startswith("random.") and name not in RANDOM_CLASSES:
        return "a random.Random is passed in, so that a run can be repeated"
    if name == "print" and source.path.parts[:2] != ("runtime", "cli"):
        return "only the command line prints"
    if name in WALL_CLOCK and source.floor != "runtime":
        return "time is an argument"
    return BANNED.get(name)


def _known_names(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """What each name that an import binds stands for."""
    known = {"print": "print"}
    for node in nodes:
        if isinstance(node, ast.Import):
            known |= {alias.asname: alias.name for alias in node.names if alias.asname}
            known |= {top: top for alias in node.names if not alias.asname for top in alias.name.split(".")[:1]}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return known.get(name, "?")
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value, known)}.{attribute}"
        case _:
            return "?"


def long_functions(source: Source) -> Iterator[Offence]:
    """A function fits on a screen."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Offence(node.lineno, f"{node.name} has {lines} lines, {FUNCTION_LINES_MAX} are the most")


def long_modules(source: Source) -> Iterator[Offence]:
    """A module is one idea."""
    lines = len(source.text.splitlines())
    if lines > MODULE_LINES_MAX:
        yield Offence(lines, f"{lines} lines, {MODULE_LINES_MAX} are the most")


def leftovers(source: Source) -> Iterator[Offence]:
    """What is committed is finished."""
    for line, text in [*source.comments, *_docstrings(source)]:
        if found := LEFTOVER.search(text):
            yield Offence(line, found[0])
    for node in source.nodes:
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield Offence(node.lineno, node.id)


def _docstrings(source: Source) -> Iterator[tuple[int, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.body[0].lineno if node.body else 1), ast.get_docstring(node) or ""


def unexplained_exemptions(source: Source) -> Iterator[Offence]:
    """Whoever silences a checker says why, on the same line."""
    for line, comment in source.comments:
        rest, count = EXEMPTION.subn("", comment)
        if count and not re.search(r"[A-Za-z]{3,}", rest):
            yield Offence(line, f"{comment} gives no reason")


def unexplained_skips(source: Source) -> Iterator[Offence]:
    """A test that does not run says why."""
    calls = {id(node.func): node for node in source.nodes if isinstance(node, ast.Call)}
    for node in source.nodes:
        if not isinstance(node, ast.Attribute) or (name := ast.unparse(node)) not in SKIPS | CONDITIONAL_SKIPS:
            continue
        call = calls.get(id(node))
        reasons = [keyword.value for keyword in call.keywords if keyword.arg == "reason"] if call else []
        reasons += call.args[:1] if call and name in SKIPS else []
        if all(isinstance(reason, ast.Constant) and not reason.value for reason in reasons):
            yield Offence(node.lineno, f"{name} gives no reason")


def machine_names(source: Source) -> Iterator[Offence]:
    """No path of somebody's machine, no host of a registry."""
    for line, text in enumerate(source.text.splitlines(), 1):
        if found := MACHINE.search(text):
            yield Offence(line, f"names {found[0]}")


def broken_links(source: Source) -> Iterator[Offence]:
    """A link to a file of the checkout leads somewhere."""
    if source.path.suffix != ".md":
        return
    fenced = False
    for line, text in enumerate(source.text.splitlines(), 1):
        fenced ^= text.lstrip().startswith("```")
        for found in () if fenced else LINK.finditer(re.sub(r"`[^`]*`", "", text)):
            target = next(filter(None, found.groups())).split("#")[0]
            if target and not re.match(r"[a-z]+:", target) and not (ROOT / source.path.parent / target).exists():
                yield Offence(line, f"links to {target}, which is not there")


# The rules over all sources


def dead_modules(sources: Sequence[Source]) -> Iterator[str]:
    """Every module is imported, run by name or named by an entry point; a test alone does not keep one alive."""
    used = {prefix for source in sources for name in _used_names(source) for prefix in _prefixes(name)}
    for source in sources:
        by_name = source.path.stem.startswith(("test_", "__")) or source.path.stem == "conftest"
        if source.path.suffix != ".py" or by_name or source.floor in RUN_BY_NAME:
            continue
        if "." + ".".join(source.path.with_suffix("").parts) not in used:
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


CODE_RULES: tuple[Callable[[Source], Iterator[Offence]], ...] = (
    layering,
    banned_calls,
    long_functions,
    long_modules,
    leftovers,
    unexplained_exemptions,
    unexplained_skips,
)
TEXT_RULES: tuple[Callable[[Source], Iterator[Offence]], ...] = (machine_names, broken_links)
TREE_RULES: tuple[Callable[[Sequence[Source]], Iterator[str]], ...] = (dead_modules, unlisted_packages)


# The tree


def read_tree() -> list[Source]:
    """Every text file of the project: beside the floors and in the folders that it consists of."""
    paths = [path for path in ROOT.iterdir() if path.suffix in {".md", ".py", ".toml"} or path.name == "LICENSE"]
    paths += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    sources: list[Source] = []
    for path in sorted(paths):
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in content:
            sources.append(Source(PurePosixPath(path.relative_to(ROOT)), content.decode()))
    return sources


@pytest.fixture(scope="module")
def tree() -> list[Source]:
    return read_tree()


def test_the_tree_is_read(tree: list[Source]) -> None:
    assert {"__init__.py", "protocols/values/ecmascript.py", "tests/test_tidy.py"} <= {
        str(source.path) for source in tree
    }


@pytest.mark.parametrize("rule", [*CODE_RULES, *TEXT_RULES])
def test_the_tree_keeps(rule: Callable[[Source], Iterator[Offence]], tree: list[Source]) -> None:
    governed = [source for source in tree if rule in TEXT_RULES or source.path.suffix == ".py"]
    offences = [f"{source.path}:{line}: {what}" for source in governed for line, what in rule(source)]
    _none(offences)


@pytest.mark.parametrize("rule", TREE_RULES)
def test_the_whole_keeps(rule: Callable[[Sequence[Source]], Iterator[str]], tree: list[Source]) -> None:
    _none(list(rule(tree)))


def _none(offences: list[str]) -> None:
    if offences:
        pytest.fail("\n".join(["the house rules are broken:", *offences]), pytrace=False)


# The rules see what they are there to see

MARKDOWN = "docs/sample.md"
BAD: list[tuple[Callable[[Source], Iterator[Offence]], str, str]] = [
    (layering, "protocols/a.py", "from ..actors import agent"),
    (layering, "protocols/a.py", "from .. import actors"),
    (layering, "actors/a.py", "def f():\n    from ..runtime.clock import Clock"),
    (layering, "runtime/kernel/a.py", "from ... import open_host"),
    (layering, "runtime/a.py", "from wakeward.protocols import text"),
    (layering, "__init__.py", "import wakeward.runtime"),
    (layering, "protocols/a.py", "from time import monotonic"),
    (layering, "actors/a.py", "import trio.testing as t"),
    (banned_calls, "runtime/a.py", "import time as t\nt.time()"),
    (banned_calls, "protocols/a.py", "import datetime\nd = datetime.date.today()"),
    (banned_calls, "runtime/a.py", "from time import sleep\nnap = sleep"),
    (banned_calls, "runtime/a.py", "from asyncio import run"),
    (banned_calls, "runtime/a.py", "import random\nrandom.shuffle([])"),
    (banned_calls, "runtime/a.py", "print('x')"),
    (banned_calls, "protocols/a.py", "from datetime import datetime\nnow = datetime.now()"),
    (long_functions, "runtime/a.py", "async def f():\n" + "    f()\n" * FUNCTION_LINES_MAX),
    (long_modules, "tests/a.py", "pass\n" * (MODULE_LINES_MAX + 1)),
    (leftovers, "runtime/a.py", "x = 1  # TODO: later"),
    (leftovers, "runtime/a.py", 'def f():\n    """FIXME"""'),
    (leftovers, "runtime/a.py", "raise NotImplementedError"),
    (unexplained_exemptions, "runtime/a.py", "x = 1  # noqa: E501, S101"),
    (unexplained_exemptions, "runtime/a.py", "x = 1  # type: ignore[assignment]  # noqa"),
    (unexplained_exemptions, "runtime/a.py", "x = 1  # pyright: ignore"),
    (unexplained_exemptions, "runtime/a.py", "x = 1  # pragma: no cover"),
    (unexplained_skips, "tests/a.py", "@pytest.mark.skip\ndef test(): ..."),
    (unexplained_skips, "tests/a.py", "@pytest.mark.skipif(LINUX)\ndef test(): ..."),
    (unexplained_skips, "tests/a.py", "pytest.skip('')"),
    (machine_names, MARKDOWN, "see " + "/{}/x".format("home")),
    (machine_names, ".ci/run", "pip install -i https://{}/simple".format("pypi.org")),
    (broken_links, MARKDOWN, "read [this](nowhere.md#part)"),
    (broken_links, MARKDOWN, "[this]: ../nowhere.md"),
    (broken_links, MARKDOWN, '<img src="nowhere.svg">'),
]
GOOD: list[tuple[Callable[[Source], Iterator[Offence]], str, str]] = [
    (layering, "actors/a.py", "from ..protocols.text import clean\nfrom . import port\nimport math"),
    (layering, "runtime/kernel/a.py", "import trio, os\nfrom ..clock import Clock\nfrom ...actors import agent"),
    (layering, "__init__.py", "from .runtime import host"),
    (layering, "tests/runtime/a.py", "import trio\nfrom wakeward.runtime import clock"),
    (banned_calls, "runtime/a.py", "import random, time\nrandom.Random(1).random()\ntime.monotonic()"),
    (banned_calls, "runtime/a.py", "def f(random): random.choice([1])"),
    (banned_calls, "runtime/cli/a.py", "print('x')"),
    (long_functions, "runtime/a.py", "def f():\n" + "    f()\n" * (FUNCTION_LINES_MAX - 1)),
    (long_modules, "tests/a.py", "pass\n" * MODULE_LINES_MAX),
    (leftovers, "runtime/a.py", "x = 'TODO'  # nothing left to do"),
    (unexplained_exemptions, "runtime/a.py", "x = 1  # noqa: E501 - a table reads best in columns"),
    (unexplained_exemptions, "runtime/a.py", "x = '# noqa'"),
    (
        unexplained_skips,
        "tests/a.py",
        "pytest.skip('no cgroup here')\npytest.mark.skipif(LINUX, reason='not on Linux')",
    ),
    (machine_names, MARKDOWN, "docs/" + "work/x and ~/" + "home/x"),
    (broken_links, MARKDOWN, "[a](../pyproject.toml#x) [b](https://example.org) [c](#d) `[e](f)`\n```\n[g](h)\n```"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_sees_an_offence(rule: Callable[[Source], Iterator[Offence]], path: str, text: str) -> None:
    assert len(list(rule(Source(PurePosixPath(path), text)))) == 1


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_the_rest_pass(rule: Callable[[Source], Iterator[Offence]], path: str, text: str) -> None:
    assert list(rule(Source(PurePosixPath(path), text))) == []


def test_every_rule_is_tried_both_ways() -> None:
    assert {rule for rule, _, _ in BAD} == {rule for rule, _, _ in GOOD} == {*CODE_RULES, *TEXT_RULES}


def test_a_dead_module_is_seen() -> None:
    settings = '[project.scripts]\nx = "wakeward.runtime.entry:main"'
    texts = {
        "pyproject.toml": settings,
        "runtime/alive.py": "",
        "runtime/dead.py": "",
        "runtime/entry.py": "from . import alive\nCOMMAND = ['-m', 'wakeward.runtime.shim']",
        "runtime/shim.py": "",
        "tests/support/help.py": "",
        "tests/support/dead.py": "",
        "tests/runtime/test_dead.py": "from support.help import x\nfrom wakeward.runtime import dead",
    }
    sources = [Source(PurePosixPath(path), text) for path, text in texts.items()]
    assert [line.split(":")[0] for line in dead_modules(sources)] == ["runtime/dead.py", "tests/support/dead.py"]


def test_a_package_that_is_not_listed_is_seen() -> None:
    settings = '[tool.setuptools]\npackages = ["wakeward", "wakeward.gone"]'
    texts = {"pyproject.toml": settings, "__init__.py": "", "actors/new/a.py": "", "tests/a.py": ""}
    sources = [Source(PurePosixPath(path), text) for path, text in texts.items()]
    assert list(unlisted_packages(sources)) == [
        "pyproject.toml: packages lacks wakeward.actors.new",
        "pyproject.toml: packages lists wakeward.gone, which is not there",
    ]
