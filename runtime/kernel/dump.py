"""A page for the person in front of a stuck host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .mailbox import waiting_count
from .statistics import system_statistics

if TYPE_CHECKING:
    from .kernel import Kernel


DUMP_LINES_MAX: Final = 20
"""At most so many actors of each sort in a dump."""


def dump(kernel: Kernel) -> str:
    """Who is doing what, for people: turns by age, the longest mailboxes, backoffs, unanswered requests."""
    now_ms = kernel.clock.now_ms()
    stats = system_statistics(kernel)
    actors = ", ".join(f"{count} {state}" for state, count in sorted(stats.actors.items())) or "none"
    lines = [
        f"{kernel.name}: {kernel.phase}, at {now_ms} ms",
        f"  actors: {actors}",
        f"  running now: {kernel.current.label()}; ready: {stats.ready}; timers: {stats.timers}",
        f"  handled {stats.handled}, crashes {stats.crashes}, dead letters {sum(stats.dead_letters.values())}",
    ]
    lines += _section(
        "turns, oldest first",
        [
            f"{turn.cell.address}: {type(turn.message).__name__} for {now_ms - turn.started_ms} ms"
            + (f", waits for {', '.join(ask.callee.address for ask in turn.asks)}" if turn.asks else "")
            for turn in kernel.turns.values()
        ],
    )
    busiest = sorted((c for c in kernel.cells.values() if c.queue), key=lambda c: -waiting_count(c.queue))
    lines += _section("mailboxes, longest first", [f"{c.address}: {waiting_count(c.queue)} waiting" for c in busiest])
    lines += _section(
        "backing off",
        [f"{c.address}: until {c.book.comeback.at_ms} ms" for c in kernel.backoffs if c.book and c.book.comeback],
    )
    lines += _section(
        "requests without a reply, oldest first",
        [f"{ask.label()} asks {ask.callee.address}, due at {ask.due_ms} ms" for ask in kernel.asks.outstanding],
    )
    return "\n".join(lines)


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"    ... and {len(lines) - DUMP_LINES_MAX} more"] if len(lines) > DUMP_LINES_MAX else []
    return [f"  {title}:", *(f"    {line}" for line in lines[:DUMP_LINES_MAX]), *more]
