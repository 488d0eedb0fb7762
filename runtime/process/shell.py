"""The process shell: real children, started and ended by name.

The shell owns a nursery in which every child has its task (:mod:`.child`). Leaving the shell, or cancelling what is
around it, orders every child to end and waits until each of them has, so nothing is alive afterwards but what was to
be detached. It knows neither jobs nor agents: it gets a specification and the sinks of a child, and delivers facts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, final

import trio

from ...protocols.jobs.exit import Exit, ExitReason
from ...protocols.jobs.messages import JobExited, ShellFact
from ...protocols.jobs.sinks import Sinks
from ...protocols.jobs.spec import JobSpec
from .child import Child
from .resources import ProcessResources, set_subreaper

STOP_GRACE: Final = 0.5
"""The time from SIGTERM to SIGKILL when the host is cancelled, in seconds."""

SWEEP_INTERVAL: Final = 2.0
"""How often dead orphans are looked for while children run, in seconds."""

Deliver = Callable[[ShellFact], None]


@final
class ProcessShell:
    """Starts and ends children; see :func:`open_process_shell`."""

    def __init__(self, resources: ProcessResources, deliver: Deliver) -> None:
        self._resources = resources
        self._deliver = deliver
        self._children: dict[str, Child] = {}
        self._is_closing = False

    def start(self, job_id: str, spec: JobSpec, sinks: Sinks) -> None:
        """Spawn a child. Exactly one exit follows, also when it cannot be spawned or the shell is closing."""
        if self._is_closing:
            # An effect that was under way while the host began to close. It has its exit like any other.
            self._deliver(JobExited(job_id, Exit(ExitReason.HOST_STOPPED, detail="the host is stopping"), ""))
            return
        child = Child(job_id, spec, sinks, self._resources, self._deliver)
        self._children[job_id] = child
        self._resources.nursery.start_soon(self._keep, job_id, child, name=f"exec:{job_id}")

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        """End a child and its tree: SIGTERM, grace, SIGKILL. Nothing happens if it has ended already."""
        child = self._children.get(job_id)
        if child is not None:
            child.stop(reason, grace_ms / 1000)

    def stop_all(self, grace_ms: int) -> None:
        """Accept no more children, and order all children to end. Detached ones are left running."""
        self._is_closing = True
        for child in tuple(self._children.values()):
            reason = ExitReason.LEFT_RUNNING if child.is_detached else ExitReason.HOST_STOPPED
            child.stop(reason, grace_ms / 1000)

    async def _keep(self, job_id: str, child: Child) -> None:
        try:
            await child.run()
        finally:
            del self._children[job_id]

    async def stop_when_cancelled(self) -> None:
        """Look for dead orphans at intervals. When cancelled, order all children to end."""
        try:
            while True:
                await trio.sleep(SWEEP_INTERVAL)
                # Those of children that still run. Nobody else reaps them before their tree is cleared.
                if self._resources.orphans.expects_any:
                    self._resources.orphans.look()
        finally:
            # Children are shielded, so that their exits are told: a cancellation has to be handed to them as an order.
            self.stop_all(round(STOP_GRACE * 1000))


@asynccontextmanager
async def open_process_shell(
    deliver: Deliver, now_ms: Callable[[], int], *, use_cgroup: bool = True
) -> AsyncGenerator[ProcessShell]:
    """Open a shell, which is there as long as the block runs.

    Leaving the block, by whatever way, ends every child with its tree within about :data:`STOP_GRACE` and waits for
    it. Each child that was started has had its one exit delivered by then.

    Args:
        deliver: Called synchronously with each fact, also during a cancellation. It must not raise.
        now_ms: The host's timeline.
        use_cgroup: Whether long-lived children get control groups where the system has them.
    """
    # Before the first child: an orphan that is made earlier goes to init, and is lost to us.
    was_subreaper = set_subreaper(on=True)
    resources: ProcessResources | None = None
    try:
        async with trio.open_nursery() as nursery:
            resources = ProcessResources(nursery, now_ms, use_cgroup=use_cgroup)
            shell = ProcessShell(resources, deliver)
            nursery.start_soon(shell.stop_when_cancelled)
            try:
                yield shell
            finally:
                # The keepers are shielded. So this reaches only stop_when_cancelled, which orders them to stop.
                nursery.cancel_scope.cancel(reason="the process shell closes")
    finally:
        # After the nursery: the last child has looked for its orphans by now.
        if resources is not None:
            resources.close()
        set_subreaper(on=was_subreaper)
