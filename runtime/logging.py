"""Where the log goes when a program of ours runs. A library adds no sinks, so only the command line uses this."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

_FORMAT = "<dim>{time:HH:mm:ss.SSS}</dim> <level>{level: <7}</level> {message}"


@contextmanager
def logging_to(stream: TextIO, level: str = "INFO", *, without: Collection[str] = ()) -> Generator[None]:
    """While the block runs, write the log to a stream, in colour if it is a terminal. loguru's own sink is taken away.

    Args:
        stream: Usually standard error.
        level: Nothing below it.
        without: Modules whose lines are left out, because somebody else says it already.
    """

    def wanted(record: Record) -> bool:
        return record["name"] not in without

    with suppress(ValueError):  # it has been taken away before
        logger.remove(0)
    sink = logger.add(stream, level=level, format=_FORMAT, filter=wanted, backtrace=False, diagnose=False)
    logger.enable("wakeward")
    try:
        yield
    finally:
        logger.disable("wakeward")
        logger.remove(sink)
