"""Which definitions there are in the package, and which of them are used.

Names are resolved as far as imports go: ``from .watch import announce as tell_all`` uses ``announce`` of that module
and of no other. What hangs on an object is matched by its name alone, because the type of the object is not known:
``x.close()`` uses every method called ``close``. So the rule misses a few, and accuses none wrongly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen
from tidy.source import FACES, Source

PLAIN_DECORATORS = {
    "abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager", "define",
    "enable_ki_protection", "final", "frozen", "lru_cache", "overload", "override", "property", "staticmethod",
}  # fmt: skip
"""Any other decorator may hand the function to somebody: a command of the command line, a hook."""
QUOTED_CODE = re.compile(r"[A-Za-z_][\w.\[\], |]*")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@frozen(eq=False)
class Definition:
    """A name that a module or a class binds for others.

    Attributes:
        name: In full: ``.protocols.backoff.Backoff``, and ``.protocols.backoff.Backoff.delay_ms`` for a method.
        node: The statement.
        is_method: It hangs on an object.
    """

    name: str
    source: Source
    node: ast.stmt
    is_method: bool

    @property
    def last_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def owner(self) -> str:
        """The definition at the top of the module: itself, or the class of a method."""
        return self.name.rpartition(".")[0] if self.is_method else self.name

    def __str__(self) -> str:
        return f"{self.source.path}:{self.node.lineno}: {self.name.removeprefix(self.source.module)[1:]}"


@define(eq=False)
class Uses:
    """Names in full, and names of what hangs on an object, each with where it is used."""

    names: dict[str, list[ast.AST]] = field(factory=dict[str, list[ast.AST]])
    attributes: dict[str, list[ast.AST]] = field(factory=dict[str, list[ast.AST]])


def definitions(source: Source) -> Iterator[Definition]:
    """What a module defines at its top, and the public methods of its classes."""
    for node in source.tree.body:
        for name in _names_bound(node):
            yield Definition(f"{source.module}.{name}", source, node, is_method=False)
        if isinstance(node, ast.ClassDef) and not is_protocol(node):
            for member in node.body:
                if isinstance(member, Function) and not member.name.startswith("_"):
                    yield Definition(f"{source.module}.{node.name}.{member.name}", source, member, is_method=True)


def is_protocol(node: ast.ClassDef) -> bool:
    return any(re.fullmatch(r"(typing\.)?Protocol(\[.*\])?", ast.unparse(base)) for base in node.bases)


def _names_bound(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            names = (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
            yield from (name for name in names if not (name.startswith("__") and name.endswith("__")))
        case _:
            pass


def is_handed_over(node: ast.stmt) -> bool:
    """A decorator takes the function, and may keep it."""
    if not isinstance(node, Function | ast.ClassDef):
        return False
    names = [re.split(r"[.(]", ast.unparse(decorator)) for decorator in node.decorator_list]
    return any(not PLAIN_DECORATORS & set(parts) for parts in names)


def uses(sources: Sequence[Source]) -> Uses:
    """Everything that these sources use."""
    aliases = import_aliases(sources)
    found = Uses()
    for source in sources:
        for node in source.nodes:
            for name in full_names(node, source):
                found.names.setdefault(canonical(name, aliases), []).append(node)
            if isinstance(node, ast.Attribute):
                found.attributes.setdefault(node.attr, []).append(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.attributes.setdefault(node.value, []).append(node)
    return found


def import_aliases(sources: Iterable[Source]) -> dict[str, str]:
    """What each name stands for that a module has imported, in full: a package hands names on that way."""
    return {f"{source.module}.{name}": full for source in sources for name, full in source.import_names.items()}


def full_names(node: ast.AST, source: Source) -> Iterator[str]:
    """The names that a node uses, as far as the module's imports and its own definitions tell."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            yield source.import_names.get(name, f"{source.module}.{name}")
        case ast.Attribute():
            first, *others = ast.unparse(node).split(".")
            if first in source.import_names:
                yield ".".join([source.import_names[first], *others])
        case ast.Constant(value=str(text)) if QUOTED_CODE.fullmatch(text):
            for name in re.findall(r"[A-Za-z_]\w*", text):
                yield source.import_names.get(name, f"{source.module}.{name}")
        case _:
            pass


def canonical(name: str, aliases: dict[str, str]) -> str:
    """The name where it is defined, through the packages that hand it on."""
    while name in aliases and aliases[name] != name:
        name = aliases[name]
    return name


def reached_from_faces(sources: Sequence[Source]) -> set[str]:
    """What users reach: the names in the faces' ``__all__``, and the classes named by what those offer in public."""
    aliases = import_aliases(sources)
    tops = {found.name: found for source in sources for found in definitions(source) if not found.is_method}
    waiting = [canonical(name, aliases) for source in sources for name in _exported(source)]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in reached and name in tops:
            reached.add(name)
            named = (full for node in _offered(tops[name].node) for full in full_names(node, tops[name].source))
            waiting += [canonical(full, aliases) for full in named]
    return reached


def _exported(source: Source) -> Iterator[str]:
    if (source.module or ".") in FACES:
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                yield from (f"{source.module}.{name}" for name in ast.literal_eval(node.value))


def _offered(node: ast.stmt) -> Iterator[ast.AST]:
    """The annotations and bases by which a definition names others."""
    if isinstance(node, Function):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for part in [node.returns, *(argument.annotation for argument in arguments)]:
            yield from ast.walk(part) if part is not None else ()
    elif isinstance(node, ast.ClassDef):
        for base in node.bases:
            yield from ast.walk(base)
        for member in node.body:
            if isinstance(member, ast.AnnAssign) and not ast.unparse(member.target).startswith("_"):
                yield from ast.walk(member.annotation)
            elif isinstance(member, Function) and not member.name.startswith("_"):
                yield from _offered(member)
    else:
        yield from ast.walk(node)


def unused(sources: Iterable[Source]) -> Iterator[Definition]:
    """Definitions of the package that neither the package nor its users use. What only unused ones use is unused too.

    Protocols and what bears the name of a protocol's member are left out: a port may promise what nobody asks for yet.
    """
    package = [source for source in sources if source.in_package]
    used, reached, ports = uses(package), reached_from_faces(package), set(_port_members(package))
    candidates = [
        definition
        for source in package
        for definition in definitions(source)
        if not is_handed_over(definition.node)
        and (definition.owner not in reached)
        and not (definition.is_method and definition.last_name in ports)
    ]
    within_unused: set[int] = set()
    found: list[Definition] = []
    while fresh := [d for d in candidates if d not in found and not _is_used(d, used, within_unused)]:
        found += fresh
        within_unused |= {id(node) for definition in fresh for node in ast.walk(definition.node)}
    yield from sorted(found, key=str)


def _is_used(definition: Definition, used: Uses, within_unused: set[int]) -> bool:
    places = used.attributes if definition.is_method else used.names
    own = {id(node) for node in ast.walk(definition.node)}
    named = places.get(definition.last_name if definition.is_method else definition.name, [])
    return any(id(place) not in own and id(place) not in within_unused for place in named)


def _port_members(package: Iterable[Source]) -> Iterator[str]:
    for source in package:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and is_protocol(node):
                yield from (member.name for member in node.body if isinstance(member, Function))
