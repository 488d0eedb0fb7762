"""The ledger in memory: the last decisions, bounded, filterable, readable; and the log of those that need a person."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final, final

from loguru import logger

from ...protocols.wakes.decision import Decision, DecisionCounts, DecisionKind

LOGGED_EACH: Final = 10
"""How many decisions of a kind that needs a person are logged one by one."""

_LOGGED: Final = {
    DecisionKind.FLOOD: "flood guard holds agent {agent_id}: wakes wait until {until_ms}",
    DecisionKind.PARKED: "session {session_key} is parked {reason}; its events stay for the next wake",
    DecisionKind.STUCK: "session {session_key} is given up until its turn ends: {reason}",
    DecisionKind.DEAD: "an event of session {session_key} is dead: {reason}",
    DecisionKind.REFUSED: "refused for agent {agent_id}, session {session_key}: {reason}",
}
_NO_COUNTS: Final = DecisionCounts()


@final
class MemoryLedger:
    """Keeps the last ``size`` decisions, and counts all.

    Attributes:
        counts: How many of each kind there have been, also of those no longer kept.
    """

    def __init__(self, size: int) -> None:
        self._decisions: deque[Decision] = deque(maxlen=size)
        self.counts: Counter[DecisionKind] = Counter()
        self._by_agent: dict[str, DecisionCounts] = {}
        self._watchers: tuple[Callable[[Decision], None], ...] = ()

    @contextmanager
    def watch(self, watcher: Callable[[Decision], None]) -> Generator[None]:
        """While the block runs, call ``watcher`` with each decision as it is made. It must neither raise nor wait."""
        self._watchers = (*self._watchers, watcher)
        try:
            yield
        finally:
            self._watchers = tuple(known for known in self._watchers if known is not watcher)

    def record(self, decision: Decision, /) -> None:
        """Keep a decision; what needs a person's eye is logged as a warning."""
        self.perform("", decision)

    def perform(self, _address: str, decision: Decision, _b: object = None, _c: object = None) -> None:
        """The same, as the performer of the effect ``DECIDE``."""
        kind, agent_id = decision.kind, decision.agent_id
        self._decisions.append(decision)
        self.counts[kind] += 1
        if agent_id is not None:
            counts = self._by_agent.get(agent_id)
            if counts is None:
                counts = self._by_agent[agent_id] = DecisionCounts()
            counts.note(decision)
        for watcher in self._watchers:
            watcher(decision)
        if kind in _LOGGED and self._is_news(kind):
            logger.warning(
                _LOGGED[kind] + " ({count} so far)",
                count=self.counts[kind],
                agent_id=agent_id,
                session_key=decision.session_key,
                reason=decision.reason,
                until_ms=decision.until_ms,
            )

    def _is_news(self, kind: DecisionKind) -> bool:
        """The first ten of a kind, then whenever their number has doubled: a flood makes no flood of lines."""
        count = self.counts[kind]
        return count <= LOGGED_EACH or count & (count - 1) == 0

    def counts_of(self, agent_id: str) -> DecisionCounts:
        """The books of one agent since it was added."""
        return self._by_agent.get(agent_id, _NO_COUNTS)

    def forget_counts(self, agent_id: str) -> None:
        """The agent has left."""
        self._by_agent.pop(agent_id, None)

    def __len__(self) -> int:
        return len(self._decisions)

    def __iter__(self) -> Iterator[Decision]:
        """The kept decisions, oldest first."""
        return iter(tuple(self._decisions))

    def of(self, *, agent_id: str | None = None, session_key: str | None = None) -> list[Decision]:
        """The kept decisions about one agent, one session, or both."""
        return [
            decision
            for decision in self
            if agent_id in (None, decision.agent_id) and session_key in (None, decision.session_key)
        ]
