"""A journal that answers when a test says so: late, in any order across owners, unavailable, fenced."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import cast

import trio
from attrs import define, field
from wakeward.protocols.journal.port import Batch, Claim, CommitOutcome, Journal, Page
from wakeward.runtime.journal.store import Store

COMMITTED, UNAVAILABLE, FENCED = CommitOutcome.COMMITTED, CommitOutcome.UNAVAILABLE, CommitOutcome.FENCED


@define(eq=False)
class ScriptedCommit:
    outcome: CommitOutcome | None = None
    _answered: trio.Event = field(factory=trio.Event)

    def answer(self, outcome: CommitOutcome) -> None:
        assert self.outcome is None
        self.outcome = outcome
        self._answered.set()

    async def wait(self) -> CommitOutcome:
        await self._answered.wait()
        assert self.outcome is not None
        return self.outcome


@define(eq=False)
class ScriptedJournal:
    """Keeps the promises of the port and no more: order per owner, and nothing committed after what has failed.

    Attributes:
        at_once: Answered so at once, without being asked; ``None``: a test answers.
        lost: So many records at the beginning of each owner are missing when it is loaded.
        durable: The committed records, by owner.
        batches: Everything that was appended, in order.
    """

    at_once: CommitOutcome | None = None
    durable: dict[str, list[object]] = field(factory=dict[str, list[object]])
    batches: list[Batch] = field(factory=list[Batch])
    lost: int = 0
    fenced: set[str] = field(factory=set[str])
    _waiting: dict[str, deque[tuple[Batch, ScriptedCommit]]] = field(
        factory=dict[str, deque[tuple[Batch, ScriptedCommit]]]
    )

    def append(self, batch: Batch, /) -> ScriptedCommit:
        commit = ScriptedCommit()
        self.batches.append(batch)
        self._waiting.setdefault(batch.owner, deque()).append((batch, commit))
        if self.at_once is not None:
            while self.waiting_count(batch.owner):
                self.answer(batch.owner, self.at_once)
        return commit

    def answer(self, owner: str, outcome: CommitOutcome = COMMITTED) -> None:
        """Answer the oldest batch of an owner; a batch that does not follow what is durable is UNAVAILABLE anyway."""
        batch, commit = self._waiting[owner].popleft()
        stored = self.durable.setdefault(owner, [])
        if outcome is FENCED or owner in self.fenced:
            self.fenced.add(owner)
            commit.answer(FENCED)
        elif outcome is COMMITTED and batch.seq == len(stored):
            stored.extend(batch.records)
            commit.answer(COMMITTED)
        else:
            commit.answer(UNAVAILABLE)

    def answer_all(self, outcome: CommitOutcome = COMMITTED) -> None:
        """Answer everything that waits."""
        for owner in list(self._waiting):
            while self.waiting_count(owner):
                self.answer(owner, outcome)

    def waiting_count(self, owner: str) -> int:
        """How many batches of an owner wait for an answer."""
        return len(self._waiting.get(owner, ()))

    async def claim(self, owners: Iterable[str]) -> list[Claim]:
        await trio.lowlevel.checkpoint()
        return [Claim(owner, 7) for owner in owners if owner not in self.fenced]

    async def load(self, owners: Iterable[str]) -> AsyncIterator[Page]:
        """Two records a page."""
        for owner in owners:
            await trio.lowlevel.checkpoint()
            records = self.durable.get(owner, [])
            for start in range(self.lost, len(records), 2):
                yield Page(owner, None, start, records[start : start + 2])


def list_store(journal: ScriptedJournal) -> Store[list[object]]:
    """A store whose images are lists of records."""
    return Store(cast("Journal", journal), list[object], list[object].append)
