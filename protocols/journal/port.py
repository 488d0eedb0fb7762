"""The port between decisions and storage.

A *batch* is what one message changed: records of one owner (an agent), and mail to other agents. It is stored whole or
not at all. The port is small, because SQLite, PostgreSQL and a journal in memory have to fit behind it:

- Order is kept per owner only. There is no number over all owners, and no "everything since": in a database that
  commits concurrently, number 7 can become visible after number 8.
- Each batch gets one of three answers, and never "perhaps". ``UNAVAILABLE`` is retryable and certainly not durable;
  ``FENCED`` is final: somebody else owns the agent now.
- Nothing is read from it on the way of a message. Whoever runs an agent keeps the agent's committed state beside it.
- No transaction, connection or cursor shows through.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, Protocol, final

from attrs import define, frozen

__all__ = [
    "BATCH_BYTES_MAX",
    "BATCH_RECORDS_MAX",
    "RECORD_BYTES_MAX",
    "Batch",
    "Claim",
    "Commit",
    "CommitOutcome",
    "Journal",
    "JournalStatistics",
    "Mail",
    "Page",
    "Tenure",
]

BATCH_RECORDS_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 1_048_576
RECORD_BYTES_MAX: Final = 262_144
"""The bounds fit every engine. A record counts by its stored body."""


class CommitOutcome(enum.Enum):
    """What became of a batch."""

    COMMITTED = "committed"
    """It is durable."""
    FENCED = "fenced"
    """Another host owns the agent. Its state here is to be thrown away. Final."""
    UNAVAILABLE = "unavailable"
    """It is certainly not durable, and may be tried again: no room, no connection, a full queue."""


class Tenure(enum.Enum):
    """Whether this host may start turns of the agents it has claimed."""

    HELD = "held"
    # A lease that may have run out is in doubt. A journal of one host (SQLite, memory) is HELD for ever.
    DOUBTFUL = "doubtful"
    LOST = "lost"


@final
@define(eq=False)
class Mail:
    """A message to an actor of another owner, in the same batch as the records that caused it.

    Attributes:
        to: The address of the actor.
        message: The message, which is data.
    """

    to: str
    message: object


@final
@define(eq=False)
class Batch:
    """What one message changed.

    Attributes:
        owner: The agent whose records these are.
        token: The fencing token under which the owner was claimed.
        seq: Number of the first record among the owner's records; dense, given by the writer, checked at load.
        records: Immutable values, in order.
        mail: Messages that must not be lost once the records are committed.
    """

    owner: str
    # Every record is stored with it, so that an owner that was replaced cannot write any more.
    token: int
    # From the owner and not from the engine: a number over all owners can become visible out of order.
    seq: int
    records: Sequence[object]
    mail: Sequence[Mail] = ()


class Commit(Protocol):
    """Tells what became of one batch."""

    @property
    def outcome(self) -> CommitOutcome | None:
        """``None`` while it is not known. A journal in memory knows at once."""
        ...

    async def wait(self) -> CommitOutcome:
        """Wait for the answer. Cancellation changes nothing about the batch."""
        ...


@final
@frozen
class Claim:
    """Says that this host owns an agent, under a fencing token."""

    owner: str
    token: int


@final
@define(eq=False)
class Page:
    """A part of what is stored of one owner: a snapshot first, if there is one, then records in the order of ``seq``.

    Attributes:
        seq: Number of the first record in ``records``; the snapshot stands for all before the first page's.
    """

    owner: str
    snapshot: object | None
    seq: int
    records: Sequence[object]


@final
@frozen
class JournalStatistics:
    """Counts since the journal was opened.

    Attributes:
        identity: A random name of this journal; a restored copy gets another one.
        version: Of the layout in which it stores.
        queued_batches: Batches without an answer yet.
        committed_batches: Batches that are durable.
        failed_batches: Batches that were fenced or unavailable.
    """

    # With a backup tokens go back. Under the old name, an owner that was replaced would then be right again.
    identity: str
    version: int
    queued_batches: int
    committed_batches: int
    failed_batches: int


class Journal(Protocol):
    """What a storage engine has to offer. The rules are at the head of this module."""

    @property
    def tenure(self) -> Tenure:
        """Whether turns may be started."""
        ...

    async def wait_tenure_changed(self) -> Tenure:
        """Wait for the next change of :attr:`tenure`."""
        ...

    # Not the machine's clock: hosts that share a journal must agree on what is earlier.
    def now_ms(self) -> int:
        """The journal's time, in milliseconds of Unix time."""
        ...

    # Not async: an actor's message is handled without waiting, and a full queue has to be an answer.
    def append(self, batch: Batch, /) -> Commit:
        """Take a batch. Never blocks; keeps the order per owner. Without room, the answer is UNAVAILABLE at once."""
        ...

    def room(self) -> int:
        """How many more batches would be taken now."""
        ...

    async def wait_room(self) -> None:
        """Wait until there is room for one batch."""
        ...

    # For a set of owners, and at any time: agents come and go while a host runs, and may belong to other hosts.
    async def claim(self, owners: Iterable[str]) -> list[Claim]:
        """Claim agents for this host. What is owned by another host is left out."""
        ...

    async def release(self, owners: Iterable[str]) -> None:
        """Give agents up. All their batches must have been answered before."""
        ...

    # In pages, because the events of one agent may be more than fits into memory at once.
    def load(self, owners: Iterable[str]) -> AsyncIterator[Page]:
        """What is stored of these agents, by owner and seq, in pages of bounded size."""
        ...

    async def checkpoint(self, owner: str, token: int, seq: int, snapshot: object) -> CommitOutcome:
        """Replace the records of ``owner`` before ``seq`` by a snapshot. Fenced as any other batch."""
        ...

    # A hint only: an engine may wake too often, and need not promise anything. Whoever waits looks with take_mail.
    async def mail_waiting(self) -> None:
        """Wait for a hint that there may be mail. It may return although there is none."""
        ...

    def take_mail(self, owners: Iterable[str]) -> AsyncIterator[Sequence[Mail]]:
        """Mail to these agents that was committed and not yet handed over, in pages."""
        ...

    async def check(self) -> list[str]:
        """Look for damage in what is stored. Returns one sentence for each fault, an empty list if there is none."""
        ...

    def statistics(self) -> JournalStatistics:
        """A snapshot of the counts."""
        ...
