"""The queue of a child's input: all or nothing, in order, within a bound, and with an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.input import INPUT_MAX_BYTES, InputQueue

PUTS = st.lists(st.one_of(st.binary(max_size=20), st.integers(0, INPUT_MAX_BYTES + 1), st.just(None)))
"""Bytes that are put, a number of bytes that are put, or a take."""


def test_what_it_begins_with_comes_first() -> None:
    queue = InputQueue(b"first ", stay_open=True)
    assert queue.put(b"second")
    assert queue.take() == b"first second"
    assert queue.take() == b""


def test_one_that_does_not_stay_open_ends_after_its_first_bytes() -> None:
    queue = InputQueue(b"all", stay_open=False)
    assert queue.closed
    assert not queue.put(b"late")
    assert queue.take() == b"all"


def test_what_is_queued_before_the_end_is_still_taken() -> None:
    queue = InputQueue(stay_open=True)
    queue.put(b"last")
    queue.close()
    assert not queue.put(b"late")
    assert queue.take() == b"last"


def test_discarding_drops_what_waits_and_ends_it() -> None:
    queue = InputQueue(b"x", stay_open=True)
    queue.discard()
    assert (queue.take(), queue.closed, queue.put(b"y")) == (b"", True, False)


def test_the_listener_hears_of_bytes_and_of_the_end_once() -> None:
    queue = InputQueue(stay_open=True)
    heard: list[bool] = []
    queue.listener = lambda: heard.append(queue.closed)
    queue.put(b"")
    queue.put(b"x")
    queue.close()
    queue.close()
    assert heard == [False, True]


@given(PUTS)
def test_it_takes_all_or_nothing_and_never_more_than_its_bound(puts: list[bytes | int | None]) -> None:
    queue = InputQueue(stay_open=True)
    waiting = b""
    for put in puts:
        if put is None:
            assert queue.take() == waiting
            waiting = b""
        else:
            data = put if isinstance(put, bytes) else bytes(put)
            fits = len(waiting) + len(data) <= INPUT_MAX_BYTES
            assert queue.put(data) is fits
            waiting += data if fits else b""
    assert queue.take() == waiting
