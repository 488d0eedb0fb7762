from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio.testing
from support.probe import Journal
from wakeward.runtime.kernel import ActorSystem, open_system


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
async def system(autojump_clock: trio.testing.MockClock) -> AsyncIterator[ActorSystem]:
    async with open_system(seed=1) as system:
        yield system
