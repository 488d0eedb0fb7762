"""Opening a host: what it stands on, in the order in which it has to be there, and to go."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast, final

import trio

from ...protocols.config import HostConfig
from ...protocols.jobs.messages import ShellFact
from ...protocols.journal.apply import AgentImage, apply
from ...protocols.journal.port import Journal
from ..clock import Clock
from ..config.handlers import load_handlers
from ..journal.memory import MemoryJournal
from ..journal.store import Store
from ..kernel import DeadLetter, open_system
from ..process import open_process_shell
from .assembly import Assembly
from .drain import CANCEL_GRACE_MS
from .host import Host


@asynccontextmanager
async def open_host(
    config: HostConfig | None = None, *, clock: Clock | None = None, journal: Journal | None = None
) -> AsyncGenerator[Host]:
    """Open a host. Leaving the block drains it: normally with the configuration's grace, otherwise at once.

    Args:
        config: How it is configured; agents with a ``handler`` or a ``command`` in it are loaded.
        clock: The timeline; by default one that is anchored to the wall clock now.
        journal: Where the agents' records go; by default into memory.

    Raises:
        ConfigError: An agent of the configuration cannot be loaded.

    Cancellation: turns are cancelled, children ended with their trees; nothing outlives the block.
    """
    config = load_handlers(config or HostConfig())  # what is wrong with it is said before anything starts
    # In UTC milliseconds, anchored once: a later jump of the wall clock opens and closes no cooldown.
    clock = clock or Clock.start(time.time_ns() // 1_000_000)
    # Ids of jobs and turns outlive the process as (boot, number), so no two runs may share a boot.
    boot = secrets.token_hex(8)
    store = Store(journal or MemoryJournal(boot), AgentImage, apply)
    links = _Links()
    failure: BaseException | None = None
    try:
        async with (
            open_system(
                name="host",
                clock=clock,
                journal=store,
                on_dead_letter=links.on_dead_letter,
                drain_grace_ms=CANCEL_GRACE_MS,
            ) as system,
            open_process_shell(links.deliver, system.clock.now_ms) as shell,
            trio.open_nursery() as nursery,
        ):
            assembly = links.assembly = Assembly(config, boot, store, system, shell, nursery)
            host = assembly.host
            try:
                host.reconfigure(config)
                yield host
            except BaseException as error:
                failure = error
                raise
            finally:
                with trio.CancelScope(shield=True):
                    # Shielded: a cancel of the block must not leave a child behind.
                    await host.drain(grace=0 if failure else None)
                nursery.cancel_scope.cancel(reason="the host closes")
    except BaseExceptionGroup as group:
        # A nursery wraps what leaves its body. The author of the body expects it as it was.
        # Only when nothing failed beside the body: the error of an actor must not be hidden.
        if failure is not None and _leaves(group) <= _leaves(failure):
            raise failure from failure.__cause__
        raise


def _leaves(error: BaseException) -> set[int]:
    """The exceptions themselves, however deep in groups; Trio makes the groups again on their way out."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return {leaf for inner in group.exceptions for leaf in _leaves(inner)}
    return {id(error)}


@final
class _Links:
    """From what is made before the assembly to the assembly."""

    assembly: Assembly

    def deliver(self, fact: ShellFact) -> None:
        """The process shell reports something."""
        self.assembly.jobs.deliver(fact)

    def on_dead_letter(self, letter: DeadLetter) -> None:
        """The kernel could not deliver a message."""
        self.assembly.on_dead_letter(letter)
