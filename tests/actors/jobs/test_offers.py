"""When refused notices are offered again: each in the end, a full queue rarely, a free one soon."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wakeward.actors.jobs.offers import NOTICE_RETRY_MAX_MS, NOTICE_RETRY_MS, Offers

KEYS = dict.fromkeys(map(str, range(100)), "agent:ops:main")


def test_the_timer_is_armed_once_and_not_put_off() -> None:
    offers = Offers()
    assert offers.arm(0) is None
    offers.refused("1")
    assert offers.arm(5) == 5 + NOTICE_RETRY_MS
    offers.refused("2")
    assert offers.arm(500) is None
    assert offers.take(KEYS) == ["1"]
    assert offers.arm(2_000) == 2_000 + NOTICE_RETRY_MS


def test_the_delay_doubles_while_refusals_come_up_to_a_bound() -> None:
    offers = Offers()
    offers.refused("1")
    delays: list[int | None] = []
    for _ in range(7):
        delays.append(offers.arm(0))
        for job_id in offers.take(KEYS):
            offers.refused(job_id)
    assert delays == [1_000, 2_000, 4_000, 8_000, 16_000, NOTICE_RETRY_MAX_MS, NOTICE_RETRY_MAX_MS]


def test_what_is_settled_is_not_offered() -> None:
    offers = Offers()
    offers.refused("1")
    assert offers.take({}) == []
    assert offers.arm(0) is None


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 100))
def test_whatever_room_there_is_every_notice_is_taken_in_the_end_and_once(room: list[int], count: int) -> None:
    offers = Offers()
    taken: list[str] = []
    for number in range(count):
        offers.refused(str(number))
    for free in [*room, *[count] * 10]:
        if offers.arm(0) is None:
            break
        for position, job_id in enumerate(offers.take(KEYS)):
            if position < free:
                taken.append(job_id)
            else:
                offers.refused(job_id)
    assert sorted(taken) == sorted(map(str, range(count)))
