"""``wakeward demo`` at a quarter of its time: the same host, agents and children, and the result that it shows."""

from __future__ import annotations

import io
import json

import pytest
from attrs import evolve
from rich.console import Console
from wakeward import AgentStatistics, HostStatistics
from wakeward.runtime.cli import main
from wakeward.runtime.cli.demo.command import play_demo
from wakeward.runtime.cli.demo.report import DemoReport
from wakeward.runtime.cli.demo.scenario import AGENTS, Observations
from wakeward.runtime.host.statistics import ExecStatistics

PACE = 0.25


async def played(console: Console | None) -> DemoReport:
    return await play_demo(console, PACE)


async def test_it_keeps_its_promises() -> None:
    report = await played(None)
    assert report.broken() == []
    told = report.as_json()
    assert told.keys() == {"agents", "execs", "events", "cross_agent_turns"}
    assert tuple(told["agents"]) == AGENTS
    for agent in told["agents"].values():
        assert agent.keys() == {"wakes", "coalesced", "deferred", "turns", "events_presented"}
        assert agent["wakes"] > agent["turns"] > 2
        assert agent["coalesced"] > 0
    held = [agent["deferred"] for agent in told["agents"].values()]
    assert any("min-spacing" in reasons for reasons in held)
    assert any("flood" in reasons for reasons in held)
    assert told["execs"] == {"started": 19, "exited": 19}
    assert told["events"] == {"accepted": 25, "presented": 25, "retained": 0, "dead": 0}
    assert told["cross_agent_turns"] == 0
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("width", [80])
async def test_on_a_terminal_each_decision_is_a_line(width: int) -> None:
    screen = io.StringIO()
    await played(Console(file=screen, force_terminal=True, width=width, color_system=None, highlight=False))
    said = screen.getvalue()
    assert "held for " in said, "the board"
    assert_told(said)
    assert max(len(line) for line in said.splitlines() if line.lstrip()[:1].isdigit()) <= width


async def test_without_a_terminal_nothing_is_cut_and_nothing_moves() -> None:
    screen = io.StringIO()
    await played(Console(file=screen, force_terminal=False, width=80, highlight=False))
    said = screen.getvalue()
    assert "\x1b" not in said
    assert "…" not in said
    assert "held for " not in said
    assert_told(said)


def assert_told(said: str) -> None:
    """What a person is to see, whatever the screen."""
    for words in (
        "cooldown is short",
        "woken by manual",
        "woken by exec-event",
        "joins",
        "waits   until",
        "coalesced",
    ):
        assert words in said, words
    assert "25 accepted = 25 presented + 0 retained + 0 dead" in said
    assert "turns of an agent that did not own the wake: 0" in said
    assert said.rstrip().endswith("Every exit woke its owner, once, and nobody else.")


STATISTICS = HostStatistics({"ops": AgentStatistics(5, 1, {"flood": 1}, 4, 4, 3, 1, 0)}, ExecStatistics(2, 2, 0), 0, 0)


def observed() -> Observations:
    seen = Observations(owners={"exec:a": "ops", "exec:b": "ops", "mail:1": "ops"})
    seen.turns["ops"] = 4
    seen.shown.update(["exec:a", "exec:b", "mail:1"])
    return seen


def test_what_adds_up_is_not_broken() -> None:
    assert DemoReport(STATISTICS, observed()).broken() == []


def changed(**agent: int) -> HostStatistics:
    return evolve(STATISTICS, agents={"ops": evolve(STATISTICS.agents["ops"], **agent)})


def test_each_broken_promise_is_said() -> None:
    foreign, twice, unseen = observed(), observed(), observed()
    foreign.cross_agent_turns = 1
    twice.shown.update(["exec:a"])
    unseen.shown["mail:1"] = 0
    lost = evolve(STATISTICS, execs=ExecStatistics(3, 2, 1))
    broken = {
        "1 turns of an agent that did not own the wake": DemoReport(STATISTICS, foreign),
        "1 exits not shown to their owner exactly once": DemoReport(
            changed(events_presented=4, events_accepted=5), twice
        ),
        "2 events seen in handlers, but 3 presented": DemoReport(STATISTICS, unseen),
        "3 children started, but 2 exited": DemoReport(lost, observed()),
        "5 events accepted, but 4 accounted for": DemoReport(changed(events_accepted=5), observed()),
        "4 turns entered, but 3 counted": DemoReport(changed(turns=3), observed()),
    }
    for sentence, report in broken.items():
        assert report.broken() == [sentence]


def test_a_broken_promise_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def play(console: Console | None) -> DemoReport:
        del console
        return DemoReport(changed(turns=3), observed())

    monkeypatch.setattr("wakeward.runtime.cli.demo.command.play_demo", play)
    assert main(["demo", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["agents"]["ops"]["turns"] == 3
    assert shown.err == "wakeward demo: 4 turns entered, but 3 counted\n"
