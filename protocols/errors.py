"""The errors Wakeward raises, by who is at fault.

Expected outcomes (a refused message, a skipped turn) are values, never exceptions.
"""

from __future__ import annotations


class WakewardError(Exception):
    """Root of every exception that Wakeward raises on purpose."""


# Also a ValueError, so that code which expects Python's own error for a bad value works unchanged.
class InvalidInputError(WakewardError, ValueError):
    """The caller handed over a value that cannot be used. The message says what, where, and what is accepted."""


class ConfigError(InvalidInputError):
    """A configuration is wrong. ``problems`` lists every mistake found, one line each."""

    def __init__(self, origin: str, problems: list[str]) -> None:
        """Collect all mistakes of one configuration.

        Args:
            origin: The file, or another name of the place where the configuration came from.
            problems: One line per mistake: key, offending value, what is accepted.
        """
        self.origin = origin
        self.problems = problems
        count = f"{len(problems)} mistakes" if len(problems) > 1 else "a mistake"
        # All of them at once: somebody who mends a file should not have to run the program once for each mistake.
        super().__init__("\n".join([f"{origin}: {count} in the configuration", *(f"  {p}" for p in problems)]))


class HostClosedError(WakewardError):
    """The host is draining or closed, and takes no more work."""
