"""What the rules of the house look at: the sources of the project, as text, as tokens and as syntax trees.

A rule is a function that takes one source, or all of them, and yields offences. Comments are read with ``tokenize`` and
code with ``ast``, so that code in a string does not offend. The test files beside this one hold the rules. Each rule is
tried on samples that break it, so that a rule that has stopped seeing is noticed; then it is held against the tree.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest
from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "actors", "benchmarks", "docs", "examples", "protocols", "runtime", "tests")
FLOORS = ("protocols", "actors", "runtime")

KEPT_FOR_VECTORS = "protocols/openclaw/"
FACES = (".", ".runtime.kernel", ".protocols.journal.port", ".protocols.journal.codec", ".protocols.journal.apply")
"""Modules whose ``__all__`` is for users: what it names is used, and so is whatever they reach from there. The three of
the journal are for whoever writes a journal of their own."""
"""Rules that are recorded and not ours. The vectors try them, and the gateway will need them."""


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
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    @property
    def in_package(self) -> bool:
        return self.is_python and (self.floor == "" or self.floor in FLOORS)

    @property
    def module(self) -> str:
        """Its name as :attr:`imports` spells it: ``.protocols.backoff``; a package goes by the name of its folder."""
        parts = self.path.with_suffix("").parts
        return "".join(f".{part}" for part in (parts[:-1] if parts[-1] == "__init__" else parts))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Each imported name in full. A name out of the checkout starts with a dot: ``.protocols.backoff.Backoff``."""
        return [(line, name) for line, name, _ in self._bindings]

    @cached_property
    def import_names(self) -> dict[str, str]:
        """What each name stands for that an import binds."""
        return {bound: name for _, name, bound in self._bindings}

    @cached_property
    def _bindings(self) -> list[tuple[int, str, str]]:
        found: list[tuple[int, str, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name, alias.asname or alias.name.split(".")[0]) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parents = self.path.parts[: len(self.path.parts) - node.level] if node.level else ()
                start = ["", *parents] if node.level else []
                start += [node.module] if node.module else []
                found += [
                    (node.lineno, ".".join([*start, alias.name]), alias.asname or alias.name) for alias in node.names
                ]
        return found


Rule = Callable[[Source], Iterator[Offence]]
TreeRule = Callable[[Sequence[Source]], Iterator[str]]


@cache
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


def sample(path: str, text: str) -> Source:
    """A source that a test makes up."""
    return Source(PurePosixPath(path), text)


def samples(texts: dict[str, str]) -> list[Source]:
    """A whole tree that a test makes up."""
    return [sample(path, text) for path, text in texts.items()]


def offences(rule: Rule, sources: Iterable[Source]) -> list[str]:
    """What breaks a rule over one source, a line each."""
    return [f"{source.path}:{line}: {what}" for source in sources for line, what in rule(source)]


def hold(found: Iterable[str]) -> None:
    """Fail with one line per offence."""
    if lines := list(found):
        pytest.fail("\n".join(["the rules of the house are broken:", *lines]), pytrace=False)
