"""Snapshots of a host, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class AgentStatistics:
    """One agent since it was added.

    Attributes:
        wakes: Wakes that it was asked for, those that came with an event included.
        coalesced: Of these, how many joined another that was pending.
        deferred: How often a wake was held, by what held it.
        events_retained: Accepted and waiting. Accepted = presented + retained + dead.
    """

    wakes: int
    coalesced: int
    deferred: Mapping[str, int]
    turns: int
    events_accepted: int
    events_presented: int
    events_retained: int
    events_dead: int


@frozen
class ExecStatistics:
    """Children since the host was opened."""

    started: int
    exited: int
    running: int


@frozen
class HostStatistics:
    """The whole host."""

    agents: Mapping[str, AgentStatistics]
    execs: ExecStatistics
    turns_running: int
    turns_waiting: int

    def total(self, name: str) -> int:
        """The sum of one number over all agents, by the name of its field."""
        return sum(getattr(agent, name) for agent in self.agents.values())


@frozen
class DrainReport:
    """What a drain left.

    Attributes:
        in_time: Every turn and every child ended within the grace.
        turns_interrupted: Sessions whose turn was cancelled.
        children_ended: Children that were still running when the grace was over.
        events_retained: Events not yet presented, by session.
    """

    in_time: bool
    turns_interrupted: tuple[str, ...]
    children_ended: int
    events_retained: Mapping[str, int]
