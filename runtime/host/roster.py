"""Who lives in a host: its agents, what they are configured to do, and how their actors are made.

Settings and the pause are the host's to know, not the agent's to store: an actor that begins again, after a crash or
after a removal that was taken back, gets them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, final

from attrs import define
from loguru import logger

from ...actors.agent.agent import Agent
from ...actors.agent.ports import AgentPorts, Configure, Leaving, Pause, Retire
from ...actors.agent.state import load_state
from ...actors.router import Directory
from ...protocols.actor import Context
from ...protocols.config import AgentSettings, HostConfig, agent_id_of
from ...protocols.errors import InvalidInputError
from ...protocols.journal.apply import AgentImage
from ..kernel import ActorSystem
from .agent_spec import AgentSpec, Handler

AGENT_KIND: Final = "agent"
REMOVED: Final = "agent removed"


@final
@define(eq=False)
class _Resident:
    """An agent that lives here, or is leaving.

    Attributes:
        leaving: Why it leaves.
    """

    spec: AgentSpec
    settings: AgentSettings
    leaving: Leaving | None = None


@final
class Roster:
    """The agents of a host.

    Attributes:
        is_paused: No agent starts a turn.
    """

    def __init__(
        self,
        system: ActorSystem,
        directory: Directory,
        config: HostConfig,
        image_of: Callable[[str], AgentImage],
        on_gone: Callable[[str], None],
    ) -> None:
        """Begin without agents.

        Args:
            system: Where their actors live.
            directory: Where the router finds them.
            config: What agents do not say themselves.
            image_of: The committed state of an agent, by its id.
            on_gone: Called when an agent that was removed has ended.
        """
        self._system = system
        self._directory = directory
        self._config = config
        self._image_of = image_of
        self._on_gone = on_gone
        self._residents: dict[str, _Resident] = {}
        self._configured: set[str] = set()
        self.is_paused = False

    def make_agent(self, ctx: Context, ports: AgentPorts) -> Agent:
        """The factory of agents: one is made when its first message comes, and after each crash."""
        agent_id = ctx.address.partition(":")[2]
        resident = self._residents[agent_id]
        state = load_state(self._image_of(agent_id), resident.settings, ctx.now_ms())
        # Neither is stored: both are the host's to know, so each life is told anew.
        state.paused, state.retired = self.is_paused, resident.leaving
        return Agent(ctx, state, ports)

    @property
    def agents(self) -> tuple[str, ...]:
        """The ids of the agents that live here."""
        return tuple(self._directory.addresses)

    @property
    def all_ids(self) -> tuple[str, ...]:
        """The same, and those that are leaving."""
        return tuple(self._residents)

    def settings_of(self, agent_id: str) -> AgentSettings:
        """What an agent is configured to do."""
        return self._residents[agent_id].settings

    def handler_of(self, agent_id: str) -> Handler:
        """What an agent does in a turn that starts now."""
        return self._residents[agent_id].spec.handler

    # Coming and leaving

    def add(self, spec: AgentSpec) -> None:
        """Let an agent live here.

        Raises:
            InvalidInputError: The host has an agent of that id.
        """
        if spec.id in self._directory.addresses:
            raise InvalidInputError(f"agent {spec.id!r} is here already; remove it first, or reconfigure")
        address = f"{AGENT_KIND}:{spec.id}"
        settings = self._config.settings_of(spec.id, spec)
        is_leaving = spec.id in self._residents
        self._residents[spec.id] = _Resident(spec, settings)
        self._directory.enter(spec.id, address)
        # A namesake that is leaving goes on until its turn has ended; wait_gone revives the address then.
        if not is_leaving:
            self._system.revive(address)
        if is_leaving or settings.heartbeat is not None or self._image_of(spec.id).sessions:
            # An agent that is leaving hears that it stays. One with a heartbeat is made now, to keep it; and so is one
            # that was left with wakes pending.
            self._system.signal(address, Configure(settings))
        for remark in spec.heartbeat.remarks if spec.heartbeat else ():
            logger.warning("agent {}: {}", spec.id, remark)

    def remove(self, agent_id: str, *, forget: bool = False) -> str:
        """Let an agent go. Returns its id in canonical form; :meth:`wait_gone` waits for its end.

        Args:
            agent_id: Which agent.
            forget: Nothing is to be kept of it, its cooldown clock included.

        Raises:
            InvalidInputError: There is no such agent.
        """
        agent_id = agent_id_of(agent_id)
        if not self._directory.leave(agent_id):
            raise self._unknown(agent_id)
        resident = self._residents[agent_id]
        resident.leaving = Leaving(REMOVED, forget)
        # By the control lane, as all of these: a full mailbox must not keep an agent here.
        self._system.signal(f"{AGENT_KIND}:{agent_id}", Retire(resident.leaving))
        return agent_id

    async def wait_gone(self, agent_id: str) -> None:
        """Wait until an agent that was removed has ended, and forget it; or let it begin again, when it was added
        meanwhile.
        """
        address = f"{AGENT_KIND}:{agent_id}"
        await self._system.wait_stopped(address)
        resident = self._residents.get(agent_id)
        if resident is None:
            return
        # It was added again while it was leaving.
        if resident.leaving is None:
            if self._system.revive(address):
                self._system.signal(address, Configure(resident.settings))
            return
        del self._residents[agent_id]
        self._on_gone(agent_id)

    # Configuring

    def reconfigure_agent(self, spec: AgentSpec) -> None:
        """Give a running agent a new specification.

        Raises:
            InvalidInputError: There is no such agent.
        """
        address = self._directory.addresses.get(spec.id)
        if address is None:
            raise self._unknown(spec.id)
        settings = self._config.settings_of(spec.id, spec)
        self._residents[spec.id] = _Resident(spec, settings)
        self._system.signal(address, Configure(settings))

    def reconfigure(self, config: HostConfig, specs: Iterable[AgentSpec]) -> list[str]:
        """Take another configuration. Returns the agents of the old one that the new one lacks: they are leaving."""
        wanted = {spec.id: spec for spec in specs}
        leaving = [self.remove(agent_id) for agent_id in sorted(self._configured - wanted.keys())]
        self._config = config
        self._directory.configure(config.routing, config.default_agent)
        for agent_id in self.agents:
            self.reconfigure_agent(wanted.get(agent_id, self._residents[agent_id].spec))
        for spec in wanted.values():
            if spec.id not in self._directory.addresses:
                self.add(spec)
        self._configured = set(wanted)
        return leaving

    def pause(self, *, paused: bool) -> None:
        """Hold every wake, or let them go again. Agents that have never been awake hear of it when they wake."""
        self.is_paused = paused
        for agent_id in self._residents:
            address = f"{AGENT_KIND}:{agent_id}"
            # To tell the others would make an agent that sleeps; make_agent reads the pause when it wakes.
            if self._system.is_active(address):
                self._system.signal(address, Pause(paused))

    def _unknown(self, agent_id: str) -> InvalidInputError:
        known = ", ".join(sorted(self._directory.addresses)) or "none"
        return InvalidInputError(f"no agent {agent_id!r} here; agents: {known}")
