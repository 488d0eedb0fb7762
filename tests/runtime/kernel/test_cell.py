"""The table of a cell's moves."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from support.probe import Journal, Message
from wakeward.protocols.restart import RestartSpec
from wakeward.runtime.kernel import ActorSystem
from wakeward.runtime.kernel.cell import MOVES, Cell, State

PAGE = Path(__file__).parents[3] / "docs" / "semantics.md"


def test_the_page_shows_the_table_of_moves() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| ([\w, -]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    shown = {source: set[str]() if to == "nowhere" else set(to.split(", ")) for source, to in rows}
    del shown["from"]
    assert shown == {source.value: {to.value for to in targets} for source, targets in MOVES.items()}


def test_every_state_has_a_row_and_can_be_reached() -> None:
    assert set(MOVES) == set(State)
    assert set[State]().union(*MOVES.values()) | {State.DORMANT} == set(State)


async def test_an_illegal_move_raises_and_nothing_has_happened(system: ActorSystem, journal: Journal) -> None:
    cell = _cell_of(system, journal)
    with pytest.raises(AssertionError, match="a cannot go from idle to restarting"):
        cell.restart()
    assert cell.state is State.IDLE
    assert system.tell("a", 1)
    await system.wait_idle()
    assert journal.messages == [1]


def _cell_of(system: ActorSystem, journal: Journal) -> Cell:
    ref = system.spawn("a", journal.probe)
    cell = ref._cell  # pyright: ignore[reportPrivateUsage]  moves cannot be made from outside
    cell.run()
    cell.kernel.ready.clear()
    cell.rest()
    return cell


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[State, State]]]:
    """Every change of any cell's state, those included that are written out."""
    seen: set[tuple[State, State]] = set()
    slot: Any = Cell.__dict__["state"]

    class Watched:
        def __get__(self, cell: Cell | None, owner: type) -> Any:
            return self if cell is None else slot.__get__(cell, owner)

        def __set__(self, cell: Cell, to: State) -> None:
            with contextlib.suppress(AttributeError):  # a new cell has no state before this
                seen.add((slot.__get__(cell, Cell), to))
            slot.__set__(cell, to)

    monkeypatch.setattr(Cell, "state", Watched())
    yield seen
    assert seen <= {(source, to) for source, targets in MOVES.items() for to in targets}


async def test_every_move_is_in_the_table(
    moves: set[tuple[State, State]], autojump_clock: trio.testing.MockClock, system: ActorSystem, journal: Journal
) -> None:
    spec = RestartSpec(backoff_first_ms=100, jitter=0.0)
    ref = system.spawn("a", journal.probe, restart=spec, passivate_after_ms=1_000)
    rounds: list[list[Message]] = [["x"], [ValueError("boom"), "x"], [lambda _: trio.sleep(1), "x"]]
    for messages in rounds:
        for message in messages:
            ref.tell(message)
        await trio.sleep(5)
    ref.tell(lambda _: trio.sleep_forever())
    await trio.sleep(1)
    ref.kill()
    await trio.sleep(1)
    assert {source for source, _ in moves} == set(State) - {State.STOPPED}
