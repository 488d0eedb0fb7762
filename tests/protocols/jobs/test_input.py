"""What waits to be written to a child."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from wakeward.protocols.jobs.input import INPUT_MAX_BYTES, InputQueue


def test_what_is_put_is_taken_in_one_piece_and_in_order() -> None:
    queue = InputQueue(b"one ", stay_open=True)
    assert queue.put(b"two ")
    assert queue.put(b"three")
    assert queue.take() == b"one two three"
    assert queue.take() == b""


def test_what_there_is_at_first_is_all_unless_it_stays_open() -> None:
    queue = InputQueue(b"all", stay_open=False)
    assert queue.closed
    assert not queue.put(b"more")
    assert queue.take() == b"all"


def test_what_there_is_at_first_takes_room() -> None:
    queue = InputQueue(b"x", stay_open=True)
    assert not queue.put(b"y" * INPUT_MAX_BYTES)


def test_what_has_no_room_is_refused_whole() -> None:
    queue = InputQueue(stay_open=True)
    assert queue.put(b"x" * (INPUT_MAX_BYTES - 1))
    assert not queue.put(b"yy")
    assert queue.put(b"y")
    assert not queue.put(b"z")
    assert len(queue.take()) == INPUT_MAX_BYTES
    assert queue.put(b"z" * INPUT_MAX_BYTES)


def test_what_is_queued_is_still_written_after_the_end_is_asked_for() -> None:
    queue = InputQueue(stay_open=True)
    queue.put(b"last words")
    queue.close()
    assert queue.closed
    assert not queue.put(b"")
    assert queue.take() == b"last words"


def test_a_child_that_reads_no_more_gets_nothing() -> None:
    queue = InputQueue(b"x" * INPUT_MAX_BYTES, stay_open=True)
    queue.discard()
    assert queue.closed
    assert queue.take() == b""


def test_who_listens_hears_of_each_change() -> None:
    queue = InputQueue(stay_open=True)
    changes: list[str] = []
    queue.listener = lambda: changes.append("closed" if queue.closed else "filled")
    for data in (b"x", b"", b"y" * INPUT_MAX_BYTES):
        queue.put(data)
    queue.take()
    queue.close()
    queue.close()
    queue.discard()
    assert changes == ["filled", "closed"]


class Reader(RuleBasedStateMachine):
    """Whatever is done to it, the queue hands over what it accepted, once and in order, and no more than its bound."""

    @initialize(first=st.binary(max_size=3), stay_open=st.booleans())
    def begin(self, first: bytes, stay_open: bool) -> None:
        self.queue = InputQueue(first, stay_open=stay_open)
        self.accepted, self.taken, self.is_closed = first, b"", not stay_open

    @rule(data=st.binary(max_size=3), times=st.sampled_from([1, INPUT_MAX_BYTES // 3]))
    def put(self, data: bytes, times: int) -> None:
        data *= times
        waiting = len(self.accepted) - len(self.taken)
        is_taken = self.queue.put(data)
        assert is_taken == (not self.is_closed and waiting + len(data) <= INPUT_MAX_BYTES)
        self.accepted += data if is_taken else b""

    @rule()
    def take(self) -> None:
        self.taken += self.queue.take()
        assert self.taken == self.accepted

    @rule()
    def close(self) -> None:
        self.queue.close()
        self.is_closed = True

    @rule()
    def discard(self) -> None:
        self.queue.discard()
        self.accepted, self.is_closed = self.taken, True

    @invariant()
    def it_is_closed_when_it_was_closed(self) -> None:
        if hasattr(self, "queue"):
            assert self.queue.closed == self.is_closed


TestReader = Reader.TestCase
