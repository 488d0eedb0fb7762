"""The log of our own programs. A library adds no sinks, so only the command line uses this module."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:  # the type exists only in loguru's stub
    from loguru import Record

_FORMAT = "<dim>{time:HH:mm:ss.SSS}</dim> <level>{level: <7}</level> {message}"


@contextmanager
def logging_to(stream: TextIO, level: str = "INFO", *, without: Collection[str] = ()) -> Generator[None]:
    """Write the log to a stream while the block runs, in colour if it is a terminal. loguru's own sink is removed.

    Args:
        stream: Usually standard error.
        level: Messages below this level are left out.
        without: Modules whose messages are left out.
    """

    def wanted(record: Record) -> bool:
        return record["name"] not in without

    with suppress(ValueError):  # an earlier block has removed it
        logger.remove(0)
    # No diagnose: it would print the values of variables, and they may be secrets.
    sink = logger.add(stream, level=level, format=_FORMAT, filter=wanted, backtrace=False, diagnose=False)
    # The package disables itself when it is imported, as a library has to.
    logger.enable("wakeward")
    try:
        yield
    finally:
        logger.disable("wakeward")
        logger.remove(sink)
