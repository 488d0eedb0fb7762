"""The heartbeat of an agent: who beats, how often, and where in the interval.

:class:`Heartbeat` is what people write. Below it stand the rules recorded from OpenClaw for its layered
settings, in which what cannot be read means "no cadence": :func:`layered_interval_ms` and
:func:`enrolment`. When an agent beats is decided in :mod:`~.cadence`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

from attrs import field, fields_dict, frozen

from ..errors import InvalidInputError
from ..sessions.route import DEFAULT_AGENT_ID, normalize_agent_id, optional_agent_id
from ..values.duration import Duration, duration_ms, parse_duration_ms
from ..values.ecmascript import es_trim
from .active_hours import ActiveHours

DEFAULT_EVERY: Final = "30m"


def _to_active_hours(value: object) -> ActiveHours | None:
    if value is None or isinstance(value, ActiveHours):
        return value
    accepted = "start, end and, if wanted, timezone"
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"Heartbeat.active_hours must be an ActiveHours or a mapping of {accepted}, not {value!r}"
        )
    given = dict(cast("Mapping[str, Any]", value))
    known = [name for name, attribute in fields_dict(ActiveHours).items() if attribute.init]
    if not {"start", "end"} <= given.keys() <= set(known):
        raise InvalidInputError(f"Heartbeat.active_hours takes {accepted}, not {given!r}")
    try:
        return ActiveHours(**given)
    except InvalidInputError as error:
        raise InvalidInputError(f"Heartbeat.active_hours: {error}") from error


@final
@frozen
class Heartbeat:
    """How often an agent is woken with nothing else to wake it, and in which hours.

    Attributes:
        every: ``"30m"``, a number of seconds, or a timedelta; ``"0m"`` or 0 is no cadence. A number written
            as text needs a unit: OpenClaw reads ``"45"`` as minutes and we read 45 as seconds, so it would be
            one or the other by accident.
        active_hours: When the heartbeat may start a turn: an :class:`ActiveHours` or a mapping of its fields;
            ``None`` is always. Other wakes are not bound by it.
        every_ms: ``every``, in milliseconds.

    Raises:
        InvalidInputError: A field cannot be used; the message names it, its value, and what is accepted.
    """

    every: Duration = field(default=DEFAULT_EVERY, eq=False)
    active_hours: ActiveHours | None = field(default=None, converter=_to_active_hours)
    every_ms: int = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        try:
            every_ms = duration_ms(self.every)
        except InvalidInputError as error:
            raise InvalidInputError(f"Heartbeat.every: {error}") from error
        if every_ms and isinstance(self.every, str) and es_trim(self.every)[-1].isdigit():
            number = es_trim(self.every)
            accepted = f"'{number}s', '{number}m', or a number that is not text, of seconds"
            raise InvalidInputError(f"Heartbeat.every: {self.every!r} has no unit: use {accepted}")
        object.__setattr__(self, "every_ms", every_ms)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is legal but hardly meant, one sentence each, to be said when it is configured."""
        if self.every_ms and self.active_hours is not None and self.active_hours.never:
            at = self.active_hours.start
            return (f"the heartbeat never beats: its active hours start and end at {at}",)
        return ()


def layered_interval_ms(*every: str | None) -> int | None:
    """The cadence that layered settings come to, as OpenClaw reads them.

    Args:
        every: What each layer says, the most specific first; ``None`` is silence. The first that says
            anything counts, also when it is blank or cannot be read. Numbers without a unit are minutes.

    Returns:
        Milliseconds; ``None``: no cadence.
    """
    raw = next((value for value in every if value is not None), DEFAULT_EVERY)
    try:
        return parse_duration_ms(raw, "m") or None
    except InvalidInputError:
        return None


@final
@frozen
class HeartbeatSettings:
    """The heartbeat section of a configuration. A section that says nothing is still a section: it enrols.

    Attributes:
        every: The cadence, as text.
        agent_id: In the defaults only: the one agent that beats.
    """

    every: str | None = None
    agent_id: str | None = None


@final
@frozen
class HeartbeatEntry:
    """One configured agent, as far as its heartbeat goes."""

    id: str
    heartbeat: HeartbeatSettings | None = None


@final
@frozen
class Enrolled:
    """An agent that has a heartbeat. ``interval_ms`` is ``None`` where its cadence is switched off."""

    agent_id: str
    interval_ms: int | None


@final
@frozen
class Enrolment:
    """Who beats.

    Attributes:
        enrolled: In the order of the configuration.
        ambient_agent_id: Who answers for what belongs to no agent in particular; ``None``: nobody does.
        owner_unresolved: There are several agents, and nothing says which of them should beat.
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
    """Decide who beats, as OpenClaw does.

    Agents with a heartbeat section of their own, if there is any such agent; else the one that the defaults
    name; else, where there is a defaults section, all agents; else the ambient agent alone.

    Args:
        agents: The configured agents; ``None`` (no list, as against an empty one) implies the agent ``main``.
        defaults: The heartbeat section that all agents share.
        system_agent_id: The agent that the configuration names for ambient work.
    """
    roster = [HeartbeatEntry(DEFAULT_AGENT_ID)] if agents is None else agents
    ids = [normalize_agent_id(agent.id) for agent in roster]
    named = optional_agent_id(defaults.agent_id) if defaults else None
    ambient = named or optional_agent_id(system_agent_id) or (ids[0] if len(ids) == 1 else None)
    unique = list(dict.fromkeys(ids))
    explicit = [agent_id for agent, agent_id in zip(roster, ids, strict=True) if agent.heartbeat]
    if explicit:
        chosen = explicit
    elif named:
        chosen = [named]
    elif defaults:
        chosen = unique
    else:
        chosen = [ambient] if ambient else []
    own: dict[str, str | None] = {}
    for agent, agent_id in zip(roster, ids, strict=True):  # the first of those that share an id speaks for all
        own.setdefault(agent_id, agent.heartbeat.every if agent.heartbeat else None)
    shared = defaults.every if defaults else None
    enrolled = [Enrolled(agent_id, layered_interval_ms(own.get(agent_id), shared)) for agent_id in chosen]
    return Enrolment(tuple(enrolled), ambient, owner_unresolved=len(unique) > 1 and not chosen)


def phase_ms(seed: str, agent_id: str, interval_ms: float | None) -> int:
    """Where in its interval an agent beats: stable for ever, different for each agent (openclaw#64560).

    Args:
        seed: Of this host, so that hosts with the same agents do not beat together.
        agent_id: The agent.
        interval_ms: Its cadence; less than 1 ms, or none, gives phase 0.

    Returns:
        At least 0 and less than the interval, and at most some 49.7 days.
    """
    whole_ms = max(1, math.floor(interval_ms)) if interval_ms is not None else 1
    # Lone surrogates become U+FFFD, as they do wherever JavaScript encodes text.
    text = f"{seed}:{agent_id}".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % whole_ms
