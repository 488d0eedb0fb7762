"""Rules over the names of the package: each is used, and each means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest
from tidy.definitions import unused
from tidy.source import KEPT_FOR_VECTORS, Source, TreeRule, hold, read_tree, samples


def idle_definitions(sources: Sequence[Source]) -> Iterator[str]:
    """Nothing is defined that only tests use."""
    for definition in unused(sources):
        if not str(definition.source.path).startswith(KEPT_FOR_VECTORS):
            yield f"{definition} is used by nobody, or by tests alone"


def names_for_two_classes(sources: Sequence[Source]) -> Iterator[str]:
    """No two public classes share a name: whoever reads it knows which is meant."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in source.tree.body if source.in_package else ():
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{source.path}:{node.lineno}")
    for name, where in sorted(places.items()):
        if len(where) > 1:
            yield f"{', '.join(where)}: {len(where)} classes are called {name}"


@pytest.mark.parametrize("rule", [idle_definitions, names_for_two_classes])
def test_the_tree_keeps(rule: TreeRule) -> None:
    hold(rule(read_tree()))


def idle(texts: dict[str, str]) -> set[str]:
    """The names that the rule reports."""
    return {line.split()[1] for line in idle_definitions(samples(texts))}


USER = "from .a import used\nused()"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def used(): ...\ndef f(): ...", {"f"}),
        ("def used(): ...\ndef f(): f()", {"f"}),
        ("def used(): ...\ndef f(): g()\ndef g(): ...", {"f", "g"}),
        ("def used(): ...\nLIMIT: int = 3\nOTHER = 4", {"LIMIT", "OTHER"}),
        ("def used(): ...\nclass A: ...", {"A"}),
        ("class used:\n    def close(self): ...\n    def _own(self): ...", {"used.close"}),
        ("class used:\n    @property\n    def size(self): return self.size", {"used.size"}),
        ("from .c import g as used\ndef g(): ...", {"g"}),
        ("def used(): ...\nfrom dataclasses import dataclass\n@final\n@frozen(eq=False)\nclass A: ...", {"A"}),
    ],
)
def test_what_only_tests_use_is_seen(text: str, names: set[str]) -> None:
    texts = {
        "runtime/a.py": text,
        "runtime/b.py": USER + "\nfrom .c import g as other\nother()",
        "runtime/c.py": "def g(): ...",
        "tests/test_a.py": "from wakeward.runtime.a import f, g, A\nf(), g(), A().close(), A().size",
        "benchmarks/a.py": "from wakeward.runtime.a import f\nf()",
    }
    assert idle(texts) == names


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("def used(): f()\ndef f(): ...", USER),
        ("def used(): ...\ndef f(): ...", USER + "\nfrom . import a\na.f()"),
        ("def used(): ...\ndef f(): ...", USER + "\nfrom .a import f as g\nh(key=g)"),
        ("def used() -> 'A | None': ...\nclass A: ...", USER),
        ("def used(): ...\nLIMIT = 3", USER + "\nfrom .a import LIMIT\nx = LIMIT\nx"),
        ("class used:\n    def close(self): ...", USER + "\nused().close()"),
        ("class used:\n    def close(self): ...", USER + "\ngetattr(used, 'close')"),
        ("class used:\n    def step(self): ...", USER + "\nclass P(Protocol):\n    def step(self): ...\nP"),
        ("def used(): ...\n@command.add\ndef f(): ...", USER),
        ("def used(): ...\nx: int\n__all__ = ['used']\nused(x)", USER),
    ],
)
def test_what_is_used_passes(text: str, user: str) -> None:
    texts = {"runtime/a.py": text, "runtime/b.py": user + "\nx"}
    assert {name for name in idle(texts) if name != "x"} == set()


def test_what_users_reach_passes() -> None:
    texts = {
        "__init__.py": "from .runtime.kernel import System\nfrom .runtime.host import Host\n__all__ = ['Host']",
        "runtime/host.py": "from .report import Report\nclass Host:\n    report: Report\n    def close(self): ...",
        "runtime/report.py": "class Report:\n    def show(self): ...\nclass Other:\n    def show_other(self): ...",
        "runtime/kernel/__init__.py": "from .system import System\n__all__ = ['System']",
        "runtime/kernel/system.py": "class System:\n    def end(self) -> 'E': ...\nclass E:\n    def why(self): ...",
        "protocols/openclaw/rule.py": "def recorded(): ...",
    }
    assert idle(texts) == {"Other", "Other.show_other"}


def test_two_classes_of_one_name_are_seen() -> None:
    texts = {
        "actors/a.py": "class Drain: ...\nclass _Own: ...\ndef Turn(): ...",
        "runtime/b.py": "class Turn: ...\nclass Drain: ...\nclass _Own: ...",
        "tests/c.py": "class Turn: ...",
    }
    assert list(names_for_two_classes(samples(texts))) == ["actors/a.py:1, runtime/b.py:2: 2 classes are called Drain"]
