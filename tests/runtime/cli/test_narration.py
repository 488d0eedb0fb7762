"""The lines that people read while a host runs."""

from __future__ import annotations

import pytest
from wakeward.protocols.wakes.decision import Decision, DecisionKind
from wakeward.protocols.wakes.wake import Intent, Source
from wakeward.runtime.cli.narration import Narrator


@pytest.mark.parametrize("kind", DecisionKind)
def test_every_kind_of_decision_has_its_words(kind: DecisionKind) -> None:
    decision = Decision(0, kind, "ops", "agent:ops:main", Source.HOOK, Intent.EVENT, "why", 5, 1, "deploy finished")
    narrator = Narrator(str)
    line = narrator.line(decision)
    if kind is DecisionKind.EVENT:  # told with the wake that comes of it
        assert line is None
        line = narrator.line(Decision(0, DecisionKind.ACCEPTED, "ops", "agent:ops:main", Source.HOOK, Intent.EVENT))
    assert line is not None
    assert line.who == "ops"
    assert line.what
    assert line.why
