from __future__ import annotations

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from wakeward.runtime.clock import Clock


async def test_the_timeline_begins_at_its_epoch(autojump_clock: trio.testing.MockClock) -> None:
    await trio.sleep(12.3)
    clock = Clock.start(epoch_ms=1_700_000_000_000)
    assert clock.now_ms() == 1_700_000_000_000
    await trio.sleep(1.5)
    assert clock.now_ms() == 1_700_000_001_500


async def test_the_wall_clock_moves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock.start()
    await trio.sleep(0.001)
    assert clock.now_ms() == 1


@given(st.floats(0, 2_000_000), st.integers(0, 2**42), st.integers(0, 10**10))
def test_at_a_deadline_its_instant_has_come(anchor_s: float, epoch_ms: int, after_ms: int) -> None:
    async def main() -> None:
        clock = Clock.start(epoch_ms)
        await trio.sleep_until(clock.deadline_s(epoch_ms + after_ms))
        assert clock.now_ms() == epoch_ms + after_ms

    mock = trio.testing.MockClock(autojump_threshold=0)
    mock.jump(anchor_s)
    trio.run(main, clock=mock)
