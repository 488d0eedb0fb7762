"""Children: how fast they start and end, how soon their exit is known, how much they can say.

Peers: a bare Trio loop over ``open_process``, ``asyncio.create_subprocess_exec``, and ``cat`` through a bare pipe.
Ours and the peer run in turns in the same process, and the best round of each counts: the machine's other work only
ever makes a round slower.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from wakeward.actors.exec import ExecSupervisor
from wakeward.actors.exec_port import JobExited, JobStarted
from wakeward.actors.job import Contract
from wakeward.actors.job_registry import JobRegistry
from wakeward.protocols.exec import ExecSpec
from wakeward.protocols.receipt import ACCEPTED, Receipt
from wakeward.runtime.jobs import Jobs
from wakeward.runtime.process import open_process_shell

Row = dict[str, object]

NAME: Final = "exec"
CONCURRENCY: Final = 8
ROUNDS: Final = 4
OPS: Final = Contract("agent:ops:main", "ops", notify_on_exit_empty_success=True)


class _Bare:
    """The least that a supervisor needs around it: no timers fire, messages are handled at once."""

    address = "exec"

    def __init__(self) -> None:
        self.supervisor: ExecSupervisor
        self.jobs: Jobs
        self.on_notice: Callable[[], None] = lambda: None

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)

    def deliver(self, message: JobStarted | JobExited) -> None:
        self.supervisor.receive(message)

    def tell(self, to: str, message: object) -> Receipt:
        if to == "exec":
            self.supervisor.receive(message)
        else:
            self.on_notice()
        return ACCEPTED

    def set_timer(self, key: object, at_ms: int, message: object) -> None: ...

    def cancel_timer(self, key: object) -> None: ...

    def watch(self, address: str) -> None: ...

    def unwatch(self, address: str) -> None: ...

    def stop(self) -> None: ...


@asynccontextmanager
async def _open_bare() -> AsyncGenerator[_Bare]:
    bare = _Bare()
    registry = JobRegistry(secrets.randbelow)
    async with open_process_shell(bare.deliver, bare.now_ms) as shell:
        bare.supervisor = ExecSupervisor(bare, shell, registry)
        bare.jobs = Jobs(registry, bare.tell, bare.now_ms)
        yield bare


# Starting and reaping


async def _ours_per_s(count: int) -> float:
    async with _open_bare() as bare:

        async def one() -> None:
            await bare.jobs.run(ExecSpec(["true"]), OPS, yield_after_ms=None)

        return await _trio_rate(count, one)


async def _open_process_per_s(count: int) -> float:
    async def one() -> None:
        process = await trio.lowlevel.open_process(["true"])
        await process.wait()

    return await _trio_rate(count, one)


async def _trio_rate(count: int, one: Callable[[], Awaitable[None]]) -> float:
    async def worker() -> None:
        for _ in range(count // CONCURRENCY):
            await one()

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CONCURRENCY):
            nursery.start_soon(worker)
    return count / (time.perf_counter() - began)


async def _asyncio_per_s(count: int) -> float:
    async def worker() -> None:
        for _ in range(count // CONCURRENCY):
            process = await asyncio.create_subprocess_exec("true")
            await process.wait()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return count / (time.perf_counter() - began)


# From the exit to the handler


async def _ours_latencies_ms(count: int) -> list[float]:
    async with _open_bare() as bare:
        return [await _one_latency_ms(bare) for _ in range(count)]


async def _one_latency_ms(bare: _Bare) -> float:
    told = trio.Event()
    bare.on_notice = told.set
    handle = bare.jobs.start(ExecSpec(["sleep", "60"]), OPS)
    while handle.pid is None:
        await trio.sleep(0.001)
    began = time.perf_counter()
    os.kill(handle.pid, signal.SIGKILL)
    await told.wait()
    return (time.perf_counter() - began) * 1000


async def _bare_latencies_ms(count: int) -> list[float]:
    latencies: list[float] = []
    for _ in range(count):
        process = await trio.lowlevel.open_process(["sleep", "60"])
        began = time.perf_counter()
        process.kill()
        await process.wait()
        latencies.append((time.perf_counter() - began) * 1000)
    return latencies


# Output


async def _ours_mb_per_s(size: int) -> float:
    async with _open_bare() as bare:
        began = time.perf_counter()
        handle = await bare.jobs.run(ExecSpec(["head", "-c", str(size), "/dev/zero"]), OPS, yield_after_ms=None)
        took = time.perf_counter() - began
        assert handle.exit is not None
        return size / 1e6 / took


def _cat_mb_per_s(size: int) -> float:
    began = time.perf_counter()
    subprocess.run(["sh", "-c", f"head -c {size} /dev/zero | cat > /dev/null"], check=True)
    return size / 1e6 / (time.perf_counter() - began)


def _row(case: str, value: float, unit: str, peer: str, peer_value: float) -> Row:
    ratio = value / peer_value
    return {
        "benchmark": NAME,
        "case": case,
        "value": round(value, 3),
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 3),
        "ratio": round(ratio, 3),
    }


def run(*, quick: bool = False) -> Iterator[Row]:
    """Measure, one row at a time. ``quick`` takes seconds, and says little."""
    rounds = 1 if quick else ROUNDS
    count = 160 if quick else 800
    rates = [
        (trio.run(_ours_per_s, count), trio.run(_open_process_per_s, count), asyncio.run(_asyncio_per_s(count)))
        for _ in range(rounds)
    ]
    ours, bare, other = (max(rate[index] for rate in rates) for index in range(3))
    yield _row("start-and-reap", ours, "1/s", "trio open_process", bare)
    yield _row("start-and-reap", ours, "1/s", "asyncio create_subprocess_exec", other)
    latencies = sorted(trio.run(_ours_latencies_ms, count // 4))
    bare_latencies = sorted(trio.run(_bare_latencies_ms, count // 4))
    for case, index in (("exit-to-handler median", 0.5), ("exit-to-handler p99", 0.99)):
        at = int(len(latencies) * index)
        yield _row(case, latencies[at], "ms", "trio Process.wait", bare_latencies[at])
    size = 1 << (26 if quick else 30)
    speeds = [(trio.run(_ours_mb_per_s, size), _cat_mb_per_s(size)) for _ in range(rounds)]
    yield _row("output", max(s[0] for s in speeds), "MB/s", "cat through a pipe", max(s[1] for s in speeds))
