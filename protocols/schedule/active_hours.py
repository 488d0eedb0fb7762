"""Active hours: the part of the day in which an agent's heartbeat may start a turn.

A window is two times of day on the wall clock of one time zone. The end is excluded, ``"24:00"`` is the end of
the day, and a window that ends before it starts runs over midnight. Equal times mean *never* (openclaw#21408).
That is legal, so it is reported when it is configured: :attr:`ActiveHours.never`.

Whether an instant is inside depends only on its local minute of the day. The search for the next opening starts
from there: the boundary is a known number of local minutes ahead. That is exact unless the zone's offset changes
on the way; then the search continues from the instant of the change. So a start that summer time skips, and one
that the clock shows twice, agree with :meth:`ActiveHours.contains`. Rejected: mapping the local start to an instant
with ``datetime.fold``, because it also gives an instant for local times that do not exist. Two offset changes within
the same 24 hours that cancel each other would not be noticed; no zone is known to have had them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Final, final
from zoneinfo import ZoneInfo, available_timezones

from attrs import field, frozen

from ..errors import InvalidInputError

INSTANT_MS_MAX: Final = 8_640_000_000_000_000
"""The end of ECMAScript's calendar, on either side of 1970. Beyond it every window is open, as recorded."""

_MINUTE_MS: Final = 60_000
_DAY_MINUTES: Final = 1440
_DAY_MS: Final = _DAY_MINUTES * _MINUTE_MS
_CALENDAR_CYCLE_MS: Final = 146_097 * _DAY_MS  # 400 years; then every rule of the calendar repeats
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# datetime has the years 1 to 9999. One year is left free at each end, because the local time may lie in the next year.
_DATETIME_MS_MIN: Final = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_DATETIME_MS_END: Final = (datetime(9998, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_SEEK_STEPS_MAX: Final = 8  # a step ends at a boundary or at a change of the offset; changes are months apart

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?")
# Files of the database that are no IANA names; "localtime" would make a window depend on the machine.
_NOT_ZONES: Final = re.compile(r"(?:posix|right)/.*|localtime|posixrules|factory", re.IGNORECASE)


@final
@frozen
class ActiveHours:
    """A daily window on the wall clock of one time zone.

    Attributes:
        start: Time of day, ``"00:00"`` to ``"23:59"``; included.
        end: Time of day, up to ``"24:00"``; excluded. Before ``start``: the window runs over midnight.
        timezone: An IANA name in any case (``"Europe/Berlin"``), ``"UTC"``, or an offset (``"+05:30"``).

    Raises:
        InvalidInputError: One of them does not have that form, or this machine does not know the zone.
    """

    start: str
    end: str
    timezone: str = "UTC"
    _start_min: int = field(init=False, repr=False, eq=False)
    _end_min: int = field(init=False, repr=False, eq=False)
    _zone: tzinfo = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        for name, last in (("start", "23:59"), ("end", "24:00")):
            given = getattr(self, name)
            minute = _minute_of_day(given, last=last)
            if minute is None:
                raise InvalidInputError(f"ActiveHours.{name} must be from '00:00' to '{last}', not {given!r}")
            # Parsed once, here; the class is frozen, so its own fields are set this way.
            object.__setattr__(self, f"_{name}_min", minute)
        zone = _zone_of(self.timezone)
        if zone is None:
            accepted = "an IANA name such as 'Europe/Berlin', 'UTC', or an offset such as '+05:30'"
            hint = "" if _zone_names() else "; this machine has no time zone database, install tzdata"
            raise InvalidInputError(f"ActiveHours.timezone must be {accepted}, not {self.timezone!r}{hint}")
        object.__setattr__(self, "_zone", zone)

    # Equal times could as well mean "all day". They mean never, as in OpenClaw, and "00:00" to "24:00" is all day.
    @property
    def never(self) -> bool:
        """Whether start and end are equal, so that the window never opens."""
        return self._start_min == self._end_min

    def contains(self, now_ms: int) -> bool:
        """Whether the instant (wall clock, Unix time) is inside the window."""
        if self.never:
            return False
        # As recorded: ECMAScript has no local time for such an instant, and OpenClaw then does not restrict.
        if abs(now_ms) > INSTANT_MS_MAX:
            return True
        # Whole minutes: floor division also for instants before 1970, where the remainder stays positive.
        minute = self._local_ms(now_ms) // _MINUTE_MS % _DAY_MINUTES
        if self._start_min < self._end_min:
            return self._start_min <= minute < self._end_min
        # The window runs over midnight.
        return minute >= self._start_min or minute < self._end_min

    def next_open_ms(self, now_ms: int) -> int | None:
        """The first instant, now or later, that is inside the window; ``None``: never."""
        return None if self.never else self._seek(now_ms, inside=True)

    def next_close_ms(self, now_ms: int) -> int | None:
        """The first instant, now or later, that is outside the window; ``None``: never."""
        # 00:00 to 24:00 has an end, but no instant at which it is closed.
        all_day = self._end_min - self._start_min == _DAY_MINUTES
        return None if all_day else self._seek(now_ms, inside=False)

    def _seek(self, now_ms: int, *, inside: bool) -> int | None:
        boundary_min = self._start_min if inside else self._end_min
        # A loop: a step may end at a change of the offset, and the boundary then has to be looked for again.
        for _ in range(_SEEK_STEPS_MAX):
            if self.contains(now_ms) is inside:
                return now_ms
            now_ms = self._next_step_ms(now_ms, boundary_min)
        return None  # reached only beyond the calendar, where no window closes

    def _next_step_ms(self, now_ms: int, boundary_min: int) -> int:
        """The next instant that shows this minute of the day, or an earlier change of the zone's offset."""
        local_ms = self._local_ms(now_ms)
        offset_ms = local_ms - now_ms
        # At least 1 ms ahead: at the boundary itself the search has ended before.
        before_ms, after_ms = now_ms, now_ms + (boundary_min * _MINUTE_MS - local_ms) % _DAY_MS
        if self._local_ms(after_ms) - after_ms == offset_ms:
            return after_ms
        # The offset changes before the boundary: find the first instant with another offset, by halving.
        # Some 27 looks for a day, to the millisecond: zoneinfo has no list of the changes.
        while after_ms - before_ms > 1:
            middle_ms = (before_ms + after_ms) // 2
            if self._local_ms(middle_ms) - middle_ms == offset_ms:
                before_ms = middle_ms
            else:
                after_ms = middle_ms
        return after_ms

    def _local_ms(self, now_ms: int) -> int:
        """The instant plus the zone's offset. ``datetime`` ends in 9999; later instants move by whole cycles."""
        asked_ms = now_ms
        if now_ms < _DATETIME_MS_MIN:
            asked_ms -= (now_ms - _DATETIME_MS_MIN) // _CALENDAR_CYCLE_MS * _CALENDAR_CYCLE_MS
        elif now_ms >= _DATETIME_MS_END:
            asked_ms -= ((now_ms - _DATETIME_MS_END) // _CALENDAR_CYCLE_MS + 1) * _CALENDAR_CYCLE_MS
        offset = (_EPOCH + timedelta(milliseconds=asked_ms)).astimezone(self._zone).utcoffset()
        assert offset is not None  # only a naive datetime has none
        return now_ms + offset // timedelta(milliseconds=1)


def _minute_of_day(text: object, *, last: str) -> int | None:
    if not isinstance(text, str):
        return None
    # Only as an end: a window that starts at 24:00 would be one that starts at 00:00 of the next day.
    if text == last == "24:00":
        return _DAY_MINUTES
    time = _TIME.fullmatch(text)
    return int(time[1]) * 60 + int(time[2]) if time else None


def _zone_of(name: object) -> tzinfo | None:
    """The zone of an IANA name in any case, or of an offset as ECMA-402 writes it."""
    if not isinstance(name, str) or _NOT_ZONES.fullmatch(name):
        return None
    if name.upper() == "UTC":
        return UTC  # works on a machine without a time zone database, too
    if offset := _OFFSET.fullmatch(name):
        # The sign holds for the minutes, too: -05:30 is minus five and a half hours.
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(size if offset[1] == "+" else -size)
    try:
        # The exact name first: the list of all names is slow, and most names are written exactly.
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone; a path outside the database; a directory of it
        exact = _zone_names().get(name.lower())
        return ZoneInfo(exact) if exact else None


@cache
def _zone_names() -> dict[str, str]:
    """Every zone name by its lower-case form. Slow, because it reads the whole database: only for inexact names."""
    return {name.lower(): name for name in available_timezones()}
