"""The command line: ``wakeward``.

Printing and exit statuses live in this package and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from ...protocols.errors import WakewardError
from .demo.command import demo as demo_command
from .exec import exec_command
from .run import run as run_command

EXIT_WRONG_INPUT: Final = 2
EXIT_INTERRUPTED: Final = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wakeward")
def wakeward() -> None:
    """One wake, one agent: a runtime for hosts that run many agents."""


for command in (demo_command, run_command, exec_command):
    wakeward.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments, without the program's name; by default the process's own.

    Returns:
        The exit status: 0 when all went well, 2 for wrong input (one message on standard error), 130 when interrupted,
        else what the command says.
    """
    try:
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
    return status if isinstance(status, int) else 0


def _status_of(group: BaseExceptionGroup) -> int:
    """What left a nursery: an interrupt, or the end of whoever read our output (rich turns that into ``SystemExit``).

    Raises:
        BaseExceptionGroup: It was neither.
    """
    if group.split((KeyboardInterrupt, SystemExit, BrokenPipeError))[1] is not None:
        raise group
    return EXIT_INTERRUPTED if group.subgroup(KeyboardInterrupt) is not None else 1
