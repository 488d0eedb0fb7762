"""A supervisor over real processes, without a kernel: messages are handled at once, timers by tasks."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from wakeward.actors.jobs.ports import JobExited, JobStarted
from wakeward.actors.jobs.record import Contract
from wakeward.actors.jobs.registry import JobLimits, JobRegistry
from wakeward.actors.jobs.supervisor import JobsSupervisor
from wakeward.protocols.jobs.exit import Exit
from wakeward.protocols.receipt import ACCEPTED, Receipt
from wakeward.runtime.jobs.jobs import Jobs
from wakeward.runtime.process import ProcessShell, open_process_shell
from wakeward.runtime.process.procfs import all_procs

MAIN = Contract("agent:ops:main", "ops")


class ExecStage:
    """The context, the mailboxes and the clock, as simple as can be. ``told`` is what reached the router."""

    address = "exec"

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._timers: dict[Hashable, trio.CancelScope] = {}
        self.supervisor: JobsSupervisor
        self.shell: ProcessShell
        self.jobs: Jobs
        self.registry = JobRegistry(secrets.randbelow, JobLimits(live_count_max=100_000))
        self.told: list[Any] = []
        self.exits: dict[str, list[Exit]] = {}
        self.started: list[str] = []

    def deliver(self, message: JobStarted | JobExited) -> None:
        if isinstance(message, JobExited):
            self.exits.setdefault(message.job_id, []).append(message.exit)
        else:
            self.started.append(message.job_id)
        self.supervisor.receive(message)

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)

    def tell(self, to: str, message: object) -> Receipt:
        if to == "exec":
            self.supervisor.receive(message)
        else:
            assert to == "router"
            self.told.append(message)
        return ACCEPTED

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        self.cancel_timer(key)
        scope = self._timers[key] = trio.CancelScope()
        self._nursery.start_soon(self._fire, scope, key, at_ms, message)

    def cancel_timer(self, key: Hashable) -> None:
        scope = self._timers.pop(key, None)
        if scope is not None:
            scope.cancel()

    def watch(self, address: str) -> None:
        raise AssertionError(f"nobody is to be watched here: {address}")

    unwatch = watch

    def stop(self) -> None:
        raise AssertionError("nobody is to stop here")

    async def _fire(self, scope: trio.CancelScope, key: Hashable, at_ms: int, message: object) -> None:
        with scope:
            await trio.sleep(max(0, at_ms - self.now_ms()) / 1000)
            del self._timers[key]
            self.supervisor.receive(message)


@asynccontextmanager
async def open_exec_stage(*, use_cgroup: bool = True) -> AsyncGenerator[ExecStage]:
    """Everything around real children. Checks at the end that each start had one exit."""
    async with trio.open_nursery() as nursery:
        stage = ExecStage(nursery)
        shell: ProcessShell | None = None
        try:
            async with open_process_shell(stage.deliver, stage.now_ms, use_cgroup=use_cgroup) as shell:
                stage.shell = shell
                stage.supervisor = JobsSupervisor(stage, shell, stage.registry)
                stage.jobs = Jobs(stage.registry, stage.tell, stage.now_ms)
                yield stage
        finally:
            assert shell is None or shell.live_count == 0
            assert all(len(exits) == 1 for exits in stage.exits.values())
            assert set(stage.started) <= set(stage.exits)
            nursery.cancel_scope.cancel()


def live_with(marker: str) -> list[int]:
    """The living processes that have this text in their command line. Zombies count as dead."""
    found: list[int] = []
    for proc in all_procs():
        try:
            command = Path(f"/proc/{proc.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if not proc.is_dead and proc.pid != os.getpid() and marker.encode() in command:
            found.append(proc.pid)
    return found


async def wait_until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait until a condition of the outside world holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - the operating system sets no event
            await trio.sleep(0.005)
