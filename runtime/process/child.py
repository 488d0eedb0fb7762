"""One child, from the order to start to its exit: one task, shielded from cancellation.

A child never loses its task. Cancellation of the host does not reach the task; it reaches the shell, which orders every
child to stop (:meth:`Child.stop`), as a kill or a timeout does. Each wait of the task ends by itself or by that order,
and after an order each wait has a deadline. So the exit is told exactly once, whatever happens. The ladder is that of
``trio.run_process``, extended to the whole tree.

The steps: spawn; wait for the end of the root or for the order to stop; on the order SIGTERM, grace, SIGKILL; reap
the root; end what it has left behind; read the last of the output; tell the exit. What goes wrong after the root has
ended is noted beside the result and never replaces it (openclaw#140594).
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from typing import Final, final

import trio
from attrs import evolve

from ...protocols.jobs.exit import Exit, ExitReason
from ...protocols.jobs.messages import JobExited, JobStarted, ShellFact
from ...protocols.jobs.sinks import Sinks
from ...protocols.jobs.spec import JobSpec
from .cgroup import Cgroup
from .procfs import Proc, descendants
from .resources import ProcessResources
from .spawn import Environment, Spawned, spawn
from .streams import ChildStreams
from .tree import MARKER, Tree

LEFTOVER_GRACE: Final = 0.25
"""How long the processes that a child has left behind may take to end by themselves, in seconds."""

KILL_PATIENCE: Final = 3.0
"""How long a tree may take to disappear after SIGKILL before that is called uncertain, in seconds."""

CGROUP_AFTER: Final = 0.1
"""A child that lives longer than this, in seconds, is moved into a control group with all its descendants."""

_DETAIL_MAX: Final = 300
_QUICK_LOOKS: Final = 3
_LOOK_FIRST: Final = 0.001
_LOOK_MAX: Final = 0.02
_SHOWN_PIDS_MAX: Final = 5
_MOVE_ROUNDS_MAX: Final = 10


@final
class Child:
    """One child and its task. Made by the shell, which runs :meth:`run` in its nursery."""

    def __init__(
        self,
        job_id: str,
        spec: JobSpec,
        sinks: Sinks,
        resources: ProcessResources,
        deliver: Callable[[ShellFact], None],
    ) -> None:
        """Prepare a child; nothing is started yet. ``job_id`` is only used to name the child in the facts."""
        self._job_id = job_id
        self._spec = spec
        self._sinks = sinks
        self._resources = resources
        self._deliver = deliver
        self._tree = Tree(resources.new_token())
        self._streams = ChildStreams(spec, sinks, resources)
        self._waiting = trio.CancelScope()
        self._stop_reason: ExitReason | None = None
        self._grace = math.inf
        self._asked_at: float | None = None
        self._began = trio.current_time()
        self._problems: list[str] = []

    @property
    def is_detached(self) -> bool:
        """Whether it is to survive the host."""
        return self._spec.detach

    @property
    def _is_left_running(self) -> bool:
        return self._stop_reason is ExitReason.LEFT_RUNNING

    def stop(self, reason: ExitReason, grace: float) -> None:
        """Order the child to end; does not wait. The first reason counts, and the shortest grace (in seconds)."""
        if self._stop_reason is None:
            self._stop_reason = reason
        if grace < self._grace:
            self._grace = grace
            # The keeper waits for the root in this scope, so it sees the order, or the shorter grace, at once.
            self._waiting.cancel(reason="the child is to end")

    async def run(self) -> None:
        """Start the child, see it to its end, and tell its exit."""
        # What is told if a mistake of ours ends this task: even then there is one exit.
        result = Exit(ExitReason.SPAWN_ERROR, detail="the task of the child failed")
        try:
            with trio.CancelScope(shield=True):
                result = await self._start_and_end()
        finally:
            self._deliver(JobExited(self._job_id, result, self._sinks.tail_text()))

    async def _start_and_end(self) -> Exit:
        try:
            spawned = await self._spawn()
        except Exception as error:  # noqa: BLE001 - whatever prevents a start (no thread, no such encoding) is its exit
            return self._not_spawned(error)
        if spawned is None:
            # A child that never ran is not left running, whatever the order said.
            return self._exit(ExitReason.HOST_STOPPED if self._is_left_running else self._stop_reason, None)
        try:
            return await self._supervise(spawned)
        except BaseException:  # a mistake of ours must not leave a child without its task
            self._tree.signal_all(signal.SIGKILL)
            raise
        finally:
            os.close(spawned.pidfd)
            self._streams.close(keep_file=self._is_left_running)

    async def _spawn(self) -> Spawned | None:
        orphans = self._resources.orphans
        orphans.expect(self._tree)  # before the start: the child can leave orphans before we know its process id
        spawned = None
        try:
            spawned = await spawn(
                self._spec,
                self._environment(),
                self._resources.threads,
                is_wanted=lambda: self._stop_reason is None,
                open_file=self._streams.open_file,
            )
        finally:
            if spawned is None:
                orphans.forget(self._tree)
                self._streams.close(keep_file=False)
        if spawned is not None:
            orphans.rooted(self._tree, spawned.popen.pid)
            self._streams.start(spawned.streams)
        return spawned

    def _environment(self) -> Environment:
        if self._spec.env is None:
            return {**self._resources.environ, MARKER.encode(): self._tree.token.encode()}
        return {**self._spec.env, MARKER: self._tree.token}

    def _not_spawned(self, error: Exception) -> Exit:
        detail = f"cannot be started: {error}".encode(errors="replace").decode()  # a journal stores no lone surrogate
        if len(detail) > _DETAIL_MAX:
            detail = f"{detail[:_DETAIL_MAX]}…"
        self._sinks.output.append(detail.encode(), self._resources.now_ms())
        return self._exit(ExitReason.SPAWN_ERROR, None, detail)

    async def _supervise(self, spawned: Spawned) -> Exit:
        self._deliver(JobStarted(self._job_id, spawned.popen.pid))
        ordered = await self._wait_end_or_order(spawned.pidfd)
        if ordered is ExitReason.LEFT_RUNNING:
            await self._streams.stop()
            spawned.popen.returncode = 0  # nobody reaps it any more; without this its destructor complains
            return self._exit(ordered, None, f"left running as process {spawned.popen.pid}")
        if ordered is not None and not _has_ended(spawned.pidfd):
            await self._end_root(spawned.pidfd)
        # Reap only now: until then the process id, and with it the process group, cannot become a stranger's.
        returncode = spawned.popen.poll()
        # The result is fixed here. Nothing that goes wrong below may replace it.
        result = self._exit(ordered, returncode)
        if returncode is None:
            self._problems.append(f"left after SIGKILL: the process itself, {spawned.popen.pid}")
            spawned.popen.returncode = -signal.SIGKILL  # nobody will wait for it
        else:
            self._tree.root_reaped()
            await self._clear_tree()
        await self._streams.stop()
        return self._with_problems(result)

    # The root

    async def _wait_end_or_order(self, pidfd: int) -> ExitReason | None:
        """Wait for the root to end, or for the order to end it.

        Returns:
            The reason of the order; ``None`` when the root ended by itself.
        """
        streams = self._streams
        if not streams.is_single:
            streams.run_readers()
        # Most children end within this time, in one wait of this task. The others get a group and a reader.
        brief = CGROUP_AFTER if self._stop_reason is None else 0
        with trio.move_on_after(brief) as self._waiting:
            if streams.is_single:
                await streams.read_inline()
            await _wait_ended(pidfd)
            return None
        if streams.is_single:
            streams.run_readers()
        ended = False
        if self._stop_reason is None and not _has_ended(pidfd):
            await self._enter_cgroup()
        while self._stop_reason is None and not ended:
            ended = await self._wait_readable(pidfd, math.inf)
        return self._stop_reason

    async def _wait_readable(self, pidfd: int, seconds: float) -> bool:
        """Wait for the end of the root. Returns false if an order comes first, or if the time is up."""
        with trio.move_on_after(seconds) as self._waiting:
            await trio.lowlevel.wait_readable(pidfd)
            return True
        return False

    async def _enter_cgroup(self) -> None:
        # The group is there to kill the whole tree, and what a detached child leaves behind is not to be killed.
        group = None if self.is_detached else self._resources.make_cgroup(self._tree.token)
        if group is None:
            return
        self._tree.cgroup = group
        # In a thread, because each move blocks for close to a millisecond.
        await trio.to_thread.run_sync(_move_all, group, self._tree.heads(), limiter=self._resources.threads)

    async def _end_root(self, pidfd: int) -> None:
        """End the root and its tree: SIGTERM, grace, SIGKILL. A later order can shorten the grace."""
        self._asked_at = trio.current_time()
        self._signal(signal.SIGTERM)
        ended = False
        while not ended and (left := self._asked_at + self._grace - trio.current_time()) > 0:
            ended = await self._wait_readable(pidfd, left)
        if not ended:
            self._signal(signal.SIGKILL)
            with trio.move_on_after(KILL_PATIENCE):
                await trio.lowlevel.wait_readable(pidfd)

    def _signal(self, number: signal.Signals) -> None:
        # Orphans first: a process that has left the group can only be found as one of the tree's orphans.
        self._resources.orphans.look()
        self._tree.signal_all(number, self._tree.members(self._resources.procs_lately()))

    # What the root leaves behind

    async def _clear_tree(self) -> None:
        members = self._look()
        if members and self.is_detached and self._stop_reason is None:
            self._resources.orphans.leave(self._tree)  # what it has left behind was to stay
            return
        # After an order, the tree has had its SIGTERM already, and what is left of the grace goes on to count.
        if members and self._asked_at is None:
            self._asked_at, self._grace = trio.current_time(), min(self._grace, LEFTOVER_GRACE)
            self._tree.signal_all(signal.SIGTERM, members)
        if members:
            members = await self._wait_gone()
        if members:
            members = await self._kill_all()
        if members:
            pids = ", ".join(str(proc.pid) for proc in members[:_SHOWN_PIDS_MAX])
            self._problems.append(f"left after SIGKILL: {len(members)} of its tree, with the process ids {pids}")
            self._resources.orphans.leave(self._tree)
            return
        if self._tree.seen:
            self._resources.orphans.look()  # those that were killed last are zombies now, and ours
        self._resources.orphans.forget(self._tree)

    async def _wait_gone(self) -> list[Proc]:
        """Wait for the rest of the grace. Returns the processes that are left."""
        assert self._asked_at is not None
        interval = _LOOK_FIRST
        while (members := self._look()) and trio.current_time() < self._asked_at + self._grace:
            await trio.sleep(interval)
            interval = min(2 * interval, _LOOK_MAX)
        return members

    async def _kill_all(self) -> list[Proc]:
        """Kill what is left. Returns what is left after that."""
        # Again and again, because they may fork faster than one look.
        deadline = trio.current_time() + KILL_PATIENCE
        interval = _LOOK_FIRST
        while (members := self._look()) and trio.current_time() < deadline:
            self._tree.signal_all(signal.SIGKILL, members)
            await trio.sleep(interval)
            interval = min(2 * interval, _LOOK_MAX)
        return members

    def _look(self) -> list[Proc]:
        """The processes that are left."""
        # In the usual case there are none, and two system calls tell that.
        self._resources.orphans.look()
        tree = self._tree
        if tree.group_gone and not tree.adopted and (tree.cgroup is None or tree.cgroup.remove()):
            return []
        members = tree.members(self._resources.procs_since(trio.current_time()))
        if not members and tree.cgroup is not None:
            tree.cgroup.remove()
        return members

    # The result

    def _exit(self, reason: ExitReason | None, returncode: int | None, detail: str = "") -> Exit:
        killed = returncode is not None and returncode < 0
        if reason is None:
            reason = ExitReason.SIGNAL if killed else ExitReason.EXIT
        return Exit(
            reason=reason,
            exit_code=None if killed else returncode,
            exit_signal=_signal_name(-returncode) if returncode is not None and killed else None,
            duration_ms=round((trio.current_time() - self._began) * 1000),
            detail=detail,
        )

    def _with_problems(self, result: Exit) -> Exit:
        problems = self._problems + self._streams.problems
        return evolve(result, cleanup_failure="; ".join(problems)) if problems else result


def _move_all(group: Cgroup, heads: list[int]) -> None:
    """Move these processes and all below them. What they fork meanwhile is moved in the next round."""
    moved: set[int] = set()
    for _ in range(_MOVE_ROUNDS_MAX):
        outside = descendants(heads) - moved - set(group.pids())
        if not outside:
            return
        for pid in outside:
            group.add(pid)
        moved |= outside


async def _wait_ended(pidfd: int) -> None:
    """Wait for the end of a process that has closed its output."""
    # It is most likely about to end: to look a few times is cheaper than to wait for the descriptor.
    for _ in range(_QUICK_LOOKS):
        if _has_ended(pidfd):
            return
        await trio.lowlevel.checkpoint()
    await trio.lowlevel.wait_readable(pidfd)


def _has_ended(pidfd: int) -> bool:
    # WNOWAIT leaves the process unreaped: its id, and so its group, stays ours to signal.
    return os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"SIG{number}"
