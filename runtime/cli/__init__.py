"""The command line: ``wakeward``. Printing and exit statuses are in this package and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from ...protocols.errors import WakewardError
from .demo.command import demo as demo_command
from .exec import exec_command
from .run import run as run_command

# 2 is what click itself uses for wrong usage; 130 is 128 plus SIGINT, as in a shell.
EXIT_WRONG_INPUT: Final = 2
EXIT_INTERRUPTED: Final = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wakeward")
def wakeward() -> None:
    """One wake, one agent: run many agents in one host, and wake each of them only for its own events."""


for command in (demo_command, run_command, exec_command):
    wakeward.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments, without the program's name; by default those of the process.

    Returns:
        The exit status: 0 for success, 2 for wrong input (one message on standard error), 130 after an interrupt, else
        what the command returns.
    """
    try:
        # Not standalone: click would end the process itself, and tests could not call this function.
        status = wakeward.main(None if argv is None else list(argv), prog_name="wakeward", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_WRONG_INPUT
    except WakewardError as error:
        print(f"wakeward: {error}", file=sys.stderr)
        return EXIT_WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        return _status_of(group)
    # A command that returns nothing has succeeded.
    return status if isinstance(status, int) else 0


def _status_of(group: BaseExceptionGroup) -> int:
    """The exit status for an exception group that left a nursery.

    It may hold an interrupt, or a broken pipe, if the reader of our output has gone.

    Raises:
        BaseExceptionGroup: It holds anything else.
    """
    # SystemExit: rich turns a broken pipe into it.
    if group.split((KeyboardInterrupt, SystemExit, BrokenPipeError))[1] is not None:
        raise group
    # An interrupt counts more than a broken pipe: a person who presses Ctrl-C ends both ends of a pipe.
    return EXIT_INTERRUPTED if group.subgroup(KeyboardInterrupt) is not None else 1
