"""Rules over the code of one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import pytest
from tidy.source import FLOORS, Offence, Rule, Source, hold, offences, read_tree, sample

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 350

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


RULES: tuple[Rule, ...] = (
    banned_calls,
    long_functions,
    long_modules,
    leftovers,
    unexplained_exemptions,
    unexplained_skips,
)
BAD: list[tuple[Rule, str, str]] = [
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
]
GOOD: list[tuple[Rule, str, str]] = [
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
]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps(rule: Rule) -> None:
    hold(offences(rule, (source for source in read_tree() if source.is_python)))


def comment_share(sources: Iterable[Source]) -> float:
    """The share of lines that hold nothing but a comment, in percent of those that hold anything."""
    lines = [line.strip() for source in sources for line in source.text.splitlines() if line.strip()]
    return 100 * sum(line.startswith("#") for line in lines) / len(lines)


def test_the_share_of_comment_lines_is_told() -> None:
    """A report and no rule, read with ``pytest -rP``: 4 to 8 % is about right, each a reason beside its line."""
    assert comment_share([sample("a.py", "# why\nx = 1  # how\n\ny = 2\nz = 3\n")]) == 25
    for floor in FLOORS:
        share = comment_share(source for source in read_tree() if source.is_python and source.floor == floor)
        print(f"{floor}: {share:.1f} % comment lines")  # noqa: T201 - a report, shown by -rP alone


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_sees_an_offence(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(sample(path, text)))) == 1


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_the_rest_pass(rule: Rule, path: str, text: str) -> None:
    assert list(rule(sample(path, text))) == []


def test_every_rule_is_tried_both_ways() -> None:
    assert {rule for rule, _, _ in BAD} == {rule for rule, _, _ in GOOD} == set(RULES)
