"""The store: what the kernel hands its records to. It keeps what is committed, by owner.

A journal is only written to while a host runs; nothing is read from it on the way of a message. So what a new life of
an actor starts from must be kept beside it: the *image* of an owner, the fold of its committed records. The image is
brought up to date when a commit is answered, not when it is handed over, so it never shows what may be taken back.

The store also numbers the records of each owner, because the journal must not: after a failed commit the numbers go on
from the last committed record, and only the writer knows that everything after it was taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar, final

from attrs import define, field

from ...protocols.errors import InvalidInputError
from ...protocols.journal.port import BATCH_RECORDS_MAX, Batch, Commit, CommitOutcome, Journal, Mail
from .memory import TOKEN, MemoryJournal

I = TypeVar("I")  # noqa: E741  an image


@final
@define(eq=False, weakref_slot=False)
class _Owner:
    """Numbers of one owner: of its next record, and of the first one that is not committed."""

    token: int
    next_seq: int = 0
    uncommitted_seq: int = 0


@final
@define(eq=False, repr=False)
class Store(Generic[I]):
    """Implements :class:`~wakeward.runtime.kernel.Recorder` over a journal.

    Attributes:
        journal: Where the batches go.
        new_image: The image of an owner without records.
        apply: Brings an image up to date with one record, in place. Must not raise for a record that was saved.
        images: What is committed, by owner. A journal in memory reads it too.
    """

    journal: Journal
    new_image: Callable[[], I]
    apply: Callable[[I, Any], None]
    images: dict[str, I] = field(init=False, factory=dict[str, I])
    _empty: I = field(init=False)
    _owners: dict[str, _Owner] = field(init=False, factory=dict[str, _Owner])

    def __attrs_post_init__(self) -> None:
        self._empty = self.new_image()
        if isinstance(self.journal, MemoryJournal):
            self.images = self.journal.images  # so that what is committed in memory is kept once

    def image(self, owner: str) -> I:
        """What is committed of ``owner``. Only to be read; it changes with the next commit: copy what is to be kept."""
        return self.images.get(owner, self._empty)

    async def load(self, owners: Iterable[str], from_snapshot: Callable[[object], I]) -> list[str]:
        """Claim owners, and fold what is stored of them.

        Args:
            owners: Whom to claim.
            from_snapshot: Makes an image of a snapshot.

        Returns:
            Those that this host has now. The others belong to another host.

        Raises:
            InvalidInputError: A record is missing in the journal. Nothing has changed.

        Cancellation: the owners may be claimed, and nothing else has changed; to load again is harmless.
        """
        claims = await self.journal.claim(owners)
        loaded = {claim.owner: (_Owner(claim.token), self.new_image()) for claim in claims}
        gap = ""
        async for page in self.journal.load(list(loaded)):  # to its end, also after a gap: nobody else would close it
            known, image = loaded[page.owner]
            if page.snapshot is not None:
                image = from_snapshot(page.snapshot)
            elif page.seq != known.next_seq:
                gap = gap or f"record {page.seq} of {page.owner!r} follows record {known.next_seq - 1}"
            for record in page.records:
                self.apply(image, record)
            known.next_seq = known.uncommitted_seq = page.seq + len(page.records)
            loaded[page.owner] = (known, image)
        if gap:
            raise InvalidInputError(f"journal: {gap}; what is between them is missing")
        for owner, (known, image) in loaded.items():
            self._owners[owner], self.images[owner] = known, image
        return list(loaded)

    @property
    def commit_at_once(self) -> Callable[[str, Any], None] | None:
        """See the kernel's port."""
        return self._add_to_image if isinstance(self.journal, MemoryJournal) else None

    def _add_to_image(self, owner: str, record: object) -> None:
        image = self.images.get(owner)
        if image is None:
            image = self.images[owner] = self.new_image()
        self.apply(image, record)

    def append(self, owner: str, records: Sequence[object], mail: Sequence[Mail]) -> Commit:
        """Hand one message's records to the journal.

        Raises:
            InvalidInputError: They are too many for one batch. Nothing was handed over.
        """
        if len(records) > BATCH_RECORDS_MAX:
            raise InvalidInputError(f"{len(records)} records of {owner!r} in one batch, at most {BATCH_RECORDS_MAX}")
        known = self._owners.get(owner)
        if known is None:
            known = self._owners[owner] = _Owner(TOKEN)
        batch = Batch(owner, known.token, known.next_seq, records, mail)
        known.next_seq += len(records)
        return self.journal.append(batch)

    def committed(self, owner: str, records: Sequence[object]) -> None:
        """These are durable."""
        for record in records:
            self._add_to_image(owner, record)
        self._owners[owner].uncommitted_seq += len(records)

    def failed(self, owner: str, outcome: CommitOutcome) -> None:
        """Everything of ``owner`` that is not committed is taken back. When it is fenced, another host has the owner,
        and what is known of it here is forgotten.
        """
        if outcome is CommitOutcome.FENCED:
            self._owners.pop(owner, None)
            self.images.pop(owner, None)
        else:
            known = self._owners[owner]
            known.next_seq = known.uncommitted_seq
