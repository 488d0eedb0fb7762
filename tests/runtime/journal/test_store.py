from __future__ import annotations

import pytest
from support.journal import COMMITTED, FENCED, UNAVAILABLE, ScriptedJournal, list_store
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.journal.port import BATCH_RECORDS_MAX, Mail


def test_an_image_shows_what_is_committed_and_no_more() -> None:
    journal = ScriptedJournal()
    store = list_store(journal)
    commit = store.append("ops", ["a", "b"], [Mail("router", "hello")])
    assert store.image("ops") == []
    journal.answer("ops")
    assert commit.outcome is COMMITTED
    store.committed("ops", ["a", "b"])
    assert store.image("ops") == ["a", "b"]
    assert store.image("dev") == []


def test_records_are_numbered_by_owner_and_without_a_gap() -> None:
    journal = ScriptedJournal(at_once=COMMITTED)
    store = list_store(journal)
    for owner, records in [("ops", ["a", "b"]), ("dev", ["x"]), ("ops", ["c"])]:
        store.append(owner, records, ())
    assert [(batch.owner, batch.seq) for batch in journal.batches] == [("ops", 0), ("dev", 0), ("ops", 2)]


def test_after_a_failure_the_numbers_go_on_from_what_is_committed() -> None:
    journal = ScriptedJournal()
    store = list_store(journal)
    for record in "abc":
        store.append("ops", [record], ())
    journal.answer("ops", COMMITTED)
    store.committed("ops", ["a"])
    journal.answer_all(UNAVAILABLE)
    store.failed("ops", UNAVAILABLE)
    store.append("ops", ["d"], ())
    journal.answer("ops")
    assert journal.batches[-1].seq == 1
    assert journal.durable["ops"] == ["a", "d"]
    assert store.image("ops") == ["a"]


def test_of_a_fenced_owner_nothing_is_kept() -> None:
    journal = ScriptedJournal(at_once=COMMITTED)
    store = list_store(journal)
    store.append("ops", ["a"], ())
    store.committed("ops", ["a"])
    store.failed("ops", FENCED)
    assert store.image("ops") == []


async def test_loading_is_a_fold_of_the_pages_of_what_could_be_claimed() -> None:
    journal = ScriptedJournal(at_once=COMMITTED, fenced={"dev"})
    journal.durable = {"ops": ["a", "b", "c", "d", "e"], "dev": ["x"]}
    store = list_store(journal)
    assert await store.load(["ops", "dev", "new"], lambda _: []) == ["ops", "new"]
    assert store.image("ops") == ["a", "b", "c", "d", "e"]
    store.append("ops", ["f"], ())
    assert (journal.batches[-1].seq, journal.batches[-1].token) == (5, 7)
    assert await store.load(["ops"], lambda _: []) == ["ops"]
    assert store.image("ops") == ["a", "b", "c", "d", "e", "f"]


async def test_a_gap_in_what_is_stored_is_refused() -> None:
    store = list_store(ScriptedJournal(lost=1, durable={"ops": ["a", "b", "c"]}))
    with pytest.raises(InvalidInputError, match="record 1 of 'ops' follows record -1; what is between them is missing"):
        await store.load(["ops"], lambda _: [])
    assert store.image("ops") == []


def test_a_batch_is_bounded() -> None:
    store = list_store(ScriptedJournal())
    with pytest.raises(InvalidInputError, match="1001 records of 'ops' in one batch, at most 1000"):
        store.append("ops", ["a"] * (BATCH_RECORDS_MAX + 1), ())
