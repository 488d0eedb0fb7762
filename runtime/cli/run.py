"""``wakeward run FILE``: run the host of a configuration file until a signal ends it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio
from loguru import logger

from ...protocols.config import HostConfig
from ...protocols.values.duration import format_duration
from ...protocols.wakes.decision import Decision
from ..config.file import load_config
from ..host.host import Host
from ..host.ledger import MemoryLedger
from ..host.open import open_host
from ..host.statistics import DrainReport
from ..logging import logging_to
from .narration import Narrator, Tone, show_count
from .print_queue import PrintQueue

# SIGHUP too: a terminal that is closed ends its programs, and the children are to be ended in order.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEVELS: Final = {Tone.QUIET: "DEBUG", Tone.BAD: "WARNING"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print each decision as one JSON object on one line.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="The least important messages that are logged on standard error.",
)
def run(file: Path, *, as_json: bool, log_level: str) -> None:
    """Run the host that the TOML file FILE describes.

    SIGINT, SIGTERM or SIGHUP drains it: it takes no new work, and what runs may end within the configured grace. A
    second such signal ends it at once. SIGUSR1 prints what the actors are doing.
    """
    config = load_config(file)
    # The ledger logs decisions too, but here the narrator shows them, or standard output has them as JSON.
    with logging_to(sys.stderr, log_level.upper(), without=(MemoryLedger.__module__,)):
        trio.run(_run, config, str(file), as_json)


async def _run(config: HostConfig, origin: str, as_json: bool) -> None:
    # Opened before the host: a signal that comes while the host starts is handled once it has.
    with trio.open_signal_receiver(*_ENDING, signal.SIGUSR1) as signals:
        async with open_host(config) as host:
            logger.info("{}: {} ({})", origin, show_count(len(host.agents), "agent"), ", ".join(host.agents) or "none")
            decisions = PrintQueue[Decision]()
            # A printer of its own, because a watcher must not wait and standard output can block.
            with host.ledger.watch(decisions.put):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_print_json if as_json else _log, decisions)
                    await _serve(host, signals)
                    decisions.end()  # the printer ends after the last decision, and with it the nursery


async def _serve(host: Host, signals: AsyncIterator[int]) -> None:
    """Handle signals until the host has drained."""
    async with trio.open_nursery() as nursery:
        drains = False
        async for number in signals:
            if number == signal.SIGUSR1:
                # Not in the log: it is asked for, so it comes at every log level.
                print(host.system.dump(), file=sys.stderr, flush=True)
            elif drains:
                logger.warning("{} again: ending what still runs", signal.Signals(number).name)
                nursery.start_soon(host.drain, 0)  # shortens the grace of the drain that is under way
            else:
                drains = True
                grace = format_duration(host.config.drain_grace_ms)
                logger.info("{}: draining, for {} at most; again: at once", signal.Signals(number).name, grace)
                # In a task of its own: a second signal must be heard while the host drains.
                nursery.start_soon(_drain, host, nursery.cancel_scope)


async def _drain(host: Host, drained: trio.CancelScope) -> None:
    _say(await host.drain())
    # The loop over the signals never ends by itself.
    drained.cancel(reason="the host has drained")


def _say(report: DrainReport) -> None:
    logger.info("drained" if report.in_time else "drained, but not in time")
    for session_key in report.turns_interrupted:
        logger.warning("the turn of {} was interrupted; its events are kept", session_key)
    if report.children_ended:
        logger.warning("children ended while they ran: {}", report.children_ended)
    for session_key, count in report.events_retained.items():
        logger.warning("{} not yet presented to {}", show_count(count, "event"), session_key)


async def _log(decisions: PrintQueue[Decision]) -> None:
    narrator = Narrator(_clock_time)
    async for decision in decisions.items:
        line = narrator.line(decision)
        if line is not None:
            logger.log(_LEVELS.get(line.tone, "INFO"), "{:<10} {:<8} {}", line.who, line.what, line.why)


def _clock_time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


async def _print_json(decisions: PrintQueue[Decision]) -> None:
    async for decision in decisions.items:
        # Flushed per line: the reader may be a program that acts on each decision.
        print(json.dumps(decision_json(decision), ensure_ascii=False), flush=True)


def decision_json(decision: Decision) -> dict[str, Any]:
    """A decision as a JSON object: its attributes, and enums by their values."""
    shown = attrs.asdict(decision, recurse=False)
    return {key: getattr(value, "value", value) for key, value in shown.items()}
