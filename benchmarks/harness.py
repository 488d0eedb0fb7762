"""How things are measured here: against peers, in one run, turn by turn, and by medians.

A case is a function that measures once and returns a number. Its peers do the same work the other way. Case and peers
take turns for some rounds, so that a machine that becomes slower in the middle is slower for all of them, and what is
compared is the median. Ratios travel between machines, absolute numbers do not.

A module ``benchmarks/<name>.py`` makes a :class:`Benchmark` called ``BENCHMARK`` and hangs its cases on it.
"""

from __future__ import annotations

import gc
import importlib
import pkgutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

ROUNDS: Final = 5
HELPERS: Final = {"__main__", "harness", "peers"}

Measure = Callable[[], float]


class SkippedPeer(Exception):  # noqa: N818  not an error: a peer that is not installed
    """A peer cannot be measured here; the message says why."""


@frozen
class Case:
    """One thing that is measured.

    Attributes:
        unit: Of the number: ``1/s`` means more is better, anything else means less is better.
        peers: Who else does this, by name.
        target: What is asked for, for people to read beside the ratios.
        rounds: How often each is measured.
    """

    name: str
    unit: str
    measure: Measure
    peers: dict[str, Measure]
    target: str
    rounds: int


@frozen
class Row:
    """One result: a case against one peer, or alone."""

    benchmark: str
    case: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None


@define
class Benchmark:
    """The cases of one module."""

    name: str
    cases: list[Case] = field(factory=list[Case])

    def case(
        self,
        name: str,
        *,
        unit: str,
        peers: dict[str, Measure] | None = None,
        target: str = "",
        rounds: int = ROUNDS,
    ) -> Callable[[Measure], Measure]:
        """Register a function that measures once."""

        def register(measure: Measure) -> Measure:
            self.cases.append(Case(name, unit, measure, peers or {}, target, rounds))
            return measure

        return register


def require(module: str) -> None:
    """Skip the peer unless its package is installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise SkippedPeer(f"{module} is not installed: {error}") from error


def find_benchmarks() -> dict[str, Benchmark]:
    """Every module beside this one that has a ``BENCHMARK``."""
    names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name not in HELPERS)
    modules = {name: importlib.import_module(f"{__package__}.{name}") for name in names}
    return {name: module.BENCHMARK for name, module in modules.items()}


def run_case(benchmark: Benchmark, case: Case, on_skip: Callable[[str, str], None]) -> Iterator[Row]:
    """Measure a case and its peers in turns.

    Args:
        benchmark: Whose case it is.
        case: What to measure.
        on_skip: Told the peer and the reason.
    """
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in case.peers}
    for _ in range(case.rounds):
        ours.append(_quietly(case.measure))
        for name in list(theirs):
            try:
                theirs[name].append(_quietly(case.peers[name]))
            except SkippedPeer as skipped:
                on_skip(name, str(skipped))
                del theirs[name]
    value = statistics.median(ours)
    if not theirs:
        yield Row(benchmark.name, case.name, value, case.unit)
    for name, values in theirs.items():
        peer_value = statistics.median(values)
        yield Row(benchmark.name, case.name, value, case.unit, name, peer_value, value / peer_value)


def _quietly(measure: Measure) -> float:
    gc.collect()
    return measure()
