"""``wakeward demo``: watch a real host with real children."""

from __future__ import annotations

import json
import sys
from typing import Final

import click
import trio
from rich.console import Console
from rich.live import Live

from ....protocols.wakes.decision import Decision
from ...clock import Clock
from ...host.host import Host
from ...host.open import open_host
from ..print_queue import PrintQueue
from .report import DemoReport
from .scenario import Observations, Scenario, demo_config
from .show import DemoShow

_REFRESH_INTERVAL: Final = 0.1
_TIME_MAX: Final = 60
"""Seconds; it takes about 15. If it takes longer than this, something is broken."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the numbers, and nothing else.")
def demo(*, as_json: bool) -> int:
    """Watch how three agents are woken: by their children, a cron run, people and alerts.

    It takes about 15 seconds. The exit status is 1 if the numbers at its end do not add up.
    """
    try:
        report = trio.run(play_demo, None if as_json else Console(highlight=False))
    except trio.TooSlowError:
        raise click.ClickException(f"the demo did not come to its end within {_TIME_MAX} s") from None
    broken = report.broken()
    if as_json:
        print(json.dumps(report.as_json()))
        for sentence in broken:
            print(f"wakeward demo: {sentence}", file=sys.stderr)
    return 1 if broken else 0


async def play_demo(console: Console | None, pace: float = 1.0) -> DemoReport:
    """Play the demo.

    Args:
        console: Where it is shown; ``None``: it is not shown.
        pace: A factor for all times.

    Raises:
        trio.TooSlowError: It did not end in time.

    Cancellation: its children are ended.
    """
    # A demo that hangs ends with an error: tests and scripts wait for its exit status.
    with trio.fail_after(_TIME_MAX):
        # A clock that starts at 0, so that lines show the seconds since the start.
        async with open_host(demo_config(pace), clock=Clock.start()) as host:
            observed = Observations()
            if console is not None:
                return await _show(host, observed, console, pace)
            await Scenario(host, observed, lambda _: None, pace).play()
            return DemoReport(host.statistics(), observed)


async def _show(host: Host, observed: Observations, console: Console, pace: float) -> DemoReport:
    show = DemoShow(
        console,
        host.system.clock.now_ms,
        running=lambda name: sum(job.exit is None for job in host.jobs(name)),
        waiting=lambda name: host.statistics().agents[name].events_retained if name in host.agents else 0,
        events_of=observed.events_of.get,
    )
    show.opening()
    items = PrintQueue[Decision | str]()
    with host.ledger.watch(items.put), show.live() as live:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_refresh, live)
            # Lines and announcements go through one queue, so they come in the order in which they happened.
            nursery.start_soon(_print, items, show, nursery.cancel_scope)
            await Scenario(host, observed, items.put, pace).play()
            items.end()
    report = DemoReport(host.statistics(), observed)
    show.closing(report)
    return report


async def _print(items: PrintQueue[Decision | str], show: DemoShow, finished: trio.CancelScope) -> None:
    async for item in items.items:
        if isinstance(item, str):
            show.caption(item)
        else:
            show.decision(item)
    finished.cancel(reason="the demo is over")  # the refresh task does not end by itself


async def _refresh(live: Live) -> None:
    # Without a terminal there is no board to refresh, and this task ends at once.
    while live.console.is_terminal:
        live.refresh()
        await trio.sleep(_REFRESH_INTERVAL)
