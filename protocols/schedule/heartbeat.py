"""The heartbeat of an agent: its interval, its hours, and its phase.

:class:`Heartbeat` is what people write. The instants at which a heartbeat is due are decided in
:mod:`~wakeward.protocols.schedule.next_heartbeat`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, cast, final

from attrs import field, fields_dict, frozen

from ..errors import InvalidInputError
from ..values.duration import Duration, Milliseconds, duration_ms
from ..values.ecmascript import es_trim
from .active_hours import ActiveHours

# Half an hour is OpenClaw's default, too.
INTERVAL_MS_DEFAULT: Final = Milliseconds(1_800_000)


def _interval_ms(every: Duration) -> int:
    try:
        interval_ms = duration_ms(every)
    except InvalidInputError as error:
        raise InvalidInputError(f"Heartbeat.every: {error}") from error
    # "0" needs no unit: it is the same in all of them.
    if interval_ms and isinstance(every, str) and es_trim(every)[-1].isdigit():
        # OpenClaw reads "45" as minutes, and our numbers are seconds: either reading would surprise somebody.
        number = es_trim(every)
        accepted = f"'{number}s', '{number}m', or a number that is not text, of seconds"
        raise InvalidInputError(f"Heartbeat.every: {every!r} has no unit: use {accepted}")
    return interval_ms


def _to_active_hours(value: object) -> ActiveHours | None:
    if value is None or isinstance(value, ActiveHours):
        return value
    accepted = "start, end and, if wanted, timezone"
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f"Heartbeat.active_hours must be an ActiveHours or a mapping of {accepted}, not {value!r}"
        )
    # A mapping is accepted so that a program can write the hours as a file does.
    given = dict(cast("Mapping[str, Any]", value))
    # Without the fields that the class computes itself.
    known = [name for name, attribute in fields_dict(ActiveHours).items() if attribute.init]
    # Looked at here: a wrong name would be a TypeError, which says nothing of a heartbeat.
    if not {"start", "end"} <= given.keys() <= set(known):
        raise InvalidInputError(f"Heartbeat.active_hours takes {accepted}, not {given!r}")
    try:
        return ActiveHours(**given)
    except InvalidInputError as error:
        raise InvalidInputError(f"Heartbeat.active_hours: {error}") from error


@final
@frozen
class Heartbeat:
    """How often an agent is woken if nothing else wakes it, and in which hours.

    Attributes:
        every_ms: The interval; given as ``every``: ``"30m"``, a number of seconds, or a timedelta. 30 minutes by
            default; ``"0m"`` or 0 means no heartbeat. A number that is written as text needs a unit.
        active_hours: When the heartbeat may start a turn: an :class:`ActiveHours` or a mapping of its fields; ``None``
            means always. Other wakes are not bound by it.

    Raises:
        InvalidInputError: A field cannot be used. The message names it, its value, and what is accepted.
    """

    every_ms: int = field(default=INTERVAL_MS_DEFAULT, alias="every", converter=_interval_ms)
    active_hours: ActiveHours | None = field(default=None, converter=_to_active_hours)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is legal but probably not intended, one sentence each. They are reported when it is configured."""
        # Without an interval there is no heartbeat that the hours could stop.
        if self.every_ms and self.active_hours is not None and self.active_hours.never:
            at = self.active_hours.start
            return (f"the heartbeat never comes: its active hours start and end at {at}",)
        return ()


def phase_ms(seed: str, agent_id: str, interval_ms: float | None) -> int:
    """Where in its interval an agent's heartbeats lie: always the same, and different for each agent (openclaw#64560).

    Args:
        seed: Of this host, so that hosts with the same agents have their heartbeats at different instants.
        agent_id: The agent.
        interval_ms: Its interval; less than 1 ms, or none, gives phase 0.

    Returns:
        At least 0, less than the interval, and at most about 49.7 days.
    """
    # At least 1, because it divides: everything modulo 1 is phase 0.
    whole_ms = max(1, math.floor(interval_ms)) if interval_ms is not None else 1
    # Lone surrogates become U+FFFD, as they do wherever JavaScript encodes text.
    text = f"{seed}:{agent_id}".encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # The first 32 bits, as recorded: hence the bound of 49.7 days.
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % whole_ms
