"""The same work done by others. Each is imported when it is measured, and skipped when it is not installed."""

from __future__ import annotations

import importlib
import time
from typing import Any, Final

import trio

from .harness import require

MESSAGES: Final = 20_000
BURST: Final = 1_000
ASKS: Final = 2_000


def trio_channel_rate() -> float:
    """Messages through one memory channel, sender and receiver in a task each."""

    async def main() -> float:
        send, receive = trio.open_memory_channel[int](BURST)

        async def consume() -> None:
            async for _ in receive:
                pass

        start = time.perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            async with send:
                for number in range(MESSAGES):
                    await send.send(number)
        return MESSAGES / (time.perf_counter() - start)

    return trio.run(main)


def trio_channel_ask_rate() -> float:
    """A value there and another back, over two memory channels."""

    async def main() -> float:
        there, requests = trio.open_memory_channel[int](1)
        back, replies = trio.open_memory_channel[int](1)

        async def answer() -> None:
            async for number in requests:
                await back.send(number)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            start = time.perf_counter()
            for number in range(MESSAGES):
                await there.send(number)
                await replies.receive()
            rate = MESSAGES / (time.perf_counter() - start)
            there.close()
        return rate

    return trio.run(main)


def trio_start_soon_us() -> float:
    """Starting a task that wakes its starter and exits."""

    async def main() -> float:
        task = trio.lowlevel.current_task()

        async def wake() -> None:
            trio.lowlevel.reschedule(task)

        async with trio.open_nursery() as nursery:
            start = time.perf_counter()
            for _ in range(MESSAGES):
                nursery.start_soon(wake)
                await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
            elapsed = time.perf_counter() - start
        return elapsed / MESSAGES * 1e6

    return trio.run(main)


def _pykka_actor() -> Any:
    require("pykka")
    pykka: Any = importlib.import_module("pykka")

    class Counter(pykka.ThreadingActor):
        def on_receive(self, message: object) -> object:
            return message

    return Counter.start()


def pykka_tell_rate() -> float:
    """Bursts of tells to one actor, each burst ended by an ask that comes after them."""
    ref = _pykka_actor()
    try:
        start = time.perf_counter()
        for _ in range(MESSAGES // BURST):
            for number in range(BURST):
                ref.tell(number)
            ref.ask(0)
        return MESSAGES / (time.perf_counter() - start)
    finally:
        ref.stop()


def pykka_ask_rate() -> float:
    """Asks, one after the other."""
    ref = _pykka_actor()
    try:
        start = time.perf_counter()
        for number in range(ASKS):
            ref.ask(number)
        return ASKS / (time.perf_counter() - start)
    finally:
        ref.stop()


def _thespian() -> tuple[Any, Any]:
    require("thespian.actors")
    thespian: Any = importlib.import_module("thespian.actors")

    class Echo(thespian.Actor):
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802  Thespian's name
            if message == "ask":
                self.send(sender, message)

    system = thespian.ActorSystem("simpleSystemBase")
    return system, system.createActor(Echo)


def thespian_tell_rate() -> float:
    """Bursts of tells within one process, each ended by an ask."""
    system, actor = _thespian()
    try:
        start = time.perf_counter()
        for _ in range(MESSAGES // BURST):
            for number in range(BURST):
                system.tell(actor, number)
            system.ask(actor, "ask", 5)
        return MESSAGES / (time.perf_counter() - start)
    finally:
        system.shutdown()


def thespian_ask_rate() -> float:
    """Asks within one process, one after the other."""
    system, actor = _thespian()
    try:
        start = time.perf_counter()
        for _ in range(ASKS):
            system.ask(actor, "ask", 5)
        return ASKS / (time.perf_counter() - start)
    finally:
        system.shutdown()


def _run_asyncio(main: Any) -> float:
    asyncio: Any = importlib.import_module("asyncio")
    return asyncio.run(main)


async def _xoscar(asks: int, tells: int) -> float:
    xoscar: Any = importlib.import_module("xoscar")

    class Echo(xoscar.Actor):
        def echo(self, number: int) -> int:
            return number

    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with pool:
        ref = await xoscar.create_actor(Echo, address=pool.external_address)
        start = time.perf_counter()
        for number in range(asks):
            await ref.echo(number)
        for number in range(tells):
            await ref.echo.tell(number)
        if tells:
            await ref.echo(0)
        return (asks + tells) / (time.perf_counter() - start)


def xoscar_tell_rate() -> float:
    """Tells to an actor of the same pool, and an ask at the end."""
    require("xoscar")
    return _run_asyncio(_xoscar(0, MESSAGES // 4))


def xoscar_ask_rate() -> float:
    """Asks of an actor of the same pool."""
    require("xoscar")
    return _run_asyncio(_xoscar(ASKS, 0))


async def _autogen(asks: int, tells: int) -> float:
    core: Any = importlib.import_module("autogen_core")
    handled = 0

    class Echo(core.BaseAgent):
        async def on_message_impl(self, message: Any, ctx: Any) -> Any:  # noqa: ARG002  its signature
            nonlocal handled
            handled += 1
            return message

    runtime = core.SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", lambda: Echo("echo"))
    await runtime.add_subscription(core.TypeSubscription("topic", "echo"))
    runtime.start()
    start = time.perf_counter()
    for number in range(asks):
        await runtime.send_message(str(number), core.AgentId("echo", "default"))
    for number in range(tells):
        await runtime.publish_message(str(number), core.TopicId("topic", "default"))
    await runtime.stop_when_idle()
    seconds = time.perf_counter() - start
    assert handled == asks + tells, handled
    return handled / seconds


def autogen_publish_rate() -> float:
    """Messages published to a topic with one subscriber: its way of telling."""
    require("autogen_core")
    return _run_asyncio(_autogen(0, ASKS))


def autogen_ask_rate() -> float:
    """Messages sent for an answer, one after the other."""
    require("autogen_core")
    return _run_asyncio(_autogen(ASKS, 0))
