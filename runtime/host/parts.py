"""What a host is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio
from attrs import define

from ..jobs.jobs import Jobs
from ..kernel import ActorSystem
from .commands import Commands
from .drain import HostDrain
from .ledger import MemoryLedger
from .outstanding import Outstanding
from .roster import Roster
from .sender import HostSender
from .statistics import HostStatistics
from .turn_runner import TurnRunner


@final
@define(eq=False)
class HostParts:
    """The parts that a :class:`~.host.Host` hands its calls to.

    Attributes:
        begin_drain: Begin the drain, with a grace in milliseconds.
    """

    system: ActorSystem
    ledger: MemoryLedger
    roster: Roster
    sender: HostSender
    turns: TurnRunner
    commands: Commands
    jobs: Jobs
    outstanding: Outstanding
    nursery: trio.Nursery
    statistics: Callable[[], HostStatistics]
    events_retained: Callable[[], dict[str, int]]
    begin_drain: Callable[[int], HostDrain]
