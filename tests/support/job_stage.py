"""Supervisors of jobs on Trio's clock, without a kernel: messages are handled at once, timers by tasks.

As under the kernel, what a message asks for is performed after the message, and a supervisor is made when its first
message comes. Behind it are real children (:func:`open_job_stage`) or scripted ones (:mod:`.fake_process`).
"""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field
from wakeward.actors.jobs.supervisor import JobsSupervisor
from wakeward.protocols.jobs.exit import Exit
from wakeward.protocols.jobs.limits import JobLimits
from wakeward.protocols.jobs.messages import JobExited, ShellFact
from wakeward.protocols.jobs.record import Contract, JobRecord
from wakeward.protocols.journal.records import JobForgotten
from wakeward.protocols.receipt import ACCEPTED, Receipt
from wakeward.runtime.jobs.jobs import Jobs, Shell
from wakeward.runtime.jobs.table import JobTable
from wakeward.runtime.process import ProcessShell, open_process_shell
from wakeward.runtime.process.procfs import all_procs

MAIN = Contract("ops", "agent:ops:main")
BOOT = "this boot"


@define(eq=False)
class StageContext:
    """The context of one supervisor."""

    address: str
    stage: JobStage
    timers: dict[Hashable, trio.CancelScope] = field(factory=dict[Hashable, trio.CancelScope])

    def now_ms(self) -> int:
        return self.stage.now_ms()

    def tell(self, to: str, message: object) -> None:
        self.stage.effects.append(lambda: self.stage.take(to, message))

    def signal(self, to: str, message: object) -> None:
        self.tell(to, message)

    def save(self, owner: str, record: object) -> None:
        self.stage.save(owner, record)

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        self.stage.effects.append(lambda: self.stage.perform[op](self.address, a, b, c))

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        self.cancel_timer(key)
        scope = self.timers[key] = trio.CancelScope()
        self.stage.nursery.start_soon(self._fire, scope, key, at_ms, message)

    def cancel_timer(self, key: Hashable) -> None:
        scope = self.timers.pop(key, None)
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
            del self.timers[key]
            self.stage.signal(self.address, message)


class JobStage:
    """Everything around supervisors, as simple as can be.

    Attributes:
        answer: What a supervisor's mailbox says to a message; replace it to refuse.
        told: What reached the router.
        records: What was saved, by owner and job.
        exits: What the shell reported, by job.
    """

    def __init__(self, nursery: trio.Nursery, limits: JobLimits) -> None:
        self.nursery = nursery
        self.limits = limits
        self.table = JobTable(self.signal, random.Random(7).randrange, limits=limits)
        self.jobs = Jobs(self.table, self.now_ms)
        self.perform: dict[int, Callable[[str, Any, Any, Any], None]] = {}
        self.answer: Receipt = ACCEPTED
        self.told: list[Any] = []
        self.records: dict[str, dict[str, JobRecord]] = {}
        self.exits: dict[str, list[Exit]] = {}
        self.started: list[str] = []
        self.effects: deque[Callable[[], object]] = deque()
        self._supervisors: dict[str, JobsSupervisor] = {}
        self._inbox: deque[tuple[str, object]] = deque()
        self._is_running = False

    def use(self, shell: Shell) -> None:
        """Start and end children there."""
        self.perform.update(self.jobs.performers(shell))

    def now_ms(self) -> int:
        return round(trio.current_time() * 1000)

    def deliver(self, fact: ShellFact) -> None:
        """How a shell reports."""
        if isinstance(fact, JobExited):
            self.exits.setdefault(fact.job_id, []).append(fact.exit)
        else:
            self.started.append(fact.job_id)
        self.jobs.deliver(fact)

    def signal(self, to: str, message: object) -> Receipt:
        """Send a message to a supervisor, and handle all there is."""
        if self.answer:
            self._inbox.append((to, message))
            self._run()
        return self.answer

    def take(self, to: str, message: object) -> None:
        """A supervisor has told somebody."""
        assert to == "router", to
        self.told.append(message)

    def save(self, owner: str, record: object) -> None:
        own = self.records.setdefault(owner, {})
        if isinstance(record, JobRecord):
            own[record.id] = record
        else:
            assert isinstance(record, JobForgotten)
            del own[record.job_id]

    def _run(self) -> None:
        if self._is_running:
            return  # called from within: the call that is at work goes on with it
        self._is_running = True
        try:
            while self._inbox:
                to, message = self._inbox.popleft()
                self._supervisor(to).receive(message)
                while self.effects:
                    self.effects.popleft()()
        finally:
            self._is_running = False

    def _supervisor(self, address: str) -> JobsSupervisor:
        if address not in self._supervisors:
            kind, _, agent_id = address.partition(":")
            assert kind == "jobs"
            self._supervisors[address] = JobsSupervisor(
                StageContext(address, self), agent_id, {}, self.table, boot=BOOT, limits=self.limits
            )
        return self._supervisors[address]


class ProcessStage(JobStage):
    """With real children."""

    shell: ProcessShell


@asynccontextmanager
async def open_job_stage(*, use_cgroup: bool = True) -> AsyncGenerator[ProcessStage]:
    """Everything around real children. Checks at the end that each start had one exit."""
    async with trio.open_nursery() as nursery:
        stage = ProcessStage(nursery, JobLimits(live_count_max=100_000))
        try:
            async with open_process_shell(stage.deliver, stage.now_ms, use_cgroup=use_cgroup) as shell:
                stage.shell = shell
                stage.use(shell)
                yield stage
        finally:
            assert stage.table.statistics().live_count == 0
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
