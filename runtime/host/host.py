"""The host: agents, their router and their children, assembled and alive.

    async with open_host() as host:
        host.add_agent(AgentSpec("ops", handler))
        await host.notify("agent:ops:main", "deploy finished", source="hook", intent="immediate")
        await host.wait_idle()

The host is a facade: it says what people may ask for, and hands each call to the part that does it. The parts are made
and joined in :mod:`.open`: who lives here (:mod:`.roster`), how messages enter (:mod:`.sender`), turns
(:mod:`.turn_runner`), jobs, what is not done yet (:mod:`.outstanding`), and the end (:mod:`.drain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack, final

from ...protocols.config import HostConfig, agent_id_of
from ...protocols.errors import HostClosedError
from ...protocols.receipt import Receipt
from ...protocols.values.duration import Duration, duration_ms
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.turn import Outcome
from ...protocols.wakes.wake import Intent, Source, WakeTask
from ..config.handlers import configured_agents
from ..jobs.handle import JobHandle
from ..jobs.options import Command, JobKeywords, JobOptions
from .agent_spec import AgentSpec
from .commands import CLOSED
from .drain import HostDrain
from .parts import HostParts
from .sender import notice_of, wake_of
from .statistics import DrainReport, HostStatistics


@final
class Host:
    """A running host. Made by :func:`open_host`; usable within its block.

    Attributes:
        ledger: The latest decisions: what was accepted, deferred until when, started, finished, refused, and why.
        system: The actor system underneath, for actors of your own.
        config: The configuration in force.
    """

    def __init__(self, config: HostConfig, parts: HostParts) -> None:
        """See :func:`open_host`."""
        self.config = config
        self.system = parts.system
        self.ledger = parts.ledger
        self._parts = parts
        self._drain: HostDrain | None = None

    # Agents

    def add_agent(self, spec: AgentSpec) -> None:
        """Let an agent live here. It is woken from now on. Its cooldown clock goes on where one of the same id left it.

        Raises:
            InvalidInputError: The host has an agent of that id.
            HostClosedError: The host is draining.
        """
        self._check_open()
        self._parts.roster.add(spec)

    def remove_agent(self, agent_id: str, *, forget: bool = False) -> None:
        """Let an agent go: it takes no more turns. A running one ends as it would; events that no turn has seen become
        dead letters of the ledger, and whoever waits for an outcome is told.

        Args:
            agent_id: Which agent.
            forget: Forget its cooldown clock too. Otherwise the clock is kept under the agent's id, so that an agent
                that is removed and added again cannot slip past its guards.

        Raises:
            InvalidInputError: There is no such agent.
        """
        self._wait_gone(self._parts.roster.remove(agent_id, forget=forget))

    def _wait_gone(self, agent_id: str) -> None:
        # In a task of the host: removing is synchronous, and the agent's turn ends when it ends.
        self._parts.nursery.start_soon(self._parts.roster.wait_gone, agent_id)

    def reconfigure_agent(self, spec: AgentSpec) -> None:
        """Give a running agent a new specification. Its guards and what is pending are kept; a running turn keeps the
        old one.

        Raises:
            InvalidInputError: There is no such agent.
        """
        self._parts.roster.reconfigure_agent(spec)

    def reconfigure(self, config: HostConfig) -> None:
        """Take another configuration while running. Nothing fires twice; guards, pending wakes and events are kept;
        turns that run end as they began. The agents of the old configuration that the new one lacks are removed, new
        ones are added; agents that were added by :meth:`add_agent` stay. The ledger keeps its size.

        Raises:
            ConfigError: An agent of the configuration cannot be loaded; nothing has changed.
            HostClosedError: The host is draining.
        """
        self._check_open()
        # Loaded before anything is changed: a handler that cannot be loaded leaves the old configuration whole.
        specs = configured_agents(config)
        self.config = config
        self._parts.turns.resize(config.turns_max)
        for agent_id in self._parts.roster.reconfigure(config, specs):
            self._wait_gone(agent_id)

    def pause(self) -> None:
        """Hold every wake in the host. What is held is not dropped; running turns end as they would."""
        self._parts.roster.pause(paused=True)

    def resume(self) -> None:
        """Let go what :meth:`pause` has held. A host that drains starts nothing any more, so nothing happens then."""
        if self._drain is None:
            self._parts.roster.pause(paused=False)

    @property
    def agents(self) -> tuple[str, ...]:
        """The ids of the agents that live here."""
        return self._parts.roster.agents

    # Wakes and events

    def wake(
        self,
        session_key: str | None = None,
        *,
        source: Source | str,
        intent: Intent | str,
        reason: str | None = None,
        coalesce_ms: int | None = None,
        agent_id: str | None = None,
        tasks: Sequence[WakeTask] = (),
        delivery: DeliveryContext | None = None,
        heartbeat_interval_ms: int | None = None,
    ) -> Receipt:
        """Ask that one session take a turn. Returns at once; never blocks; works while cancelled.

        Args:
            session_key: Which session; ``None`` means the main session of ``agent_id``.
            source: Who asks.
            intent: How urgent it is; the cooldown reads this alone.
            reason: For people. It decides nothing.
            coalesce_ms: How long to wait for company; 250 by default, 0 at once.
            agent_id: The owner, where the key names none.
            tasks: Due work to hand to the turn.
            delivery: Where the answer should go, when that is not the session's own route.
            heartbeat_interval_ms: This is a heartbeat that is kept elsewhere, with that interval: due by definition.

        Returns:
            Truthy when accepted: then a turn follows, as soon as the agent's guards allow. Otherwise it says why not.

        Raises:
            InvalidInputError: ``source`` or ``intent`` is not a known one, or ``coalesce_ms`` is no whole number.
        """
        return self._parts.sender.send(
            wake_of(session_key, source, intent, reason, coalesce_ms, agent_id, tasks, delivery, heartbeat_interval_ms)
        )

    async def wake_and_wait(
        self,
        session_key: str | None = None,
        *,
        source: Source | str,
        intent: Intent | str,
        until_deferred: bool = False,
        reason: str | None = None,
        coalesce_ms: int | None = None,
        agent_id: str | None = None,
        tasks: Sequence[WakeTask] = (),
        delivery: DeliveryContext | None = None,
        heartbeat_interval_ms: int | None = None,
    ) -> Outcome:
        """Wake a session and wait for the outcome of the turn that comes of it.

        What it takes is as for :meth:`wake`, but for ``until_deferred``: return at the first deferral, as
        ``Skipped(reason, retry_at_ms)``; the wake itself goes on.

        Returns:
            The outcome. A wake that was refused is a failure with the reason.

        Raises:
            InvalidInputError: As for :meth:`wake`; or it is called within a turn of that session, which would wait for
                itself (openclaw#13508).

        Cancellation: the wake goes on.
        """
        sender = self._parts.sender
        # The session has one turn at a time: the wait and the turn would wait for each other (openclaw#13508).
        sender.check_no_wait_for_itself(session_key, agent_id)
        wake = wake_of(
            session_key, source, intent, reason, coalesce_ms, agent_id, tasks, delivery, heartbeat_interval_ms
        )
        return await sender.outcome_of(sender.ask(wake, until_deferred=until_deferred))

    async def broadcast(
        self,
        *,
        source: Source | str,
        intent: Intent | str,
        until_deferred: bool = False,
        reason: str | None = None,
        coalesce_ms: int | None = None,
        tasks: Sequence[WakeTask] = (),
        delivery: DeliveryContext | None = None,
        heartbeat_interval_ms: int | None = None,
    ) -> dict[str, Outcome]:
        """Wake the main session of every agent that has a heartbeat, each by a wake of its own. The only fan-out here.

        What it takes is as for :meth:`wake_and_wait`, and holds for each of the wakes.

        Returns:
            Each agent's own outcome, by agent id.

        Cancellation: the wakes go on.
        """
        sender, roster = self._parts.sender, self._parts.roster
        # All are asked before any is waited for: one slow agent must not delay the wakes of the others.
        asked = {
            agent_id: sender.ask(
                wake_of(None, source, intent, reason, coalesce_ms, agent_id, tasks, delivery, heartbeat_interval_ms),
                until_deferred=until_deferred,
            )
            for agent_id in roster.agents
            if roster.settings_of(agent_id).interval_ms is not None
        }
        return {agent_id: await sender.outcome_of(caller) for agent_id, caller in asked.items()}

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
            was refused: nobody owns the session, or its queue is full (try again later).

        Raises:
            InvalidInputError: The text is blank, or ``source`` or ``intent`` is none of the known ones.

        Cancellation: the event may or may not have been accepted.
        """
        return await self._parts.sender.notify(
            notice_of(session_key, text, source, intent, reason, context_key, delivery, trusted, coalesce_ms, agent_id)
        )

    # Children

    async def exec(
        self, session_key: str, command: Command, *, agent_id: str | None = None, **options: Unpack[JobKeywords]
    ) -> JobHandle:
        """Run a command for a session. Its exit is told to the session's owner, and to nobody else.

        Args:
            session_key: For whom.
            command: A shell command, or a program and its arguments.
            agent_id: The owner, where the key names none.
            options: See :class:`~wakeward.runtime.jobs.options.JobOptions`. Another one is a :exc:`TypeError`.

        Returns:
            A handle; its ``exit`` is set when the command ended before it went into the background.

        Raises:
            InvalidInputError: Nobody owns the session, or the command or an option cannot be used.
            TooManyJobsError: The agent has too many live children.
            HostClosedError: The host is draining.

        Cancellation: a command that is still waited for is ended, silently.
        """
        parts = self._parts
        return await parts.commands.exec(session_key, command, JobOptions(**options), Source.EXEC_EVENT, agent_id)

    def jobs(self, agent_id: str) -> list[JobHandle]:
        """The jobs of an agent, running and finished."""
        return self._parts.jobs.list(agent_id_of(agent_id))

    # The whole

    async def wait_idle(self) -> None:
        """Wait until there is nothing left to do: no wake pending, deferred ones included, no turn, no child running.

        Heartbeats to come and events that nobody is to be woken for do not count.

        Raises:
            HostClosedError: The host has drained, and what is pending will not be done any more.
        """
        await self._parts.outstanding.wait_idle()

    def statistics(self) -> HostStatistics:
        """A snapshot."""
        return self._parts.statistics()

    def events_retained(self) -> dict[str, int]:
        """Events not yet presented, by session."""
        return self._parts.events_retained()

    async def drain(self, grace: Duration | None = None) -> DrainReport:
        """End in four phases: refuse what is new, start no more turns, let turns and children end within the grace,
        cancel the rest (children: SIGTERM, then SIGKILL). Events that were accepted and not presented are reported; who
        waits for a wake is told ``Skipped("host drained")``.

        Args:
            grace: By default the configuration's ``drain_grace``. A second call waits for the same end; a shorter grace
                shortens it.

        Cancellation: the drain goes on when somebody else waits for it; leaving the host's block always finishes it.
        """
        grace_ms = self.config.drain_grace_ms if grace is None else duration_ms(grace)
        if self._drain is None:
            self._parts.sender.closed = True
            self._parts.roster.pause(paused=True)
            self._drain = self._parts.begin_drain(grace_ms)
        self._drain.shorten(grace_ms)
        return await self._drain.wait()

    def _check_open(self) -> None:
        if self._drain is not None:
            raise HostClosedError(CLOSED)
