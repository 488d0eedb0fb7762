"""Decisions of the ledger as lines for people: which agent, what, why, and until when.

An event and the wake that comes with it are two decisions, but one thing for the reader, so they become one line. Every
other decision is one line. The narrator knows no colours and no clock. Its caller maps tones to colours, and gives it a
function that shows an instant.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, assert_never, final

from attrs import frozen

from ...protocols.values.duration import format_duration
from ...protocols.values.ecmascript import es_trim
from ...protocols.wakes.decision import Decision, DecisionKind

TEXT_SHOWN_MAX: Final = 200
"""Characters of an event's text that a line shows."""


class Tone(enum.Enum):
    """The kind of news a line brings; the caller chooses a colour or a log level by it."""

    QUIET = "quiet"
    NEWS = "news"
    HELD = "held"
    AWAKE = "awake"
    GOOD = "good"
    BAD = "bad"


@final
@frozen
class Line:
    """One line.

    Attributes:
        at_ms: On the host's timeline.
        who: The agent, or the session key if no agent owns it.
        what: One word. ``event`` and ``wake`` are the first of a coming turn; what ``joins`` is coalesced with them.
        why: The rest of the line.
    """

    at_ms: int
    who: str
    what: str
    why: str
    tone: Tone


# The ledger's reasons are names for programs. Those of the guards are said in words too.
_GUARDS: Final = {
    "min-spacing": "cooling down",
    "not-due": "not due yet",
    "flood": "flood guard",
    "requests-in-flight": "busy",
    "active-run": "busy",
}


@final
class Narrator:
    """Makes lines from decisions. Give it every decision, in order."""

    def __init__(
        self, show_instant: Callable[[int], str], events_of: Callable[[int], int | None] = lambda _: None
    ) -> None:
        """Make a narrator.

        Args:
            show_instant: Shows an instant of the host's timeline, given in milliseconds.
            events_of: Gives the number of events that a turn was shown; ``None`` if it is not known.
        """
        self._show_instant = show_instant
        self._events_of = events_of
        self._event: Decision | None = None
        self._started_ms: dict[int, int] = {}

    def line(self, decision: Decision) -> Line | None:
        """The line for a decision; ``None`` for an event whose wake is the next decision."""
        # The ledger records an event and its wake one directly after the other, so one place to keep it is enough.
        event, self._event = self._event, None
        what, why, tone = self._said(decision, event)
        if not what:
            return None
        return Line(decision.at_ms, decision.agent_id or decision.session_key or "nobody", what, why, tone)

    def _said(self, decision: Decision, event: Decision | None) -> tuple[str, str, Tone]:
        match decision.kind:
            case DecisionKind.EVENT:
                if decision.intent is None:
                    return "event", f"{_text(decision)} (wakes nobody)", Tone.NEWS
                # Kept for the wake that is recorded next; the two are one line.
                self._event = decision
                return "", "", Tone.QUIET
            case DecisionKind.DUPLICATE:
                return "repeat", _text(decision), Tone.QUIET
            # These two come directly after the event of the same notice, and show its text in place of the reason.
            case DecisionKind.ACCEPTED if event is not None:
                return "event", _text(event), Tone.NEWS
            case DecisionKind.COALESCED if event is not None:
                return "joins", _text(event), Tone.NEWS
            case DecisionKind.ACCEPTED:
                return "wake", _asked(decision), Tone.NEWS
            case DecisionKind.COALESCED:
                return "joins", _asked(decision), Tone.NEWS
            case DecisionKind.DEFERRED:
                return "waits", self._until(decision), Tone.HELD
            case DecisionKind.FLOOD:
                return "flood", "too many turns in too short a time", Tone.BAD
            case DecisionKind.STARTED:
                # The end of a turn is recorded without its start, so the start is kept to say how long it took.
                self._started_ms[decision.turn_id or 0] = decision.at_ms
                return "turn", f"#{decision.turn_id}, woken by {_asked(decision)}", Tone.AWAKE
            case DecisionKind.RAN:
                return "ran", self._ran(decision), Tone.GOOD
            case DecisionKind.SEEN:
                return "seen", f"{_text(decision)} (its caller has the exit)", Tone.QUIET
            case DecisionKind.SKIPPED:
                turn = f"#{decision.turn_id}: " if decision.turn_id is not None else ""
                return "skipped", f"{turn}{decision.source}, {decision.reason}", Tone.QUIET
            case DecisionKind.FAILED:
                return (
                    "failed",
                    f"#{decision.turn_id} after {self._took(decision)}: {_short(decision.reason)}",
                    Tone.BAD,
                )
            case DecisionKind.PARKED:
                return "parked", f"{_short(decision.reason)}; its events stay for the next wake", Tone.BAD
            case DecisionKind.STUCK:
                return "stuck", f"#{decision.turn_id}: {_short(decision.reason)}", Tone.BAD
            case DecisionKind.DEAD:
                return "dead", f"{_text(decision)} ({decision.reason})", Tone.BAD
            case DecisionKind.REFUSED:
                return "refused", f"{decision.source}: {decision.reason}", Tone.BAD
            case _:
                assert_never(decision.kind)

    def _ran(self, decision: Decision) -> str:
        count = self._events_of(decision.turn_id or 0)
        seen = "" if count is None else f", saw {show_count(count, 'event')}"
        reply = f": {_short(decision.text)}" if decision.text else ""
        return f"#{decision.turn_id} in {self._took(decision)}{seen}{reply}"

    def _until(self, decision: Decision) -> str:
        guard = _GUARDS.get(decision.reason)
        why = f"{guard} ({decision.reason})" if guard else _short(decision.reason)
        return f"{self._instant(decision)}: {why}"

    def _instant(self, decision: Decision) -> str:
        if decision.until_ms is None:
            return "for a while"
        wait_ms = max(0, decision.until_ms - decision.at_ms)
        return f"until {self._show_instant(decision.until_ms)}, for {show_wait(wait_ms)}"

    def _took(self, decision: Decision) -> str:
        # pop, so that the table is bounded by the turns that run.
        return show_wait(decision.at_ms - self._started_ms.pop(decision.turn_id or 0, decision.at_ms))


def show_wait(ms: int) -> str:
    """A duration with the precision that a person needs: ``80 ms``, ``1.3 s``, ``2m5s``."""
    if ms < 100:
        return f"{ms} ms"
    # From a minute on, tenths of a second say nothing, so they are cut off.
    return f"{ms / 1000:.1f} s" if ms < 60_000 else format_duration(ms // 1000 * 1000)


def show_count(count: int, noun: str) -> str:
    """``no events``, ``1 event``, ``2 events``."""
    return f"{count or 'no'} {noun}" if count == 1 else f"{count or 'no'} {noun}s"


def _asked(decision: Decision) -> str:
    source = str(decision.source)
    reason = es_trim(decision.reason)
    # These reasons repeat the source, or say nothing.
    return source if reason in {"", "requested", source} else f"{source} ({_short(reason)})"


def _text(decision: Decision) -> str:
    return _short(decision.text or "")


def _short(text: str) -> str:
    """The text as one line, without characters that a terminal would obey."""
    # Event texts come from outside: an escape sequence in one could rewrite the screen.
    line = "".join(ch for ch in " ".join(text.split()) if ch.isprintable())
    return line if len(line) <= TEXT_SHOWN_MAX else f"{line[: TEXT_SHOWN_MAX - 1]}…"
