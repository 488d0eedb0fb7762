"""Actors that save, over a journal that answers when the test says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from attrs import define, field
from support.journal import COMMITTED, ScriptedJournal, list_store
from wakeward.protocols.actor import HOST_OPS, Context
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem, open_system

OUT = HOST_OPS


QUICK = RestartSpec(backoff_first_ms=10, jitter=0.0)


@define(eq=False)
class Saver:
    """Saves each number it gets and shows it to the outside; a string is shown only; a callable is called."""

    context: Context
    stage: Stage
    owner: str
    state: list[object] = field(factory=list[object])

    def receive(self, message: object) -> object:
        if callable(message):
            return message(self)
        self.state.append(message)
        if not isinstance(message, str):
            self.context.save(self.owner, message)
        self.context.emit(OUT, message)
        return None


Message = Callable[[Saver], object] | int | str


@define(eq=False)
class Stage:
    """A system over a scripted journal, and what the outside has seen of its actors."""

    system: ActorSystem
    journal: ScriptedJournal
    image: Callable[[str], list[object]]
    shown: list[tuple[str, Any]] = field(factory=list[tuple[str, Any]])
    lives: dict[str, list[Saver]] = field(factory=dict[str, list[Saver]])

    def make(self, context: Context) -> Saver:
        """``kind:owner``; a life begins from what is committed."""
        owner = context.address.partition(":")[2]
        saver = Saver(context, self, owner, list(self.image(owner)))
        self.lives.setdefault(context.address, []).append(saver)
        return saver

    def tell(self, address: str, *messages: Message) -> None:
        for message in messages:
            assert self.system.tell(address, message)

    def shown_by(self, address: str) -> list[object]:
        return [what for at, what in self.shown if at == address]

    def state(self, address: str) -> list[object]:
        return self.lives[address][-1].state


@asynccontextmanager
async def staged(journal: ScriptedJournal | None = None) -> AsyncGenerator[Stage]:
    journal = journal or ScriptedJournal()
    store = list_store(journal)
    async with open_system(journal=store, seed=1) as system:
        stage = Stage(system, journal, store.image)
        system.perform_with({OUT: lambda address, what, _b, _c: stage.shown.append((address, what))})
        for kind in ("agent", "jobs"):
            system.define(kind, stage.make, restart=QUICK)
        try:
            yield stage
        finally:
            journal.at_once = journal.at_once or COMMITTED
            journal.answer_all()


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


def crash(me: Saver) -> None:
    me.context.save(me.owner, "never")
    me.context.emit(OUT, "never")
    raise ValueError("boom")
