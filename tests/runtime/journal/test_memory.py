from __future__ import annotations

import time
from typing import cast

import pytest
import trio
import trio.testing
from wakeward.protocols.journal.port import Batch, CommitOutcome, Journal, Tenure
from wakeward.runtime.journal.memory import MemoryJournal
from wakeward.runtime.journal.store import Store


def journal_over(images: dict[str, object]) -> Journal:
    return MemoryJournal("m-1", now_ms=lambda: 1_000, images=images)


async def test_everything_is_committed_at_once() -> None:
    journal = journal_over({})
    commit = journal.append(Batch("ops", 1, 0, ["a"]))
    assert commit.outcome is CommitOutcome.COMMITTED
    assert await commit.wait() is CommitOutcome.COMMITTED
    assert journal.room() > 0
    await journal.wait_room()
    statistics = journal.statistics()
    assert (statistics.identity, statistics.committed_batches, statistics.queued_batches) == ("m-1", 1, 0)
    assert (journal.now_ms(), journal.tenure, await journal.check()) == (1_000, Tenure.HELD, [])


async def test_a_batch_that_does_not_follow_is_not_taken() -> None:
    journal = journal_over({})
    journal.append(Batch("ops", 1, 0, ["a"]))
    assert journal.append(Batch("ops", 1, 2, ["c"])).outcome is CommitOutcome.UNAVAILABLE
    assert journal.append(Batch("ops", 1, 1, ["b"])).outcome is CommitOutcome.COMMITTED
    assert journal.statistics().failed_batches == 1


async def test_what_is_loaded_is_the_image_that_the_store_keeps() -> None:
    store = Store(MemoryJournal("m-1"), list[object], list[object].append)
    for record in ("a", "b"):
        store.append("ops", [record], ())
        store.committed("ops", [record])
    assert await store.load(["ops", "dev"], lambda image: list(cast("list[object]", image))) == ["ops", "dev"]
    assert (store.image("ops"), store.image("dev")) == (["a", "b"], [])
    assert store.append("ops", ["c"], ()).outcome is CommitOutcome.COMMITTED


def test_its_time_is_the_wall_clock() -> None:
    assert abs(MemoryJournal("m-1").now_ms() - time.time_ns() // 1_000_000) < 1_000


async def test_it_has_no_mail_and_no_other_host(autojump_clock: trio.testing.MockClock) -> None:
    journal = journal_over({"ops": []})
    assert [claim.owner for claim in await journal.claim(["ops"])] == ["ops"]
    assert await journal.checkpoint("ops", 1, 0, []) is CommitOutcome.COMMITTED
    await journal.release(["ops"])
    assert [page async for page in journal.take_mail(["ops"])] == []
    for wait in (journal.mail_waiting, journal.wait_tenure_changed):
        with pytest.raises(trio.TooSlowError):
            with trio.fail_after(1):
                await wait()
