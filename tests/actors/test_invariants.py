"""What must always hold of agents and router, whatever is asked of them and however turns end.

The invariants are in :mod:`support.agents_machine`. That each can fail is shown by :mod:`support.mutations`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.agents_machine import Agents
from support.mutations import MUTATIONS
from support.world import World
from wakeward.actors.agent.ports import Leaving, Retire
from wakeward.protocols.wakes.turn import Ran

SETTINGS = settings(
    max_examples=400, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAgents = Agents.TestCase
TestAgents.settings = SETTINGS


# Each invariant can fail: these break the code, one at a time, and the machine must notice.


@contextmanager
def _fails() -> Generator[None]:
    with pytest.raises((AssertionError, KeyError, IndexError, BaseExceptionGroup)):
        yield


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_each_invariant_can_fail(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    quick = settings(SETTINGS, max_examples=300, derandomize=True, database=None, phases=[Phase.generate])
    with _fails():
        run_state_machine_as_test(Agents, settings=quick)


def test_a_retired_agent_leaves_nothing_behind() -> None:
    world = World()
    world.add_agent(Agents.settings_of("a", None))
    world.notify("agent:a:main", "seen")
    world.notify("agent:a:main", "unseen")
    world.tell("agent:a", Retire(Leaving("removed")))
    world.settle()
    world.end(Ran())
    counts = world.counts["a"]
    assert (counts.events_presented, counts.events_dead, world.states["a"].events_retained) == (1, 1, 0)
    assert world.outstanding == 0
