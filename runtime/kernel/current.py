"""Who is speaking: the actor that the dispatcher runs, or the one whose asynchronous message the task handles."""

from __future__ import annotations

import contextvars
from typing import Final

from .cell import Cell, Handling
from .kernel import Kernel
from .sender import OUTSIDE, Sender

CURRENT: Final[contextvars.ContextVar[Handling | None]] = contextvars.ContextVar("wakeward_handling", default=None)
"""The handling that a task belongs to; its child tasks inherit it."""


def present_handling(kernel: Kernel[Cell]) -> Handling | None:
    """The handling that the present task belongs to."""
    handling = CURRENT.get()
    # A child task that outlives the handling, or a task of another system, does not speak for the actor.
    return None if handling is None or handling.over or handling.cell.kernel is not kernel else handling


def present_sender(kernel: Kernel[Cell]) -> Sender:
    """To whom a message of the present code is attributed."""
    if kernel.current is not OUTSIDE:
        return kernel.current
    handling = present_handling(kernel)
    return OUTSIDE if handling is None else handling.cell
