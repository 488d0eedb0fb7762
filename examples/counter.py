"""An actor of one's own, and all one needs to know about it.

An actor is a class with ``receive``. It is made with a context, which is what it may ask of the system: its address,
the time, timers, telling others. It handles one message at a time, so it needs no locks; what it raises crashes it
alone, and a new one is made by its constructor.

Run it: ``python examples/counter.py``
"""

from __future__ import annotations

import trio
from attrs import define, field, frozen
from wakeward.protocols.actor import Context, Reply
from wakeward.runtime.kernel import ActorSystem, open_system


@frozen
class Add:
    """Count so many more."""

    amount: int


@frozen
class Get:
    """Ask for the count."""

    reply: Reply[int]


@define(eq=False)
class Counter:
    """Counts. ``receive`` is synchronous: a message is handled in about a microsecond and cannot be cancelled."""

    context: Context
    count: int = 0

    def receive(self, message: Add | Get) -> None:
        match message:
            case Add(amount):
                self.count += amount
            case Get(reply):
                reply(self.count)


@frozen
class Download:
    """Fetch a page and add its length to the counter of its site."""

    site: str
    seconds: float


@define(eq=False)
class Downloader:
    """Takes its time. With ``async def receive`` a message is handled in a task, which may await and be interrupted."""

    context: Context
    done: list[str] = field(factory=list[str])

    async def receive(self, message: Download) -> None:
        await trio.sleep(message.seconds)
        self.done.append(message.site)
        self.context.tell(f"counter:{message.site}", Add(len(message.site)))


async def count_downloads(system: ActorSystem) -> dict[str, int]:
    """Counters are made when the first message comes: ``counter("a.example")`` is good before and after."""
    counter = system.define("counter", Counter)
    downloader = system.spawn("downloader", Downloader)
    for site in ("a.example", "bb.example", "a.example"):
        assert downloader.tell(Download(site, seconds=0.01))
    await system.wait_idle()
    return {site: await counter(site).ask(Get) for site in ("a.example", "bb.example", "c.example")}


async def main() -> None:
    async with open_system() as system:
        print(await count_downloads(system))


if __name__ == "__main__":
    trio.run(main)
