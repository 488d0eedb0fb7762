"""The host: from a wake to the handler, wakes by the hundred thousand, what an idle agent costs, what an import
costs."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from wakeward import AgentSpec, CooldownPolicy, Host, HostConfig, Turn, open_host

from .harness import Benchmark

BENCHMARK = Benchmark("host")

LATENCY_WAKES: Final = 300
ACCEPTED: Final = 100_000
SESSIONS: Final = 10_000
IDLE_AGENTS: Final = 20_000

NO_GUARDS: Final = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)


def _in_host(job: Callable[[Host], Awaitable[float]]) -> float:
    async def main() -> float:
        async with open_host(HostConfig(drain_grace=0)) as host:
            return await job(host)

    return trio.run(main)


class _Stopwatch:
    """Adds up the time from starts to stops, the second of which come from another task."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._began_s = 0.0
        self.stopped = trio.Event()

    def start(self) -> None:
        self.stopped = trio.Event()
        self._began_s = time.perf_counter()

    def stop(self) -> None:
        self.total_s += time.perf_counter() - self._began_s
        self.stopped.set()


def _start_soon() -> float:
    """The least that reacting to anything costs in Trio: a task for each."""

    async def main() -> float:
        watch = _Stopwatch()

        async def handle() -> None:
            watch.stop()
            await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for _ in range(LATENCY_WAKES):
                watch.start()
                nursery.start_soon(handle)
                await watch.stopped.wait()
        return watch.total_s / LATENCY_WAKES * 1e6

    return trio.run(main)


@BENCHMARK.case("wake to handler", unit="us", peers={"trio start_soon": _start_soon})
def wake_to_handler() -> float:
    """``host.wake`` of an idle agent, until its handler is entered."""

    async def job(host: Host) -> float:
        watch = _Stopwatch()

        async def handle(_turn: Turn) -> None:
            watch.stop()
            await trio.lowlevel.checkpoint()

        host.add_agent(AgentSpec("ops", handle, cooldown=NO_GUARDS))
        for _ in range(LATENCY_WAKES):
            watch.start()
            host.wake("agent:ops:main", source="hook", intent="immediate", coalesce_ms=0)
            await watch.stopped.wait()
            await host.wait_idle()
        return watch.total_s / LATENCY_WAKES * 1e6

    return _in_host(job)


def _accept(sessions: int) -> float:
    keys = [f"agent:ops:s{n}" for n in range(sessions)]

    async def job(host: Host) -> float:
        host.add_agent(AgentSpec("ops", _nothing, cooldown=NO_GUARDS))
        began = time.perf_counter()
        for start in range(0, ACCEPTED, 1_000):
            for n in range(start, start + 1_000):
                host.wake(keys[n % sessions], source="hook", intent="event", coalesce_ms=3_600_000)
            await host.system.wait_idle()
        return ACCEPTED / (time.perf_counter() - began)

    return _in_host(job)


async def _nothing(_turn: Turn) -> None:
    await trio.lowlevel.checkpoint()


def _channel() -> float:
    """What a Trio memory channel passes on in the same time."""

    async def main() -> float:
        send, receive = trio.open_memory_channel[int](1_000)

        async def produce() -> None:
            async with send:
                for number in range(ACCEPTED // 4):
                    await send.send(number)

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            async for _ in receive:
                pass
        return ACCEPTED // 4 / (time.perf_counter() - began)

    return trio.run(main)


@BENCHMARK.case("wakes accepted, 1 session", unit="1/s", target="300,000", peers={"trio channel": _channel}, rounds=3)
def accepted_one() -> float:
    """Wakes for one session, until the agent has merged them all."""
    return _accept(1)


@BENCHMARK.case(
    "wakes accepted, 10,000 sessions", unit="1/s", target="300,000", peers={"trio channel": _channel}, rounds=3
)
def accepted_many() -> float:
    """Wakes for many sessions of one agent, until the agent has taken them all."""
    return _accept(SESSIONS)


def _storm(agents: int) -> float:
    async def job(host: Host) -> float:
        for n in range(agents):
            host.add_agent(AgentSpec(f"a{n}", _nothing, cooldown=NO_GUARDS))
        keys = [f"agent:a{n}:main" for n in range(agents)]
        began = time.perf_counter()
        for key in keys:
            host.wake(key, source="hook", intent="immediate", coalesce_ms=0)
        await host.wait_idle()
        elapsed = time.perf_counter() - began
        assert host.statistics().total("turns") == agents
        return agents / elapsed

    return _in_host(job)


def _tasks() -> float:
    """Bare Trio tasks, four at a time, that do what the handler does: nothing."""

    async def main() -> float:
        slots = trio.CapacityLimiter(4)

        async def handle() -> None:
            async with slots:
                await trio.lowlevel.checkpoint()

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(10_000):
                nursery.start_soon(handle)
        return 10_000 / (time.perf_counter() - began)

    return trio.run(main)


@BENCHMARK.case(
    "turns, 1,000 agents with a wake each",
    unit="1/s",
    target="15,000; OpenClaw on Node 2,700",
    peers={"trio tasks": _tasks},
    rounds=3,
)
def storm_1k() -> float:
    """A storm over distinct agents, until all turns are done."""
    return _storm(1_000)


@BENCHMARK.case("turns, 10,000 agents with a wake each", unit="1/s", target="15,000", rounds=3)
def storm_10k() -> float:
    """The same, ten times as wide."""
    return _storm(10_000)


@BENCHMARK.case(
    "turns, 100,000 agents with a wake each", unit="1/s", target="15,000; OpenClaw on Node: none in 3 min", rounds=1
)
def storm_100k() -> float:
    """The same, a hundred times as wide."""
    return _storm(100_000)


@BENCHMARK.case("memory of an idle agent", unit="bytes", rounds=1)
def idle_agent() -> float:
    """What one more agent that has nothing to do takes, its specification included."""

    async def job(host: Host) -> float:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for n in range(IDLE_AGENTS):
            host.add_agent(AgentSpec(f"a{n}", _nothing))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return grown / IDLE_AGENTS

    return _in_host(job)


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1000


@BENCHMARK.case("import wakeward", unit="ms", peers={"import trio": lambda: _python("import trio")})
def import_time() -> float:
    """A fresh interpreter that imports the package."""
    return _python("import wakeward")
