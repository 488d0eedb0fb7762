"""How OpenClaw reads its layered heartbeat settings: the interval, the active hours, and which agents have a heartbeat.

Why it is recorded and not ours: OpenClaw's settings are forgiving. A value that cannot be read means "no heartbeat" or
"no restriction", and whether an agent has a heartbeat depends on what other agents have. Ours refuse a wrong value when
they are read, and each agent has the heartbeat that it, or the host's defaults, names
(:class:`~wakeward.protocols.schedule.heartbeat.Heartbeat`). The recorded rows are checked against these rules, and a
reader of OpenClaw's configuration would use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from attrs import frozen

from ..errors import InvalidInputError
from ..schedule.active_hours import ActiveHours
from ..schedule.heartbeat import INTERVAL_MS_DEFAULT
from ..sessions.route import DEFAULT_AGENT_ID, normalize_agent_id, optional_agent_id
from ..values.duration import parse_duration_ms
from ..values.ecmascript import es_trim


@final
@frozen
class HeartbeatSettings:
    """The heartbeat section of a configuration. An empty section is still a section: its agent has a heartbeat.

    Attributes:
        every: The interval, as text.
        agent_id: In the defaults only: the one agent that has a heartbeat.
    """

    every: str | None = None
    agent_id: str | None = None


@final
@frozen
class HeartbeatEntry:
    """One configured agent, as far as its heartbeat is concerned."""

    id: str
    heartbeat: HeartbeatSettings | None = None


@final
@frozen
class Enrolled:
    """An agent that has a heartbeat. ``interval_ms`` is ``None`` if its heartbeat is switched off."""

    agent_id: str
    interval_ms: int | None


@final
@frozen
class Enrolment:
    """Which agents have a heartbeat.

    Attributes:
        enrolled: In the order of the configuration.
        ambient_agent_id: The agent that answers for what belongs to no agent in particular; ``None``: no agent does.
        owner_unresolved: There are several agents, and nothing says which of them has a heartbeat.
    """

    enrolled: tuple[Enrolled, ...]
    ambient_agent_id: str | None
    owner_unresolved: bool


def enrolment(
    agents: Sequence[HeartbeatEntry] | None,
    *,
    defaults: HeartbeatSettings | None = None,
    system_agent_id: str | None = None,
) -> Enrolment:
    """Decide which agents have a heartbeat, as OpenClaw does.

    The agents with a heartbeat section of their own, if there are any. Else the one that the defaults name. Else all
    agents, if there is a defaults section. Else the ambient agent alone.

    Args:
        agents: The configured agents. ``None`` (no list, unlike an empty list) implies the agent ``main``.
        defaults: The heartbeat section that all agents share.
        system_agent_id: The agent that the configuration names for ambient work.
    """
    roster = [HeartbeatEntry(DEFAULT_AGENT_ID)] if agents is None else agents
    ids = [normalize_agent_id(agent.id) for agent in roster]
    # Three ways to find the ambient agent, in the recorded order: named, of the system, the only one.
    named = optional_agent_id(defaults.agent_id) if defaults else None
    ambient = named or optional_agent_id(system_agent_id) or (ids[0] if len(ids) == 1 else None)
    # A dict keeps the order of the configuration, which is the order of the answer.
    unique = list(dict.fromkeys(ids))
    explicit = [agent_id for agent, agent_id in zip(roster, ids, strict=True) if agent.heartbeat]
    if explicit:
        # Also if its section is empty: to have one is enough, as recorded.
        chosen = explicit
    elif named:
        chosen = [named]
    elif defaults:
        chosen = unique
    else:
        chosen = [ambient] if ambient else []
    own: dict[str, str | None] = {}
    for agent, agent_id in zip(roster, ids, strict=True):  # of several agents with one id, the first counts
        own.setdefault(agent_id, agent.heartbeat.every if agent.heartbeat else None)
    shared = defaults.every if defaults else None
    enrolled = [Enrolled(agent_id, layered_interval_ms(own.get(agent_id), shared)) for agent_id in chosen]
    return Enrolment(tuple(enrolled), ambient, owner_unresolved=len(unique) > 1 and not chosen)


def layered_interval_ms(*every: str | None) -> int | None:
    """The interval that layered settings come to.

    Args:
        every: What each layer says, the most specific first; ``None``: it says nothing. The first layer that says
            anything counts, also if its text is blank or cannot be read. A number without a unit means minutes.

    Returns:
        Milliseconds; ``None``: no heartbeat.
    """
    # The first layer that speaks counts even if its text is nonsense: no falling back to a later one, as recorded.
    raw = next((value for value in every if value is not None), None)
    if raw is None:
        return INTERVAL_MS_DEFAULT
    try:
        # Minutes, unlike our own settings, in which a number means seconds. And 0 switches the heartbeat off.
        return parse_duration_ms(raw, "m") or None
    except InvalidInputError:
        return None


def read_active_hours(
    raw: Mapping[str, str | None], *, user_timezone: str | None, host_timezone: str | None
) -> ActiveHours | None:
    """Active hours from OpenClaw's settings. What cannot be read does not restrict.

    Args:
        raw: ``start``, ``end`` and ``timezone``. The zone may also be ``"user"`` (a blank one means the same) or
            ``"local"``. An unknown zone is replaced by the user's, and that by the host's.
        user_timezone: The configured zone of the user.
        host_timezone: The zone of the machine; blank means UTC.

    Returns:
        ``None``: no restriction.
    """
    start, end, wanted = raw.get("start"), raw.get("end"), es_trim(raw.get("timezone") or "")
    # Half a window is no window.
    if start is None or end is None:
        return None
    user, host = es_trim(user_timezone or ""), es_trim(host_timezone or "") or "UTC"
    match wanted:
        case "" | "user":
            candidates = [user, host]
        case "local":
            candidates = [host]
        case _:
            candidates = [wanted, user, host]
    # As recorded, an unknown zone does not drop the hours: they are read in the user's zone, else in the machine's.
    for name in candidates:
        try:
            return ActiveHours(start, end, name)
        except InvalidInputError:  # a time of day that cannot be read fails with every zone
            continue
    return None
