"""Opening a host: what it stands on, in the order in which it has to be there, and to go."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast, final

import trio

from ...protocols.config import HostConfig
from ...protocols.jobs.messages import ShellFact
from ..clock import Clock
from ..config.handlers import configured_agents
from ..kernel import open_system
from ..process import open_process_shell
from .host import CANCEL_GRACE_MS, Host


@asynccontextmanager
async def open_host(config: HostConfig | None = None, *, clock: Clock | None = None) -> AsyncGenerator[Host]:
    """Open a host. Leaving the block drains it: normally with the configuration's grace, else at once.

    Args:
        config: How it is configured; agents with a ``handler`` or a ``command`` in it are loaded.
        clock: The timeline; by default one anchored to the wall clock now.

    Raises:
        ConfigError: An agent of the configuration cannot be loaded.

    Cancellation: turns are cancelled, children ended with their trees; nothing outlives the block.
    """
    config = config or HostConfig()
    configured_agents(config)  # what is wrong with it is said before anything starts
    clock = clock or Clock.start(time.time_ns() // 1_000_000)
    failure: BaseException | None = None
    try:
        async with open_system(name="host", clock=clock, drain_grace_ms=CANCEL_GRACE_MS) as system:
            deliver = _Delivery()
            async with open_process_shell(deliver, system.clock.now_ms) as shell, trio.open_nursery() as nursery:
                host = deliver.to = Host(config, system, shell, nursery)
                host.reconfigure(config)
                try:
                    yield host
                except BaseException as error:
                    failure = error
                    raise
                finally:
                    with trio.CancelScope(shield=True):
                        await host.drain(grace=0 if failure else None)
                    nursery.cancel_scope.cancel(reason="the host closes")
    except BaseExceptionGroup as group:
        # A nursery wraps what leaves its body; whoever wrote the body expects it as it was.
        if failure is not None and _leaves(group) <= _leaves(failure):
            raise failure from failure.__cause__
        raise


def _leaves(error: BaseException) -> set[int]:
    """The exceptions themselves, however deep in groups; Trio makes the groups anew on their way out."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return {leaf for inner in group.exceptions for leaf in _leaves(inner)}
    return {id(error)}


@final
class _Delivery:
    """The process shell is made before the host, and tells it."""

    to: Host

    def __call__(self, fact: ShellFact) -> None:
        self.to.deliver(fact)
