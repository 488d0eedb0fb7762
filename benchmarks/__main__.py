"""``python -m benchmarks [NAME ...] [--json]``: measure against peers, print ratios."""

from __future__ import annotations

import argparse
import json
import sys

from attrs import asdict
from loguru import logger

from .harness import Benchmark, Case, Row, find_benchmarks, run_case


def main(argv: list[str] | None = None) -> int:
    """Run the named benchmarks, or all. A NAME is a benchmark, or benchmark/case."""
    benchmarks = find_benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(benchmarks)}; default: all")
    parser.add_argument("--json", action="store_true", help="one object per line")
    arguments = parser.parse_args(argv)
    chosen = [
        (benchmark, case)
        for benchmark in benchmarks.values()
        for case in benchmark.cases
        if not arguments.names or {benchmark.name, f"{benchmark.name}/{case.name}"} & set(arguments.names)
    ]
    if not chosen:
        parser.error(f"no benchmark is called {arguments.names}; there are {', '.join(benchmarks)}")
    logger.disable("wakeward")
    for benchmark, case in chosen:
        _run(benchmark, case, as_json=arguments.json)
    return 0


def _run(benchmark: Benchmark, case: Case, *, as_json: bool) -> None:
    def on_skip(peer: str, reason: str) -> None:
        print(f"{benchmark.name}/{case.name}: {peer} skipped: {reason}", file=sys.stderr)

    for row in run_case(benchmark, case, on_skip):
        print(json.dumps(asdict(row)) if as_json else _for_people(row, case), flush=True)


def _for_people(row: Row, case: Case) -> str:
    value = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.3g}"
    line = f"{row.benchmark + '/' + row.case:44} {value:>14} {row.unit:8}"
    if row.peer is not None and row.peer_value is not None and row.ratio is not None:
        peer_value = f"{row.peer_value:,.0f}" if row.peer_value >= 100 else f"{row.peer_value:.3g}"
        line += f" {row.ratio:>8.2f} x {row.peer} ({peer_value})"
    return f"{line}  [{case.target}]" if case.target else line


if __name__ == "__main__":
    sys.exit(main())
