"""The host: agents, their router and their children, assembled and alive.

    async with open_host() as host:
        host.add_agent(AgentSpec("ops", handler))
        await host.notify("agent:ops:main", "deploy finished", source="hook", intent="immediate")
        await host.wait_idle()

What a host is made of: a :class:`~.kernel.ActorSystem`, in which the router, the agents and the exec supervisor live;
the turn runner; the process shell; the ledger. They meet here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final, Unpack, final

import trio
from loguru import logger

from ...actors.agent.agent import Agent
from ...actors.agent.ports import AgentPorts
from ...actors.agent.session import Lane
from ...actors.agent.state import AgentState, Configure, Pause, Retire
from ...actors.jobs.supervisor import JobsSupervisor
from ...actors.router import Directory, Router, refusal_of
from ...protocols.actor import Context
from ...protocols.config import HostConfig
from ...protocols.errors import HostClosedError, InvalidInputError
from ...protocols.jobs.messages import JOBS_KIND, ShellFact
from ...protocols.jobs.record import JobRecord
from ...protocols.journal.records import JobForgotten
from ...protocols.receipt import Receipt, Refusal
from ...protocols.restart import Exhausted, RestartSpec
from ...protocols.sessions.locate import Location
from ...protocols.sessions.route import normalize_agent_id
from ...protocols.values.duration import Duration, duration_ms
from ...protocols.values.ecmascript import es_trim
from ...protocols.wakes.cooldown import CooldownClock
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.event_queue import Full
from ...protocols.wakes.messages import Notice, NoticeRefused, NoticeSeen, Wake
from ...protocols.wakes.turn import Failed, Outcome, Skipped, TurnRequest
from ...protocols.wakes.wake import Intent, Source
from ..config.handlers import configured_agents
from ..jobs.handle import JobHandle
from ..jobs.jobs import Jobs
from ..jobs.options import Command, JobOptions
from ..jobs.table import JobTable
from ..kernel import ActorRef, ActorSystem, MailboxSpec
from ..process import ProcessShell
from .agent_spec import AgentSpec
from .drain import Drain
from .ledger import MemoryLedger
from .statistics import AgentStatistics, DrainReport, ExecStatistics, HostStatistics
from .turn import Turn
from .turn_runner import INTERRUPTED, TurnRunner, current_turn
from .wake_options import Settled, WakeOptions, checked_ms, intent_of, receipt_of, source_of, wake_of

_ROUTER: Final = "router"
_MAILBOX: Final = MailboxSpec(capacity=1_000_000)
_RESTART: Final = RestartSpec(restarts_max=20, exhausted=Exhausted.ESCALATE)
"""No agent dies in silence: one whose behaviour cannot be kept alive ends the host, with what it crashed of."""
CANCEL_GRACE_MS: Final = 5_000
"""How long, when the grace of a drain is over, children have between SIGTERM and SIGKILL."""


@final
class Host:
    """A running host. Made by :func:`open_host`; usable within its block.

    Attributes:
        ledger: The latest decisions: what was accepted, deferred until when, started, finished, refused, and why.
        system: The actor system underneath, for actors of your own.
        config: The configuration in force.
    """

    def __init__(self, config: HostConfig, system: ActorSystem, shell: ProcessShell, nursery: trio.Nursery) -> None:
        """See :func:`open_host`."""
        self.config = config
        self.system = system
        self.ledger = MemoryLedger(config.ledger_size)
        self._directory = Directory(config.routing, config.default_agent)
        self._specs: dict[str, AgentSpec] = {}  # by address, as the states: a leaving agent keeps its own
        self._leaving: dict[str, set[str]] = {}
        self._states: dict[str, AgentState] = {}
        self._agent_numbers = count(2)
        self._outstanding = 0
        self._idle = trio.lowlevel.ParkingLot()
        self._quiet = trio.lowlevel.ParkingLot()
        self._shell = shell
        chance = random.Random()  # noqa: S311 - for jitter, and for names that people can tell apart
        self._table = JobTable(system.signal, chance.randrange, count=self._count_children)
        self._jobs = Jobs(self._table, system.clock.now_ms)
        self._records: dict[str, dict[str, JobRecord]] = {}
        system.perform(self._jobs.performers(shell), self._save)
        self._turns = TurnRunner(nursery, self._tell_agent, self._handler_of, config.turns_max)
        self._configured: set[str] = set()
        self._paused = False
        self._draining: Drain | None = None
        self._abandoned = False
        self._nursery = nursery
        ports = AgentPorts(self._turns, self.ledger, chance.random, self._count)
        system.define(
            "agent", lambda ctx: Agent(ctx, self._states[ctx.address], ports), mailbox=_MAILBOX, restart=_RESTART
        )
        self._router: ActorRef[Wake | Notice | NoticeSeen] = system.spawn(
            _ROUTER,
            lambda ctx: _WithJobs(Router(ctx, self._directory, self.ledger), system, self._table),
            mailbox=_MAILBOX,
        )
        system.define(JOBS_KIND, self._supervisor, mailbox=_MAILBOX)

    def _supervisor(self, ctx: Context) -> JobsSupervisor:
        agent_id = ctx.address.partition(":")[2]
        return JobsSupervisor(ctx, agent_id, self._records.get(agent_id, {}), self._table, boot="this")

    def _save(self, owner: str, record: object) -> None:
        jobs = self._records.setdefault(owner, {})
        if isinstance(record, JobRecord):
            jobs[record.id] = record
        elif isinstance(record, JobForgotten):
            jobs.pop(record.job_id, None)

    def _count_children(self, _change: int) -> None:
        self._idle.unpark_all()
        self._quiet.unpark_all()

    # ---- agents

    def add_agent(self, spec: AgentSpec) -> None:
        """Let an agent live here. It is woken from now on.

        Raises:
            InvalidInputError: The host has an agent of that id.
            HostClosedError: The host is draining.
        """
        self._check_open()
        if spec.id in self._directory.addresses:
            raise InvalidInputError(f"agent {spec.id!r} is here already; remove it first, or reconfigure")
        address = f"agent:{spec.id}"
        if address in self._states:
            address = f"{address}#{next(self._agent_numbers)}"  # its namesake is still leaving
        self.system.revive(address)
        settings = self.config.settings_of(spec.id, spec)
        clock = CooldownClock(settings.interval_ms, self.system.clock.now_ms())
        self._states[address] = AgentState(settings, clock, paused=self._is_held(spec.id))
        self._specs[address] = spec
        self._directory.enter(spec.id, address)
        if settings.heartbeat is not None:
            self.system.tell(address, Configure(settings))  # an agent with a beat is awake to keep it
        for remark in spec.heartbeat.remarks if spec.heartbeat else ():
            logger.warning("agent {}: {}", spec.id, remark)

    def remove_agent(self, agent_id: str) -> None:
        """Let an agent go: it takes no more turns. A running one ends as it would; events that no turn has seen become
        dead letters of the ledger, and whoever waits for an outcome is told. An agent of the same id that is added
        meanwhile takes its first turn when that one has ended.

        Raises:
            InvalidInputError: There is no such agent.
        """
        agent_id = normalize_agent_id(agent_id)
        address = self._directory.leave(agent_id)
        if address is None:
            raise InvalidInputError(f"no agent {agent_id!r} here; agents: {self._known()}")
        self._leaving.setdefault(agent_id, set()).add(address)
        self.system.signal(address, Retire("agent removed"))
        self._nursery.start_soon(self._forget, agent_id, address)

    async def _forget(self, agent_id: str, address: str) -> None:
        await self.system.wait_stopped(address)
        del self._states[address], self._specs[address]
        self._leaving[agent_id].remove(address)
        if not self._leaving[agent_id]:
            del self._leaving[agent_id]
        if agent_id in self._directory.addresses:
            self._hold_or_release(agent_id)

    def _is_held(self, agent_id: str) -> bool:
        return self._paused or self._draining is not None or agent_id in self._leaving

    def _hold_or_release(self, agent_id: str) -> None:
        self.system.signal(self._directory.addresses[agent_id], Pause(self._is_held(agent_id)))

    def reconfigure_agent(self, spec: AgentSpec) -> None:
        """Give a running agent a new specification. Its guards and what is pending are kept; a running turn keeps the
        old one.

        Raises:
            InvalidInputError: There is no such agent.
        """
        address = self._directory.addresses.get(spec.id)
        if address is None:
            raise InvalidInputError(f"no agent {spec.id!r} here; agents: {self._known()}")
        self._specs[address] = spec
        self.system.tell(address, Configure(self.config.settings_of(spec.id, spec)))

    def reconfigure(self, config: HostConfig) -> None:
        """Take another configuration while running. Nothing fires twice; guards, pending wakes and events are kept;
        turns that run end as they began. The agents of the old configuration that the new one lacks are removed, new
        ones are added; agents that were added by :meth:`add_agent` stay. The ledger keeps its size.

        Raises:
            ConfigError: An agent of the configuration cannot be loaded; nothing has changed.
            HostClosedError: The host is draining.
        """
        self._check_open()
        specs = {spec.id: spec for spec in configured_agents(config)}
        for agent_id in sorted(self._configured - specs.keys()):
            self.remove_agent(agent_id)
        self.config = config
        self._directory.configure(config.routing, config.default_agent)
        self._turns.slots.resize(config.turns_max)
        for agent_id, address in self._directory.addresses.items():
            self.reconfigure_agent(specs.get(agent_id, self._specs[address]))
        for spec in specs.values():
            if spec.id not in self._directory.addresses:
                self.add_agent(spec)
        self._configured = set(specs)

    def set_heartbeats(self, *, enabled: bool) -> None:
        """Hold every wake in the host, or let them go again. What is held is not dropped; running turns end as they
        would.
        """
        self._paused = not enabled
        for agent_id in self.agents:
            self._hold_or_release(agent_id)

    @property
    def agents(self) -> tuple[str, ...]:
        """The ids of the agents that live here."""
        return tuple(self._directory.addresses)

    def _handler_of(self, address: str) -> Callable[[TurnRequest], Awaitable[object]]:
        handler = self._specs[address].handler
        return lambda request: handler(Turn(request, self))

    # ---- wakes and events

    def wake(
        self,
        session_key: str | None = None,
        *,
        source: Source | str,
        intent: Intent | str,
        **options: Unpack[WakeOptions],
    ) -> Receipt:
        """Ask that one session take a turn. Returns at once; never blocks; works while cancelled.

        Args:
            session_key: Which session; ``None`` means the main session of ``agent_id``.
            source: Who asks.
            intent: How urgent it is; the cooldown reads this alone.
            options: See :class:`~wakeward.runtime.wake_options.WakeOptions`.

        Returns:
            Truthy when accepted: then a turn follows, as soon as the agent's guards allow. Else why not.

        Raises:
            InvalidInputError: ``source`` or ``intent`` is none of the known ones.
        """
        return self._send(wake_of(session_key, source, intent, options))

    async def wake_and_wait(
        self,
        session_key: str | None = None,
        *,
        source: Source | str,
        intent: Intent | str,
        until_deferred: bool = False,
        **options: Unpack[WakeOptions],
    ) -> Outcome:
        """Wake a session and wait for the outcome of the turn that comes of it.

        Args:
            session_key: As for :meth:`wake`, and so are the others.
            source: Who asks.
            intent: How urgent it is.
            until_deferred: Return at the first deferral, as ``Skipped(reason, retry_at_ms)``; the wake itself goes on.
            options: See :class:`~wakeward.runtime.wake_options.WakeOptions`.

        Returns:
            The outcome. A wake that was refused is a permanent failure with the reason.

        Raises:
            InvalidInputError: ``source`` or ``intent`` is none of the known ones; or it is called within a turn of that
                session, which would wait for itself (openclaw#13508).

        Cancellation: the wake goes on.
        """
        found = self._directory.resolve(session_key, options.get("agent_id"))
        turn = current_turn.get()
        if turn is not None and isinstance(found, Location) and found.session_key == turn.session_key:
            raise InvalidInputError(f"a turn of {turn.session_key!r} cannot wait for its own session; use wake")
        return await self._outcome_of(self._ask(wake_of(session_key, source, intent, options), until_deferred))

    async def broadcast(
        self,
        *,
        source: Source | str,
        intent: Intent | str,
        until_deferred: bool = False,
        **options: Unpack[WakeOptions],
    ) -> dict[str, Outcome]:
        """Wake the main session of every agent that has a cadence, each with a wake of its own. The only fan-out there
        is.

        Args:
            source: As for :meth:`wake`, and so are the others.
            intent: How urgent it is.
            until_deferred: Take the first deferral of an agent, with the instant at which it is retried, for its
                outcome.
            options: See :class:`~wakeward.runtime.wake_options.WakeOptions`.

        Returns:
            Each agent's own outcome, by agent id.

        Cancellation: the wakes go on.
        """
        asked = {
            agent_id: self._ask(wake_of(None, source, intent, {**options, "agent_id": agent_id}), until_deferred)
            for agent_id, address in self._directory.addresses.items()
            if self._states[address].clock.interval_ms is not None
        }
        return {agent_id: await self._outcome_of(answer) for agent_id, answer in asked.items()}

    async def notify(
        self,
        session_key: str,
        text: str,
        *,
        source: Source | str,
        intent: Intent | str | None = Intent.EVENT,
        reason: str | None = None,
        context_key: str | None = None,
        delivery: DeliveryContext | None = None,
        trusted: bool = False,
        coalesce_ms: int = 0,
        agent_id: str | None = None,
    ) -> Receipt:
        """Queue an event for a session, and wake it.

        Args:
            session_key: Which session.
            text: What happened. Not blank.
            source: Who says it.
            intent: How urgent its wake is; ``None`` queues the event for whoever wakes the session next.
            reason: The wake's reason, for people; by default the source.
            context_key: What it is about; a repeat of a queued event about the same is not queued twice.
            delivery: Where an answer should go.
            trusted: The text is our own; what comes from outside is not.
            coalesce_ms: How long its wake waits for company.
            agent_id: The owner, where the key names none.

        Returns:
            When the event is accepted for good: truthy, also when a queued event says the same already. Falsy when it
            was
            refused: nobody owns the session, or its queue is full (try again later).

        Raises:
            InvalidInputError: The text is blank, or ``source`` or ``intent`` is none of the known ones.

        Cancellation: the event may or may not have been accepted.
        """
        if not isinstance(text, str) or not es_trim(text):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            raise InvalidInputError(f"the event for session {session_key!r} has no text: {text!r}")
        source = source_of(source)
        settled = Settled()
        notice = Notice(
            session_key,
            text,
            source,
            None if intent is None else intent_of(intent),
            reason or source.value,
            agent_id,
            context_key,
            delivery,
            trusted,
            checked_ms("coalesce_ms", coalesce_ms),
            settled,
        )
        receipt = self._send(notice)
        if not receipt:
            await trio.lowlevel.checkpoint()
            return receipt
        return receipt_of(await settled.wait(), session_key)

    def _ask(self, wake: Wake, until_deferred: bool) -> Settled:
        wake.settle = settled = Settled()
        wake.settle_on_deferral = until_deferred
        receipt = self._send(wake)
        if not receipt:
            settled(receipt)
        return settled

    async def _outcome_of(self, settled: Settled) -> Outcome:
        answer = await settled.wait()
        if isinstance(answer, Receipt):
            return Failed(answer.detail, transient=answer.refusal is Refusal.FULL)
        return answer

    def _send(self, message: Wake | Notice) -> Receipt:
        """Hand over to the router, and say truthfully at once whether somebody owns it."""
        if self._draining is not None:
            receipt = Receipt(Refusal.DRAINING, "the host is draining")
        else:
            found = self._directory.resolve(message.session_key, message.agent_id)
            receipt = found if isinstance(found, Receipt) else self._router.tell(message)
        if not receipt:
            self.ledger.record(refusal_of(message, receipt, self.system.clock.now_ms()))
        return receipt

    # ---- children

    async def exec(
        self, session_key: str, command: Command, *, agent_id: str | None = None, **options: Any
    ) -> JobHandle:
        """Run a command for a session. Its exit is told to the session's owner, and to nobody else.

        Args:
            session_key: For whom.
            command: A shell command, or a program and its arguments.
            agent_id: The owner, where the key names none.
            options: See :class:`~wakeward.runtime.jobs.options.JobOptions`.

        Returns:
            A handle; its ``exit`` is set when the command ended before it went into the background.

        Raises:
            InvalidInputError: Nobody owns the session, or the command or an option cannot be used.
            TooManyJobsError: The agent has too many live children.
            HostClosedError: The host is draining.

        Cancellation: a command that is still waited for is ended, silently.
        """
        return await self.exec_with(session_key, command, JobOptions(**options), agent_id=agent_id)

    async def exec_with(
        self,
        session_key: str,
        command: Command,
        options: JobOptions,
        *,
        agent_id: str | None = None,
        source: Source = Source.EXEC_EVENT,
    ) -> JobHandle:
        """As :meth:`exec`, with options that are made already. ``source`` says who reports a silence."""
        self._check_open()
        found = self._directory.resolve(session_key, agent_id)
        if isinstance(found, Receipt):
            raise InvalidInputError(found.detail)
        return await self._jobs.exec(found, command, options, source=source)

    def jobs(self, agent_id: str) -> list[JobHandle]:
        """The jobs of an agent, running and finished."""
        return list(self._jobs.list(normalize_agent_id(agent_id)))

    def deliver(self, fact: ShellFact) -> None:
        """How the process shell tells the supervisors; it works while cancelled, and nothing is refused."""
        self._jobs.deliver(fact)

    # ---- the whole

    async def wait_idle(self) -> None:
        """Wait until there is nothing left to do: no wake pending, deferred ones included, no turn, no child running.

        Beats to come, detached children and events that nobody is to be woken for do not count.

        Raises:
            HostClosedError: The host has drained, and what is pending will not be done any more.
        """
        while True:
            await self.system.wait_idle()
            if self._abandoned:
                raise HostClosedError("the host has drained; what was pending is in the drain's report")
            if self._outstanding == 0 and self._table.statistics().live_count == 0:
                return
            await self._idle.park()

    def statistics(self) -> HostStatistics:
        """A snapshot."""
        agents = {agent_id: self._statistics_of(self._states[at]) for agent_id, at in self._directory.addresses.items()}
        exited, running = self._table.statistics().exited_count, self._table.statistics().live_count
        slots = self._turns.slots
        return HostStatistics(
            agents, ExecStatistics(exited + running, exited, running), len(self._turns.running), slots.waiting_count
        )

    def _statistics_of(self, state: AgentState) -> AgentStatistics:
        counts = state.counts
        return AgentStatistics(
            counts.wakes,
            counts.coalesced,
            dict(counts.deferred),
            counts.turns,
            counts.events_accepted,
            counts.events_presented,
            state.events_retained,
            counts.events_dead,
        )

    async def drain(self, grace: Duration | None = None) -> DrainReport:
        """End in four phases: refuse what is new, start no more turns, let turns and children end within the grace,
        cancel the rest (children: SIGTERM, then SIGKILL). Events that were accepted and not presented are reported; who
        waits for a wake is told ``Skipped("host drained")``.

        Args:
            grace: By default the configuration's ``drain_grace``. A second call waits for the same end; a shorter grace
                hastens it.

        Cancellation: the drain goes on when somebody else waits for it; leaving the host's block always finishes it.
        """
        grace_ms = self.config.drain_grace_ms if grace is None else duration_ms(grace)
        if self._draining is None:
            self._draining = Drain(self, self._nursery, grace_ms)
            for agent_id in self.agents:
                self._hold_or_release(agent_id)
        self._draining.hasten(grace_ms)
        return await self._draining.wait()

    async def wait_quiet(self) -> None:
        """Wait until no turn and no child runs; wakes may be pending."""
        while self._turns.running or self._table.statistics().live_count:
            await self._quiet.park()
            await self.system.wait_idle()  # what was told of the change has been handled

    def interrupt_turns(self) -> tuple[str, ...]:
        """Cancel every turn that runs; its events are kept. The sessions whose turn it was."""
        running = self._turns.running
        for turn in running:
            self._turns.interrupt(turn.turn_id, INTERRUPTED)
        return tuple(turn.session_key for turn in running)

    async def end_children(self) -> int:
        """End every child with its tree (those started detached excepted), and wait for it. How many there were."""
        live = self._table.statistics().live_count
        self._shell.stop_all(CANCEL_GRACE_MS)
        await self.wait_quiet()
        return live

    def events_retained(self) -> dict[str, int]:
        """Events not yet presented, by session."""
        return {lane.session_key: lane.events_waiting for lane in self._lanes() if lane.events_waiting}

    def abandon(self) -> None:
        """Tell everybody who still waits that nothing will come of it."""
        for lane in self._lanes():
            for wake in lane.wakes:
                wake.settle(Skipped("host drained"))
        self._abandoned = self._outstanding > 0
        self._idle.unpark_all()

    def _lanes(self) -> list[Lane]:
        return [lane for state in self._states.values() for lane in state.lanes.values()]

    # ---- inside

    def _tell_agent(self, address: str, message: object) -> Receipt:
        """How the turn runner tells agents: nothing is refused for want of room, and who waits for quiet looks
        again.
        """
        self._quiet.unpark_all()
        return self.system.signal(address, message)

    def _check_open(self) -> None:
        if self._draining is not None:
            raise HostClosedError("the host is draining and takes no more work")

    def _known(self) -> str:
        return ", ".join(sorted(self._directory.addresses)) or "none"

    def _count(self, change: int) -> None:
        self._outstanding += change
        if self._outstanding == 0:
            self._idle.unpark_all()


@final
class _WithJobs:
    """A router whose notices of exits ask the table of jobs, and go back to their supervisor when they are refused."""

    def __init__(self, router: Router, system: ActorSystem, table: JobTable) -> None:
        self._router = router
        self._system = system
        self._table = table

    def receive(self, message: object) -> None:
        """Forward, or refuse."""
        if isinstance(message, Notice) and message.job_id is not None:
            job_id, reply_to = message.job_id, message.reply_to or ""

            def settle(answer: object) -> None:
                if isinstance(answer, Full) or (isinstance(answer, Receipt) and answer.refusal is Refusal.FULL):
                    self._system.signal(reply_to, NoticeRefused(job_id))

            message.settle, message.is_seen = settle, lambda: self._table.is_seen(job_id)
        self._router.receive(message)
