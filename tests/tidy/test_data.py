"""Messages, effects and state are data: nothing in them is callable, awaitable or tied to this process.

The rule begins at the modules where messages, records and states are defined, and follows the annotations of their
fields to every class that they can hold. What is stored, sent to another host or run in a simulator is all of that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import pytest
from tidy.definitions import Function, canonical, full_names, import_aliases, is_protocol
from tidy.source import Source, hold, read_tree, samples

DATA_MODULES = ("messages.py", "records.py", "record.py", "state.py", "ports.py")
"""Below ``protocols`` and ``actors``. Protocols, and a class called ``...Ports``, are how an actor acts; all else in
these modules is what it says or what it keeps.
"""
EFFECTS = "HostEffects"
"""What its methods take is what effects carry."""
RUNS = {"Awaitable", "Callable", "Coroutine", "AsyncGenerator", "AsyncIterator", "Generator", "Iterator"}
BOUND = ("trio.", "asyncio.", "threading.", "socket.", "subprocess.", "contextvars.")
UNKNOWN = {"typing.Any", "object"}

Field = tuple[ast.stmt, str, ast.expr]
Place = tuple[Source, ast.stmt]


def living_data(sources: Sequence[Source]) -> Iterator[str]:
    """No callable, awaitable or process-bound object in a message, an effect or a state."""
    package = [source for source in sources if source.in_package]
    aliases = import_aliases(package)
    tops = {
        f"{source.module}.{name}": (source, node) for source in package for name, node in _definitions(source.tree.body)
    }
    waiting, seen = list(_roots(package)), set[int]()
    while waiting:
        source, node = waiting.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        for statement, name, annotation in _fields(node):
            for part in ast.walk(annotation):
                for full in full_names(part, source):
                    full = canonical(full, aliases)  # noqa: PLW2901 - the name where it is defined
                    if full in tops and not _is_port(tops[full][1]):
                        waiting.append(tops[full])
                    elif why := _why_not(full, tops):
                        yield f"{source.path}:{statement.lineno}: {name} {why}"


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, node
            case _:
                pass


def _roots(package: Sequence[Source]) -> Iterator[Place]:
    for source in package:
        is_data = source.floor in {"protocols", "actors"} and source.path.name in DATA_MODULES
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not _is_port(node):
                if is_data:
                    yield source, node
                elif node.name == EFFECTS:
                    yield from ((source, method) for method in node.body if isinstance(method, Function))


def _is_port(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and (is_protocol(node) or node.name.endswith("Ports"))


def _fields(node: ast.stmt) -> Iterator[Field]:
    """What an object holds: the fields of its class, what ``__init__`` takes, what methods annotate on ``self``."""
    if isinstance(node, Function):
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            if argument.annotation is not None:
                yield node, f"{node.name}({argument.arg})", argument.annotation
    elif isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.AnnAssign) and "ClassVar" not in ast.unparse(member.annotation):
                yield member, f"{node.name}.{ast.unparse(member.target)}", member.annotation
            elif isinstance(member, Function):
                if member.name == "__init__":
                    yield from _fields(member)
                yield from _fields_of_self(member, node.name)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        yield node, ast.unparse(node).partition(" ")[0].rstrip(":"), node.value


def _fields_of_self(method: Function, owner: str) -> Iterator[Field]:
    for node in ast.walk(method):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target).startswith("self."):
            yield node, f"{owner}.{ast.unparse(node.target)[5:]}", node.annotation


def _why_not(full: str, tops: dict[str, Place]) -> str | None:
    if full.rpartition(".")[2] in RUNS and full.startswith(("typing.", "collections.abc.")):
        return f"can be called or awaited: {full}"
    if full.startswith(BOUND):
        return f"is tied to this process: {full}"
    if full in UNKNOWN or (full.rpartition(".")[2] == "object" and full not in tops):
        return "may be anything, and nobody can store that"
    if full in tops:
        return f"is a port and not data: {full[1:]}"
    return None


@pytest.mark.parametrize("path", [PurePosixPath("protocols/wakes/messages.py"), PurePosixPath("actors/agent/state.py")])
def test_the_rule_begins_somewhere(path: PurePosixPath) -> None:
    assert path in {source.path for source, _ in _roots([source for source in read_tree() if source.in_package])}


def test_the_tree_keeps() -> None:
    hold(living_data(read_tree()))


IMPORTS = """from collections.abc import Callable, Awaitable
from typing import Any
import trio
from ..ledger import Ledger
"""
LEDGER = "class Ledger(Protocol):\n    def record(self, x): ...\nclass Value:\n    on_change: Callable[[], None]\n"


@pytest.mark.parametrize(
    "text",
    [
        "class Wake:\n    settle: Callable[[Any], None] | None = None",
        "class Wake:\n    answer: Awaitable[int]",
        "class Wake:\n    done: trio.Event",
        "class Wake:\n    body: Any",
        "class Wake:\n    body: dict[str, object]",
        "class Wake:\n    ledger: Ledger",
        "class Wake:\n    def __init__(self, x: Callable[[], None]): self.x = x",
        "class Wake:\n    def __init__(self):\n        self.x: 'Callable[[], None]' = f",
        "class Inner:\n    f: Callable[[], None]\nclass AgentPorts:\n    inner: Inner",
        "Hook = Callable[[], None]\nclass Wake:\n    hook: Hook",
    ],
)
def test_what_is_no_data_is_seen(text: str) -> None:
    texts = {"protocols/a/messages.py": IMPORTS + text, "protocols/ledger.py": LEDGER}
    assert len(list(living_data(samples(texts)))) == (2 if "Any], None" in text else 1)


def test_it_follows_the_fields() -> None:
    texts = {
        "actors/a/state.py": "from ...protocols.values import Value\nclass State:\n    values: list[Value]",
        "protocols/values.py": "from .more import More\nclass Value:\n    more: More | None",
        "protocols/more.py": IMPORTS + "class More:\n    hook: Callable[[], None]\nclass Other:\n    x: Any",
        "protocols/effects.py": IMPORTS + "class HostEffects:\n    _c: Any\n    def start(self, what: Any) -> Any: ...",
    }
    found = [line.split(" ")[:2] for line in living_data(samples(texts))]
    assert found == [["protocols/effects.py:7:", "start(what)"], ["protocols/more.py:6:", "More.hook"]]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("protocols/a/messages.py", "class Wake:\n    a: int | None\n    b: tuple[str, ...]\n    c: 'list[Wake]'"),
        ("protocols/a/messages.py", "class Wake:\n    a: int\n    def run(self, f: Callable[[], None]) -> Any: ..."),
        ("protocols/a/messages.py", "class Wake:\n    TABLE: ClassVar[dict[int, Callable[[], None]]]"),
        ("actors/a/ports.py", "class AgentPorts:\n    draw: Callable[[], float]\nclass Turns(Protocol):\n    x: Any"),
        ("runtime/a/state.py", "class State:\n    done: trio.Event"),
        ("actors/agent/agent.py", "class Agent:\n    ledger: Ledger"),
    ],
)
def test_data_passes(path: str, text: str) -> None:
    assert list(living_data(samples({path: IMPORTS + text, "protocols/ledger.py": LEDGER}))) == []
