"""Children: how fast they start and end, how soon their exit is known, how much they can say."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio
from wakeward import AgentSpec, CooldownPolicy, Turn, open_host
from wakeward.actors.jobs.supervisor import JobsSupervisor
from wakeward.protocols.jobs.messages import JobStarted, ShellFact
from wakeward.protocols.jobs.record import Contract
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.receipt import ACCEPTED, Receipt
from wakeward.runtime.jobs.jobs import Jobs
from wakeward.runtime.jobs.table import JobTable
from wakeward.runtime.process import open_process_shell

from .harness import Benchmark

BENCHMARK: Final = Benchmark("exec")

CONCURRENCY: Final = 8
CHILDREN: Final = 800
EXITS: Final = 200
OUTPUT_BYTES: Final = 1 << 30
NO_GUARDS: Final = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)
OPS: Final = Contract("ops", "agent:ops:main", notify_on_empty_success=True)


class _Bare:
    """The least that a supervisor needs around it: no timer fires, nothing is stored, effects follow each message."""

    address = "jobs:ops"

    def __init__(self) -> None:
        self.table = JobTable(self.handle, random.Random().randrange)
        self.jobs = Jobs(self.table, self.now_ms)
        self.perform: dict[int, Callable[[str, Any, Any, Any], None]] = {}
        self.supervisor = JobsSupervisor(self, "ops", {}, self.table, boot="benchmark")
        self.on_started: Callable[[], None] = lambda: None
        self.on_notice: Callable[[], None] = lambda: None
        self._effects: list[tuple[int, Any, Any, Any]] = []

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)

    def deliver(self, fact: ShellFact) -> None:
        self.jobs.deliver(fact)
        if isinstance(fact, JobStarted):
            self.on_started()

    def handle(self, _to: str, message: object) -> Receipt:
        self.supervisor.receive(message)
        effects, self._effects = self._effects, []
        for op, a, b, c in effects:
            self.perform[op](self.address, a, b, c)
        return ACCEPTED

    def tell(self, to: str, message: object) -> None:
        del to, message
        self.on_notice()

    signal = tell

    def save(self, owner: str, record: object) -> None: ...

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        self._effects.append((op, a, b, c))

    def set_timer(self, key: object, at_ms: int, message: object) -> None: ...

    def cancel_timer(self, key: object) -> None: ...

    def watch(self, address: str) -> None: ...

    def unwatch(self, address: str) -> None: ...

    def stop(self) -> None: ...


@asynccontextmanager
async def _open_bare() -> AsyncGenerator[_Bare]:
    bare = _Bare()
    async with open_process_shell(bare.deliver, bare.now_ms) as shell:
        bare.perform.update(bare.jobs.performers(shell))
        yield bare


# Starting and reaping


async def _rate_in_trio(one: Callable[[], Awaitable[object]]) -> float:
    async def worker() -> None:
        for _ in range(CHILDREN // CONCURRENCY):
            await one()

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CONCURRENCY):
            nursery.start_soon(worker)
    return CHILDREN / (time.perf_counter() - began)


async def _open_process() -> None:
    process = await trio.lowlevel.open_process(["true"])
    await process.wait()


async def _open_process_and_read() -> None:
    process = await trio.lowlevel.open_process(
        ["true"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    async with process.stdout as stdout:
        while await stdout.receive_some():
            pass
    await process.wait()


async def _rate_in_asyncio() -> float:
    async def worker() -> None:
        for _ in range(CHILDREN // CONCURRENCY):
            process = await asyncio.create_subprocess_exec("true")
            await process.wait()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return CHILDREN / (time.perf_counter() - began)


@BENCHMARK.case(
    "start and reap, 8 at a time",
    unit="1/s",
    peers={
        "trio open_process": lambda: trio.run(_rate_in_trio, _open_process),
        "trio open_process, output read": lambda: trio.run(_rate_in_trio, _open_process_and_read),
        "asyncio create_subprocess_exec": lambda: asyncio.run(_rate_in_asyncio()),
    },
    target="at least 0.8 of trio open_process",
)
def start_and_reap() -> float:
    async def main() -> float:
        async with _open_bare() as bare:
            one = partial(bare.jobs.run, JobSpec(["true"]), OPS, yield_after_ms=None)
            return await _rate_in_trio(one)

    return trio.run(main)


# From the exit to the notice


async def _our_latencies_ms() -> list[float]:
    async with _open_bare() as bare:
        return sorted([await _our_latency_ms(bare) for _ in range(EXITS)])


async def _our_latency_ms(bare: _Bare) -> float:
    started, told = trio.Event(), trio.Event()
    bare.on_started, bare.on_notice = started.set, told.set
    handle = bare.jobs.start(JobSpec(["sleep", "60"]), OPS)
    await started.wait()
    assert handle.pid is not None
    began = time.perf_counter()
    os.kill(handle.pid, signal.SIGKILL)
    await told.wait()
    return (time.perf_counter() - began) * 1000


async def _bare_latencies_ms() -> list[float]:
    latencies: list[float] = []
    for _ in range(EXITS):
        process = await trio.lowlevel.open_process(["sleep", "60"])
        began = time.perf_counter()
        process.kill()
        await process.wait()
        latencies.append((time.perf_counter() - began) * 1000)
    return sorted(latencies)


@BENCHMARK.case(
    "exit to notice, median",
    unit="ms",
    peers={"trio Process.wait": lambda: trio.run(_bare_latencies_ms)[EXITS // 2]},
    rounds=3,
)
def exit_to_notice_median() -> float:
    return trio.run(_our_latencies_ms)[EXITS // 2]


@BENCHMARK.case(
    "exit to notice, p99",
    unit="ms",
    peers={"trio Process.wait": lambda: trio.run(_bare_latencies_ms)[EXITS * 99 // 100]},
    target="below 10 ms",
    rounds=3,
)
def exit_to_notice_p99() -> float:
    return trio.run(_our_latencies_ms)[EXITS * 99 // 100]


# From the exit to the handler of the agent


async def _handler_latencies_ms() -> list[float]:
    """A child of a host is killed; the turn that its exit wakes notes when it begins."""
    told = trio.Event()

    async def handle(turn: Turn) -> None:
        assert len(turn.events) == 1
        told.set()
        await trio.lowlevel.checkpoint()

    latencies: list[float] = []
    async with open_host() as host:
        host.add_agent(AgentSpec("ops", handle, cooldown=NO_GUARDS))
        for _ in range(EXITS):
            told = trio.Event()
            job = await host.exec("agent:ops:main", "echo up; exec sleep 60", background=True)
            await job.poll(wait=10)
            assert job.pid is not None
            began = time.perf_counter()
            os.kill(job.pid, signal.SIGKILL)
            await told.wait()
            latencies.append((time.perf_counter() - began) * 1000)
            await host.wait_idle()
    return sorted(latencies)


@BENCHMARK.case(
    "exit to handler, median",
    unit="ms",
    peers={"trio Process.wait": lambda: trio.run(_bare_latencies_ms)[EXITS // 2]},
    rounds=3,
)
def exit_to_handler_median() -> float:
    return trio.run(_handler_latencies_ms)[EXITS // 2]


@BENCHMARK.case(
    "exit to handler, p99",
    unit="ms",
    peers={"trio Process.wait": lambda: trio.run(_bare_latencies_ms)[EXITS * 99 // 100]},
    target="below 10 ms",
    rounds=3,
)
def exit_to_handler_p99() -> float:
    return trio.run(_handler_latencies_ms)[EXITS * 99 // 100]


# Output


def _cat_mb_per_s() -> float:
    began = time.perf_counter()
    subprocess.run(["sh", "-c", f"head -c {OUTPUT_BYTES} /dev/zero | cat > /dev/null"], check=True)
    return OUTPUT_BYTES / 1e6 / (time.perf_counter() - began)


@BENCHMARK.case(
    "output, 1 GiB",
    unit="MB/s",
    peers={"cat through a pipe": _cat_mb_per_s},
    target="more is better: at least 300 MB/s and 0.7 of cat",
)
def output() -> float:
    async def main() -> float:
        async with _open_bare() as bare:
            spec = JobSpec(["head", "-c", str(OUTPUT_BYTES), "/dev/zero"])
            began = time.perf_counter()
            handle = await bare.jobs.run(spec, OPS, yield_after_ms=None)
            assert handle.exit is not None
            assert handle.exit.exit_code == 0
            return OUTPUT_BYTES / 1e6 / (time.perf_counter() - began)

    return trio.run(main)
