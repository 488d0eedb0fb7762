"""How the demo looks: lines that scroll, below them a board (on a terminal only), and at the end a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, final

from attrs import Factory, define, frozen
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ....protocols.wakes.decision import Decision, DecisionKind
from ..narration import Line, Narrator, Tone, show_count, show_wait
from .report import DemoReport
from .scenario import AGENTS, COOLDOWN

_COLOURS: Final[Mapping[str, str]] = dict(zip(AGENTS, ("cyan", "magenta", "yellow"), strict=True))
_STYLES: Final = {
    Tone.QUIET: "dim",
    Tone.NEWS: "",
    Tone.HELD: "blue",
    Tone.AWAKE: "bold",
    Tone.GOOD: "green",
    Tone.BAD: "red",
}
_BAR_CELLS: Final = 16


@frozen
class _Glyphs:
    """The characters that are drawn.

    Attributes:
        marks: The mark before a line's text, by tone.
        full: One cell of a bar.
        empty: One cell of the bar of a sleeping agent.
    """

    marks: Mapping[Tone, str]
    full: str
    empty: str


_PLAIN: Final = _Glyphs({Tone.AWAKE: ">", Tone.GOOD: "+", Tone.BAD: "!"}, "=", "-")
_FINE: Final = _Glyphs({Tone.AWAKE: "▶", Tone.GOOD: "✓", Tone.BAD: "✗"}, "━", "─")


def show_seconds(at_ms: int) -> str:
    """An instant of the demo's timeline, which starts at 0."""
    return f"{at_ms / 1000:.2f}s"


@define(eq=False)
class _State:
    """One agent on the board."""

    turn_id: int | None = None
    woken_by: str = ""
    held_until_ms: int = 0
    held_for_ms: int = 1
    held_why: str = ""
    turns: int = 0


@final
@define(eq=False)
class DemoShow:
    """Shows a demo on a console.

    Attributes:
        now_ms: The host's timeline.
        running: Gives the number of an agent's running children.
        waiting: Gives the number of an agent's waiting events.
        events_of: Gives the number of events that a turn was shown.
    """

    console: Console
    now_ms: Callable[[], int]
    running: Callable[[str], int]
    waiting: Callable[[str], int]
    events_of: Callable[[int], int | None]
    # The same narrator as in "wakeward run", so that the demo teaches the lines of the real log.
    _narrator: Narrator = Factory(lambda show: Narrator(show_seconds, show.events_of), takes_self=True)
    _states: dict[str, _State] = Factory(lambda: {name: _State() for name in AGENTS})

    @property
    def _glyphs(self) -> _Glyphs:
        # Other encodings may lack these characters, and to print them would raise.
        return _FINE if self.console.encoding.startswith("utf") else _PLAIN

    def live(self) -> Live:
        """The board, which is refreshed while the block runs. Without a terminal there is none."""
        return Live(
            get_renderable=self._board,
            console=self.console,
            refresh_per_second=10,
            auto_refresh=False,  # rich would refresh from a thread, while the event loop changes the host's state
            # The board is gone at the end: the closing table says the same, and more.
            transient=True,
        )

    def opening(self) -> None:
        """Introduce the demo."""
        self._say("One wake, one agent: three agents, real children, real guards.", "bold")
        self._say(f"The cooldown is short for this demo: {COOLDOWN}.", "dim")

    def caption(self, text: str) -> None:
        """Announce the next part."""
        self._say("")
        self._say(text, "bold")

    def decision(self, decision: Decision) -> None:
        """Show a decision, and update the board."""
        state = self._states.get(decision.agent_id or "")
        if state is not None:
            _follow(state, decision)
        line = self._narrator.line(decision)
        if line is not None:
            self._print(line)

    def _print(self, line: Line) -> None:
        mark, style = self._glyphs.marks.get(line.tone, " "), _STYLES[line.tone]
        text = Text()
        text.append(f"{show_seconds(line.at_ms):>7} ", "dim")
        # An owner that is none of the three is shown in red: it is the unknown agent whose event is refused.
        text.append(f"{line.who:<8} ", _COLOURS.get(line.who, "red"))
        text.append(f"{mark} {line.what:<8}", style)
        text.append(line.why, style)
        text.highlight_regex(r"signal \w+|code [1-9]\d*", "red")
        if self.console.is_terminal:  # a file or a pipe gets the whole line
            # A line that wraps would make the board below jump.
            self.console.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self.console.print(text, soft_wrap=True)

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=not self.console.is_terminal)

    # ---- the board

    def _board(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1), expand=False)
        grid.add_column(min_width=8, no_wrap=True)
        grid.add_column(min_width=_BAR_CELLS, no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for name, state in self._states.items():
            bar, doing = self._doing(state)
            running, waiting = self.running(name), self.waiting(name)
            notes = [doing]
            notes += [f"{running} running"] if running else []
            notes += [f"{show_count(waiting, 'event')} waiting"] if waiting else []
            grid.add_row(Text(name, _COLOURS[name]), bar, Text(", ".join(notes)))
        return Group(Rule(style="dim"), grid)

    def _doing(self, state: _State) -> tuple[Text, str]:
        full = self._glyphs.full
        if state.turn_id is not None:
            return Text(full * _BAR_CELLS, "bold green"), f"awake, turn #{state.turn_id} ({state.woken_by})"
        left_ms = state.held_until_ms - self.now_ms()
        if left_ms > 0:
            # At least one cell: an agent that is still held must not look asleep.
            cells = max(1, round(_BAR_CELLS * left_ms / max(1, state.held_for_ms)))
            return Text(full * min(cells, _BAR_CELLS), "blue"), f"held for {show_wait(left_ms)} ({state.held_why})"
        return Text(self._glyphs.empty * _BAR_CELLS, "dim"), "asleep"

    # ---- the end

    def closing(self, report: DemoReport) -> None:
        """Show the table, the sums, and whether they add up."""
        self._say("")
        self.console.print(self._table(report))
        for sentence in _sums(report):
            self._say(sentence)
        broken = report.broken()
        for sentence in broken:
            self._say(f"BROKEN: {sentence}", "bold red")
        if not broken:
            self._say("Every exit woke its owner, once, and nobody else.", "bold green")

    def _table(self, report: DemoReport) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        table.add_column("agent")
        for title in ("wakes asked for", "coalesced"):
            table.add_column(title, justify="right")
        table.add_column("deferred", no_wrap=True, max_width=26)
        for title in ("turns", "events presented"):
            table.add_column(title, justify="right")
        for name, agent in report.statistics.agents.items():
            deferred = "\n".join(f"{count} {reason}" for reason, count in sorted(agent.deferred.items())) or "0"
            numbers = [str(agent.wakes), str(agent.coalesced), deferred, str(agent.turns), str(agent.events_presented)]
            table.add_row(Text(name, _COLOURS[name]), *numbers)
        return table


def _follow(state: _State, decision: Decision) -> None:
    match decision.kind:
        case DecisionKind.STARTED:
            state.turn_id, state.woken_by, state.held_until_ms = decision.turn_id, str(decision.source), 0
        # A skip without a turn was decided before one began, so it ends none.
        case DecisionKind.RAN | DecisionKind.FAILED | DecisionKind.SKIPPED if decision.turn_id is not None:
            state.turn_id = None
        case DecisionKind.DEFERRED if decision.until_ms is not None:
            state.held_until_ms, state.held_why = decision.until_ms, decision.reason
            state.held_for_ms = decision.until_ms - decision.at_ms
        case _:
            pass


def _sums(report: DemoReport) -> list[str]:
    total, execs = report.statistics.total, report.statistics.execs
    accepted, presented = total("events_accepted"), total("events_presented")
    retained, dead = total("events_retained"), total("events_dead")
    return [
        f"children: {execs.started} started, {execs.exited} exited",
        f"events: {accepted} accepted = {presented} presented + {retained} retained + {dead} dead",
        f"turns of an agent that did not own the wake: {report.observed.cross_agent_turns}",
    ]
