"""A journal in memory: everything is committed at once, and gone with the process.

It is the default, and it is on the way of every message, so it neither copies nor serialises. It does not keep the
records either, because they would grow without end: what they come to is in the store's images already, and
:meth:`MemoryJournal.load` answers from there. To fold them a second time, here, would double the cost of a record.

Mail is not kept: the kernel delivers it itself, in the same process, as soon as the batch is committed, which is at
once.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final, final

import trio
from attrs import define, field, frozen

from ...protocols.journal.port import Batch, Claim, CommitOutcome, JournalStatistics, Mail, Page, Tenure

ROOM: Final = 1_000_000
"""There is always room: a batch is committed before the next one comes."""
VERSION: Final = 1
TOKEN: Final = 1
"""Nobody else can claim what is in this process, so it never changes."""


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@final
@frozen
class AnsweredCommit:
    """A commit whose answer was known at once."""

    outcome: CommitOutcome

    async def wait(self) -> CommitOutcome:
        """The answer."""
        # So that a caller in a loop lets other tasks run and can be cancelled.
        await trio.lowlevel.checkpoint()
        return self.outcome


# One object for every commit: this is on the way of every message.
_COMMITTED: Final = AnsweredCommit(CommitOutcome.COMMITTED)
_UNAVAILABLE: Final = AnsweredCommit(CommitOutcome.UNAVAILABLE)


@final
@define(eq=False)
class MemoryJournal:
    """Implements :class:`~wakeward.protocols.journal.port.Journal`. See the module.

    Attributes:
        identity: A random name, given by the caller, so that a run can be repeated.
        images: The committed images by owner, which the store keeps here.
    """

    identity: str
    _read_ms: Callable[[], int] = field(default=_wall_clock_ms, alias="now_ms")
    # Here and not in the store: a second host on the same journal goes on where the first one stopped.
    images: dict[str, Any] = field(factory=dict[str, Any])
    _next_seq: dict[str, int] = field(factory=dict[str, int])
    _committed: int = 0
    _failed: int = 0

    @property
    def tenure(self) -> Tenure:
        """There is no other host."""
        return Tenure.HELD

    async def wait_tenure_changed(self) -> Tenure:
        """It never changes: waits until it is cancelled."""
        await trio.sleep_forever()
        return Tenure.HELD

    def now_ms(self) -> int:
        """The journal's time: the wall clock."""
        return self._read_ms()

    def append(self, batch: Batch, /) -> AnsweredCommit:
        """Take a batch; one whose number does not follow the owner's last one is not taken."""
        # A gap or a repeat is a mistake of the writer, and must not be committed as if it were none.
        if batch.seq != self._next_seq.get(batch.owner, 0):
            self._failed += 1
            return _UNAVAILABLE
        self._next_seq[batch.owner] = batch.seq + len(batch.records)
        self._committed += 1
        return _COMMITTED

    def room(self) -> int:
        """How many more batches would be taken now."""
        return ROOM

    async def wait_room(self) -> None:
        """There is room."""
        await trio.lowlevel.checkpoint()

    async def claim(self, owners: Iterable[str]) -> list[Claim]:
        """All of them are this host's."""
        await trio.lowlevel.checkpoint()
        return [Claim(owner, TOKEN) for owner in owners]

    async def release(self, owners: Iterable[str]) -> None:  # noqa: ARG002  the port's arguments
        """Nobody else could claim them."""
        await trio.lowlevel.checkpoint()

    async def load(self, owners: Iterable[str]) -> AsyncIterator[Page]:
        """The image of each owner that has one, as a snapshot."""
        for owner in owners:
            await trio.lowlevel.checkpoint()
            image = self.images.get(owner)
            if image is not None:
                yield Page(owner, image, self._next_seq.get(owner, 0), ())

    async def checkpoint(self, owner: str, token: int, seq: int, snapshot: object) -> CommitOutcome:  # noqa: ARG002  port
        """Nothing to do: the image is the snapshot."""
        await trio.lowlevel.checkpoint()
        return CommitOutcome.COMMITTED

    async def mail_waiting(self) -> None:
        """There is never any: waits until it is cancelled."""
        await trio.sleep_forever()

    async def take_mail(self, owners: Iterable[str]) -> AsyncIterator[Sequence[Mail]]:  # noqa: ARG002  the port's
        """There is never any."""
        await trio.lowlevel.checkpoint()
        # Makes this an async generator, as the port wants, without anything to yield.
        for _ in ():
            yield ()

    async def check(self) -> list[str]:
        """What is in memory is as it was put there."""
        await trio.lowlevel.checkpoint()
        return []

    def statistics(self) -> JournalStatistics:
        """A snapshot of the counts. Records that are committed at once, without a batch, are not among them."""
        return JournalStatistics(self.identity, VERSION, 0, self._committed, self._failed)
