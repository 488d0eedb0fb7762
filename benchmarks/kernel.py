"""The actor kernel against what else there is in Python, and against Trio itself."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from wakeward.protocols.actor import Context, Reply
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorRef, ActorSystem, MailboxSpec, open_system

from . import peers
from .harness import Benchmark

BENCHMARK: Final = Benchmark("kernel")

BURST: Final = 1_000
BURSTS: Final = 200
WAKES: Final = 10_000
ASKS: Final = 10_000
CRASHES: Final = 10_000
IDLE: Final = 1_000_000
TIMERS: Final = 100_000
ACTORS: Final = 10_000
MESSAGES_EACH: Final = 100
BIG: Final = MailboxSpec(capacity=1_000_000)


class Counter:
    """Counts messages, and wakes a waiting task at a given count."""

    def __init__(self, _context: object) -> None:
        self.count = 0
        self.wake_at = -1
        self.task: trio.lowlevel.Task | None = None

    def receive(self, _message: object) -> None:
        self.count += 1
        if self.count == self.wake_at:
            assert self.task is not None
            trio.lowlevel.reschedule(self.task)

    async def wait_until(self, count: int) -> None:
        if self.count < count:
            self.wake_at = count
            self.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)


def in_system(measure: Callable[[ActorSystem], Awaitable[float]]) -> float:
    async def main() -> float:
        async with open_system() as system:
            return await measure(system)

    return trio.run(main)


def tell_rate(system: ActorSystem) -> Awaitable[float]:
    async def measure() -> float:
        counter = Counter(None)
        ref = system.spawn("counter", lambda _: counter, mailbox=BIG)
        await system.wait_idle()
        start = time.perf_counter()
        for burst in range(1, BURSTS + 1):
            tell = ref.tell
            for number in range(BURST):
                tell(number)
            await counter.wait_until(burst * BURST)
        return BURST * BURSTS / (time.perf_counter() - start)

    return measure()


def one_actor_rate() -> float:
    return in_system(tell_rate)


@BENCHMARK.case(
    "tell, one actor, bursts of 1000",
    unit="1/s",
    peers={
        "trio memory channel": peers.trio_channel_rate,
        "pykka": peers.pykka_tell_rate,
        "thespian": peers.thespian_tell_rate,
        "xoscar": peers.xoscar_tell_rate,
        "autogen-core": peers.autogen_publish_rate,
    },
    target="at least 8x a Trio memory channel, at least 3x Pykka",
)
def tell_burst() -> float:
    return one_actor_rate()


@BENCHMARK.case(
    "tell to an idle actor, until handled",
    unit="us",
    peers={"trio start_soon and exit": peers.trio_start_soon_us},
    target="at most 3x",
)
def tell_idle() -> float:
    async def measure(system: ActorSystem) -> float:
        counter = Counter(None)
        ref = system.spawn("counter", lambda _: counter)
        await system.wait_idle()
        start = time.perf_counter()
        for count in range(1, WAKES + 1):
            ref.tell(count)
            await counter.wait_until(count)
        return (time.perf_counter() - start) / WAKES * 1e6

    return in_system(measure)


class Echo:
    def __init__(self, _context: object) -> None: ...

    def receive(self, reply: Reply[int]) -> None:
        reply(1)


@BENCHMARK.case(
    "ask, warm",
    unit="1/s",
    peers={
        "pykka": peers.pykka_ask_rate,
        "autogen-core": peers.autogen_ask_rate,
        "xoscar": peers.xoscar_ask_rate,
        "thespian": peers.thespian_ask_rate,
        "trio memory channel, there and back": peers.trio_channel_ask_rate,
    },
    target="at least Pykka's rate, at least 10x autogen-core's",
)
def ask_warm() -> float:
    async def measure(system: ActorSystem) -> float:
        ref: ActorRef[Reply[int]] = system.spawn("echo", Echo)
        await ref.ask(lambda reply: reply)
        start = time.perf_counter()
        for _ in range(ASKS):
            await ref.ask(lambda reply: reply)
        return ASKS / (time.perf_counter() - start)

    return in_system(measure)


class Crasher(Counter):
    def receive(self, _message: object) -> None:
        super().receive(_message)
        raise ValueError


@BENCHMARK.case(
    "crash and restart bookkeeping",
    unit="us",
    peers={"plain activation": tell_idle},
    target="at most 4x",
)
def crash() -> float:
    async def measure(system: ActorSystem) -> float:
        crasher = Crasher(None)
        spec = RestartSpec(intensity=CRASHES, period_ms=1, backoff_first_ms=0)
        ref = system.spawn("crasher", lambda _: crasher, restart=spec)
        await system.wait_idle()
        start = time.perf_counter()
        for count in range(1, CRASHES + 1):
            ref.tell(count)
            await crasher.wait_until(count)
        return (time.perf_counter() - start) / CRASHES * 1e6

    return in_system(measure)


@BENCHMARK.case("1,000,000 idle actors, registered in", unit="s", target="under 5 s", rounds=3)
def register() -> float:
    async def measure(system: ActorSystem) -> float:
        kind = system.define("agent", Counter)
        start = time.perf_counter()
        for number in range(IDLE):
            kind(str(number))
        return time.perf_counter() - start

    return in_system(measure)


@BENCHMARK.case("idle actor, of 100,000", unit="bytes", target="at most 350", rounds=1)
def idle_bytes() -> float:
    async def measure(system: ActorSystem) -> float:
        kind = system.define("agent", Counter)
        tracemalloc.start()
        for number in range(IDLE // 10):
            kind(str(number))
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size / (IDLE // 10)

    return in_system(measure)


class Alarms:
    """Arms timers, when told how many, and keeps no record of them."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def receive(self, message: tuple[range, int]) -> None:
        keys, at_ms = message
        for key in keys:
            self.context.set_timer(key, at_ms, None)


async def _armed_each(system: ActorSystem) -> float:
    refs = [system.spawn(str(number), Alarms) for number in range(TIMERS)]
    await system.wait_idle()
    tracemalloc.start()
    for number, ref in enumerate(refs):
        ref.tell((range(1), 10**9 + number))
    await system.wait_idle()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / TIMERS


@BENCHMARK.case("armed timer, one each of 100,000 actors", unit="bytes", target="at most 300", rounds=1)
def timer_bytes() -> float:
    return in_system(_armed_each)


@BENCHMARK.case("armed timer, 100,000 of one actor", unit="bytes", target="at most 300", rounds=1)
def timer_bytes_of_one() -> float:
    async def measure(system: ActorSystem) -> float:
        ref = system.spawn("alarms", Alarms)
        await system.wait_idle()
        keys = range(TIMERS)
        tracemalloc.start()
        ref.tell((keys, 10**12))
        await system.wait_idle()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size / TIMERS

    return in_system(measure)


@BENCHMARK.case("re-arm one of 100,000 timers", unit="us", target="under 1 us")
def re_arm() -> float:
    async def measure(system: ActorSystem) -> float:
        ref = system.spawn("alarms", Alarms)
        ref.tell((range(TIMERS), 10**9))
        await system.wait_idle()
        start = time.perf_counter()
        ref.tell((range(TIMERS), 10**9 + 1))
        await system.wait_idle()
        return (time.perf_counter() - start) / TIMERS * 1e6

    return in_system(measure)


def random_order_rate(burst: int) -> float:
    async def measure(system: ActorSystem) -> float:
        kind = system.define("agent", Counter)
        refs = [kind(str(number)) for number in range(ACTORS)]
        order = refs * MESSAGES_EACH
        random.Random(1).shuffle(order)
        for ref in refs:
            ref.tell(0)
        await system.wait_idle()
        start = time.perf_counter()
        for number in range(0, len(order), burst):
            for ref in order[number : number + burst]:
                ref.tell(number)
            await system.wait_idle()
        return len(order) / (time.perf_counter() - start)

    return in_system(measure)


@BENCHMARK.case(
    "10,000 actors, 100 messages each, random order",
    unit="1/s",
    peers={"one actor, bursts of 1000": one_actor_rate},
    target="at least half",
    rounds=3,
)
def many_at_once() -> float:
    return random_order_rate(ACTORS * MESSAGES_EACH)


@BENCHMARK.case(
    "the same in bursts of 1000, nearly every message an activation",
    unit="1/s",
    peers={"one actor, bursts of 1000": one_actor_rate},
    rounds=3,
)
def many_activations() -> float:
    return random_order_rate(BURST)
