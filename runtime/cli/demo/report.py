"""The result of the demo: its numbers, whether they add up, and the JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from attrs import frozen

from ...host.statistics import HostStatistics
from .scenario import Observations


@final
@frozen
class DemoReport:
    """The result of a demo: the host's statistics, and beside them what the handlers saw."""

    statistics: HostStatistics
    observed: Observations

    def broken(self) -> list[str]:
        """Each promise that was not kept, as one sentence."""
        execs, total = self.statistics.execs, self.statistics.total
        # Both counts of the same thing are compared: the host's own, and what the handlers saw.
        observed = self.observed
        accepted = total("events_accepted")
        settled = total("events_presented") + total("events_retained") + total("events_dead")
        # A job id is its event's context key: so each exit can be followed from the start of its child to its turn.
        exits = [key for key in observed.owners if key.startswith("exec:")]
        # Not at least once: an exit that is shown twice is a broken promise too.
        wrongly_shown = sum(1 for key in exits if observed.shown[key] != 1)
        foreign = observed.cross_agent_turns
        promises = {
            f"{foreign} turns of an agent that did not own the wake": foreign == 0,
            f"{accepted} events accepted, but {settled} accounted for": accepted == settled,
            f"{execs.started} children started, but {execs.exited} exited": execs.started == execs.exited,
            f"{wrongly_shown} exits not shown to their owner exactly once": wrongly_shown == 0,
            f"{sum(observed.shown.values())} events seen in handlers, but {total('events_presented')} presented": (
                sum(observed.shown.values()) == total("events_presented")
            ),
            f"{sum(observed.turns.values())} turns entered, but {total('turns')} counted": (
                sum(observed.turns.values()) == total("turns")
            ),
        }
        # All of them, not the first: one broken promise often explains another.
        return [sentence for sentence, kept in promises.items() if not kept]

    def as_json(self) -> Mapping[str, Any]:
        """The object that ``--json`` prints."""
        statistics, total = self.statistics, self.statistics.total
        return {
            "agents": {
                agent_id: {
                    "wakes": agent.wakes,
                    "coalesced": agent.coalesced,
                    "deferred": dict(agent.deferred),
                    "turns": agent.turns,
                    "events_presented": agent.events_presented,
                }
                for agent_id, agent in statistics.agents.items()
            },
            "execs": {"started": statistics.execs.started, "exited": statistics.execs.exited},
            "events": {
                "accepted": total("events_accepted"),
                "presented": total("events_presented"),
                "retained": total("events_retained"),
                "dead": total("events_dead"),
            },
            "cross_agent_turns": self.observed.cross_agent_turns,
        }
