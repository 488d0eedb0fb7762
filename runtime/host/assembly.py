"""Joins the parts of a host: who is made of what, who performs which effect, and what becomes of a dead letter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final, final

import trio

from ...actors.agent.ports import AgentPorts, TurnEnded
from ...actors.jobs.supervisor import JobsSupervisor
from ...actors.router import ROUTER_ADDRESS, Directory, Router, refusal_of
from ...protocols import effects
from ...protocols.actor import Context
from ...protocols.config import HostConfig
from ...protocols.jobs.messages import JOBS_KIND
from ...protocols.journal.apply import AgentImage
from ...protocols.receipt import Receipt, Refusal
from ...protocols.restart import Exhausted, RestartSpec
from ...protocols.wakes.messages import Answer, Notice, NoticeRefused, Ticket, Wake
from ...protocols.wakes.turn import Outcome
from ..jobs.jobs import Jobs
from ..jobs.table import JobTable
from ..journal.store import Store
from ..kernel import ActorSystem, DeadLetter, DeadReason, MailboxSpec, Performer
from ..process import ProcessShell
from .commands import Commands
from .drain import HostDrain
from .host import Host
from .ledger import MemoryLedger
from .outstanding import Outstanding
from .parts import HostParts
from .roster import AGENT_KIND, Roster
from .sender import HostSender
from .statistics import AgentStatistics, ExecStatistics, HostStatistics
from .tickets import Tickets
from .turn import Turn
from .turn_runner import RunTurn, TurnRunner

_MAILBOX: Final = MailboxSpec(capacity=1_000_000)
_RESTART: Final = RestartSpec(intensity=20, exhausted=Exhausted.ESCALATE)
"""No agent dies in silence: one whose behaviour cannot be kept alive ends the host, with what it crashed of."""

_REFUSALS: Final[Mapping[DeadReason, Refusal]] = {
    DeadReason.FULL: Refusal.FULL,
    DeadReason.DRAINING: Refusal.DRAINING,
    DeadReason.DRAINED: Refusal.DRAINING,
    DeadReason.UNKNOWN: Refusal.UNKNOWN,
    DeadReason.UNAVAILABLE: Refusal.UNAVAILABLE,
    DeadReason.FENCED: Refusal.UNAVAILABLE,
}
"""What a sender is told of a message that was not handled; for every other reason, that the actor has stopped."""


@final
class Assembly:
    """One host, while it is put together and while it runs."""

    def __init__(
        self,
        config: HostConfig,
        boot: str,
        store: Store[AgentImage],
        system: ActorSystem,
        shell: ProcessShell,
        nursery: trio.Nursery,
    ) -> None:
        chance = random.Random()  # noqa: S311 - for jitter, and for names that people can tell apart
        self._system = system
        self._shell = shell
        self._nursery = nursery
        self._store = store
        self._boot = boot
        self._ledger = MemoryLedger(config.ledger_size)
        self._tickets = Tickets(boot)
        self._outstanding = Outstanding(system)
        self._directory = Directory(config.routing, config.default_agent)
        self._roster = Roster(system, self._directory, config, store.image, self._ledger.forget_counts)
        self._turns = TurnRunner(nursery, system.signal, self._run_turn, config.turns_max, self._outstanding)
        self._table = JobTable(system.signal, chance.randrange, count=self._outstanding.count_child)
        self.jobs = Jobs(self._table, system.clock.now_ms)
        self._agent_ports = AgentPorts(
            boot=boot,
            slots=self._turns,
            new_turn_id=self._turns.new_turn_id,
            is_turn_running=self._outstanding.is_open,
            is_exit_seen=self._table.is_seen,
            draw=chance.random,
        )
        system.perform_with({**self._performers(), **self.jobs.performers(shell)})
        system.define(AGENT_KIND, self._make_agent, mailbox=_MAILBOX, restart=_RESTART)
        system.define(JOBS_KIND, self._make_supervisor, mailbox=_MAILBOX, restart=_RESTART)
        router = system.spawn(ROUTER_ADDRESS, self._make_router, mailbox=_MAILBOX, restart=_RESTART)
        sender = HostSender(system, self._directory, router, self._tickets, self._ledger)
        self._commands = Commands(self._directory, sender, self.jobs)
        self.host = Host(
            config,
            HostParts(
                system=system,
                ledger=self._ledger,
                roster=self._roster,
                sender=sender,
                turns=self._turns,
                commands=self._commands,
                jobs=self.jobs,
                outstanding=self._outstanding,
                nursery=nursery,
                statistics=self._statistics,
                events_retained=self._events_retained,
                begin_drain=self._begin_drain,
            ),
        )

    # Actors

    def _make_agent(self, ctx: Context) -> Any:
        return self._roster.make_agent(ctx, self._agent_ports)

    def _make_supervisor(self, ctx: Context) -> Any:
        agent_id = ctx.address.partition(":")[2]
        return JobsSupervisor(ctx, agent_id, self._store.image(agent_id).jobs, self._table, boot=self._boot)

    def _make_router(self, ctx: Context) -> Any:
        return Router(ctx, self._directory)

    def _run_turn(self, agent_id: str) -> RunTurn:
        handler = self._roster.handler_of(agent_id)
        return lambda request: handler(Turn(request, self._commands))

    # Effects

    def _performers(self) -> Mapping[int, Performer]:
        return {
            effects.ANSWER: self._answer,
            effects.DECIDE: self._ledger.perform,
            effects.START_TURN: self._turns.start,
            effects.INTERRUPT_TURN: self._interrupt_turn,
            effects.CLOSE_TURN: self._close_turn,
            effects.RELEASE_SLOT: lambda address, key, _b, _c: self._turns.release(address, key),
            effects.SET_BUSY: self._outstanding.set_busy,
        }

    def _answer(self, _address: str, ticket: Ticket, answer: Answer, _c: object) -> None:
        self._tickets.answer(ticket, answer)

    def _close_turn(self, _address: str, turn_id: int, _b: object, _c: object) -> None:
        self._outstanding.close_turn(turn_id)

    def _interrupt_turn(self, _address: str, turn_id: int, outcome: Outcome, _c: object) -> None:
        self._turns.interrupt(turn_id, outcome)

    # Dead letters

    def on_dead_letter(self, letter: DeadLetter) -> None:
        """A message will not be handled: nobody must wait for what would have come of it."""
        match letter.message:
            case Wake() | Notice() as message:
                self._refuse(message, letter)
            case TurnEnded(turn_id=turn_id):
                self._outstanding.close_turn(turn_id)
            case message:
                self.jobs.give_up(message, f"{letter.reason.value} {letter.detail}".strip())

    def _refuse(self, message: Wake | Notice, letter: DeadLetter) -> None:
        refusal = _REFUSALS.get(letter.reason, Refusal.STOPPED)
        receipt = Receipt(refusal, f"{letter.to}: {letter.reason.value} {letter.detail}".strip())
        self._ledger.record(refusal_of(message, receipt, letter.at_ms))
        self._tickets.answer(message.ticket, receipt)
        if isinstance(message, Notice) and message.reply_to is not None and message.job_id is not None:
            self._system.signal(message.reply_to, NoticeRefused(message.job_id))

    # The whole

    def _statistics(self) -> HostStatistics:
        jobs = self._table.statistics()
        return HostStatistics(
            {agent_id: self._statistics_of(agent_id) for agent_id in self._roster.agents},
            ExecStatistics(jobs.live_count + jobs.exited_count, jobs.exited_count, jobs.live_count),
            len(self._turns.running),
            self._turns.waiting_count,
        )

    def _statistics_of(self, agent_id: str) -> AgentStatistics:
        counts = self._ledger.counts_of(agent_id)
        return AgentStatistics(
            wakes=counts.wakes,
            coalesced=counts.coalesced,
            deferred=dict(counts.deferred),
            turns=counts.turns,
            events_accepted=counts.events_accepted,
            events_presented=counts.events_presented,
            events_retained=sum(self._events_of(agent_id).values()),
            events_dead=counts.events_dead,
        )

    def _events_of(self, agent_id: str) -> dict[str, int]:
        """Events that were accepted and not yet presented, by session."""
        return {key: len(events) for key, events in self._store.image(agent_id).events.items()}

    def _events_retained(self) -> dict[str, int]:
        by_agent = [self._events_of(agent_id) for agent_id in self._roster.all_ids]
        return {key: count for events in by_agent for key, count in events.items()}

    def _begin_drain(self, grace_ms: int) -> HostDrain:
        return HostDrain(
            self._nursery,
            self._outstanding,
            self._turns,
            self._shell,
            self._tickets,
            self._events_retained,
            grace_ms,
        )
