"""The life of one child, from the order to start to its exit: one task, shielded from cancellation.

A child never loses its keeper. Cancellation of the host does not reach this task; it reaches the shell, which orders
every child to stop (:meth:`Child.stop`), as a kill or a timeout does. Each wait of this task ends by itself or by that order,
and after an order each has a deadline. So the exit is told exactly once, whatever happens (the ladder is that of
``trio.run_process``, extended to the whole tree).

The steps: spawn; wait for the end of the root or for the order to stop; on the order SIGTERM, grace, SIGKILL; reap
the root; end what it has left behind; take the last of the output; tell the exit. What goes wrong after the root has ended
is noted beside the result and never replaces it (openclaw#140594).
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from typing import Final, final

import trio

from ...actors.exec_port import JobExited, JobStarted
from ...actors.job import Job
from ...protocols.exec import Exit, ExitReason
from .drain import Drain, Feed
from .follow import Follow
from .host import ProcessHost
from .procfs import Proc
from .spawn import Spawned, spawn
from .spill import Spill
from .tree import MARKER, Tree

LEFTOVER_GRACE: Final = 0.25
"""How long what a child has left behind may take to end by itself, in seconds."""

KILL_PATIENCE: Final = 3.0
"""How long a tree may take to disappear after SIGKILL before that is called uncertain, in seconds."""

OUTPUT_PATIENCE: Final = 0.1
"""How long the end of the output is waited for once the tree is gone, in seconds."""

CGROUP_AFTER: Final = 0.1
"""A child that lives longer than this, in seconds, is moved into a control group."""

_LOOK_FIRST: Final = 0.001
_LOOK_MAX: Final = 0.02
_SHOWN_PIDS_MAX: Final = 5


@final
class Child:
    """One child and its keeper. Made by the shell, which runs :meth:`run` in its nursery."""

    def __init__(self, job: Job, host: ProcessHost, deliver: Callable[[object], None]) -> None:
        self._job = job
        self._host = host
        self._deliver = deliver
        self._tree = Tree(host.new_token())
        self._waiting = trio.CancelScope()
        self._stop_reason: ExitReason | None = None
        self._grace = 0.0
        self._began = trio.current_time()
        self._problems: list[str] = []
        self._drains: list[Drain] = []
        self._feed: Feed | None = None
        self._spill: Spill | None = None

    @property
    def is_detached(self) -> bool:
        """Whether it is to survive the host."""
        return self._job.spec.detach

    def stop(self, reason: ExitReason, grace: float) -> None:
        """Order its end; synchronous. The first reason counts, the shortest grace, in seconds, too."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._grace = grace
            self._waiting.cancel()
        elif grace < self._grace:
            self._grace = grace
            self._waiting.cancel()

    async def run(self) -> None:
        """Live the whole life, and tell its exit."""
        result = Exit(ExitReason.SPAWN_ERROR, detail="the keeper of the child failed")
        try:
            with trio.CancelScope(shield=True):
                result = await self._live()
        finally:
            self._deliver(JobExited(self._job.id, result))

    async def _live(self) -> Exit:
        if self._stop_reason is not None:
            return self._exit(self._stop_reason, detail="ended before it was started")
        self._host.orphans.add(self._tree)
        try:
            spawned = await self._spawn()
        except OSError as error:
            self._host.orphans.remove(self._tree)
            return self._not_spawned(error)
        try:
            return await self._supervise(spawned)
        finally:
            os.close(spawned.pidfd)
            spawned.streams.close()

    async def _spawn(self) -> Spawned:
        spec = self._job.spec
        env = dict(os.environ if spec.env is None else spec.env)
        env[MARKER] = self._tree.token
        output_file = None
        try:
            if spec.detach:
                output_file = self._follow_file()
            elif spec.spill_path is not None:
                self._spill = Spill(spec.spill_path, spec.spill_max_bytes)
            spawned = await spawn(spec, env, self._host.limiter, output_file=output_file)
        except OSError:
            self._close_files()
            raise
        self._tree.root_pid = spawned.popen.pid
        return spawned
