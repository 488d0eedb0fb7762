"""A page for the person in front of a host that does not go on."""

from __future__ import annotations

from typing import Final

from .cell import Cell, Handling
from .kernel import Kernel
from .mailbox import waiting_count
from .statistics import system_statistics

# A host that hangs may have thousands of each; a page must stay a page.
DUMP_LINES_MAX: Final = 20
"""At most so many actors of each sort in a dump."""


def dump(kernel: Kernel[Cell]) -> str:
    """Who is doing what, for people: what is being handled, the longest mailboxes, backoffs, unanswered requests."""
    now_ms = kernel.clock.now_ms()
    stats = system_statistics(kernel)
    actors = ", ".join(f"{count} {state}" for state, count in sorted(stats.actors.items())) or "none"
    lines = [
        f"{kernel.name}: {kernel.phase}, at {now_ms} ms",
        f"  actors: {actors}",
        f"  running now: {kernel.current.label()}; ready: {stats.ready}; timers: {stats.timers}",
        f"  handled {stats.handled}, crashes {stats.crashes}, dead letters {sum(stats.dead_letters.values())}",
    ]
    handlings = [cell.life.handling for cell in kernel.handlings if cell.life and cell.life.handling]
    lines += _section("asynchronous messages, oldest first", [_handling_line(each, now_ms) for each in handlings])
    busiest = sorted((c for c in kernel.cells.values() if c.queue), key=lambda c: -waiting_count(c.queue))
    lines += _section("mailboxes, longest first", [f"{c.address}: {waiting_count(c.queue)} waiting" for c in busiest])
    lines += _section(
        "backing off",
        [f"{cell.address}: {_until(cell)}" for cell in kernel.backoffs],
    )
    lines += _section(
        "requests without a reply, oldest first",
        [f"{ask.label()} asks {ask.callee_address}, due at {ask.due_ms} ms" for ask in kernel.requests],
    )
    return "\n".join(lines)


def _handling_line(handling: Handling, now_ms: int) -> str:
    asked = ", ".join(request.callee_address for request in handling.requests)
    waits = f", waits for {asked}" if asked else ""
    return f"{handling.cell.address}: {type(handling.message).__name__} for {now_ms - handling.started_ms} ms{waits}"


def _until(cell: Cell) -> str:
    alarm = cell.need_extras().restart_alarm
    return "until its commits are answered" if alarm is None else f"until {alarm.at_ms} ms"


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"    ... and {len(lines) - DUMP_LINES_MAX} more"] if len(lines) > DUMP_LINES_MAX else []
    return [f"  {title}:", *(f"    {line}" for line in lines[:DUMP_LINES_MAX]), *more]
