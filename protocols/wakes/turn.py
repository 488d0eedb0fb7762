"""A turn: one run of an agent's handler on one session, and how it may end."""

from __future__ import annotations

import enum
from difflib import get_close_matches
from typing import Final

from attrs import Factory, define, field, frozen

from ..errors import InvalidInputError
from .event import DeliveryContext, Event
from .wake import Intent, Source, WakeTask


class SkipKind(enum.Enum):
    """Why a turn was skipped. What happens next follows from this alone, not from the text (:mod:`.after_turn`)."""

    ACTIVE_RUN = "active-run"
    REQUESTS_IN_FLIGHT = "requests-in-flight"
    CRON_IN_PROGRESS = "cron-in-progress"
    PREEMPTED = "preempted"
    CHANNEL_NOT_READY = "channel-not-ready"
    NOT_DUE = "not-due"
    MIN_SPACING = "min-spacing"
    FLOOD = "flood"
    NO_PENDING_EVENT = "no-pending-event"
    DECLINED = "declined"
    """Any other reason, in the words of the handler or of the host."""


BUSY_KINDS: Final = frozenset(
    {
        SkipKind.ACTIVE_RUN,
        SkipKind.REQUESTS_IN_FLIGHT,
        SkipKind.CRON_IN_PROGRESS,
        SkipKind.PREEMPTED,
        SkipKind.CHANNEL_NOT_READY,
    }
)
"""The kinds that say "not now, ask again": they do not move the cooldown clock (openclaw#29762, #39182)."""

_KINDS: Final = {kind.value: kind for kind in SkipKind}
# At 0.85 a letter too many or too few is found even in the shortest name ("flod"), and "flooded" passes.
_ALIKE: Final = 0.85
"""A reason at least this similar to the name of a kind counts as a mistyped name (0 to 1)."""


def _kind_of(skipped: Skipped) -> SkipKind:
    """The kind that a reason names.

    A handler says ``Skipped("active-run")``. The text is turned into a kind here, and nothing reads it after that. A
    mistyped name would silently become another kind, so it is refused.
    """
    kind = _KINDS.get(skipped.reason)
    if kind is not None:
        return kind
    # Spelled as a Python name ("ACTIVE_RUN") it is a mistake, too: silently it would be DECLINED, and not busy.
    written = skipped.reason.strip().lower().replace("_", "-").replace(" ", "-")
    meant = get_close_matches(written, _KINDS, 1, _ALIKE)
    if meant:
        raise InvalidInputError(
            f"Skipped reason {skipped.reason!r}: did you mean {meant[0]!r}? For a reason in your own words that is so "
            "close to it, give kind=SkipKind.DECLINED"
        )
    return SkipKind.DECLINED


@frozen
class Ran:
    """The turn did its work. The events that it was shown are acknowledged.

    Attributes:
        reply: What the agent answers, if anything; ``None`` and the empty string are never delivered.
    """

    reply: str | None = None


@frozen
class Skipped:
    """The turn declined to work. Its events are kept.

    Attributes:
        reason: Why. The name of a :class:`SkipKind` (``"requests-in-flight"``), or a reason in other words.
        retry_at_ms: The instant at which a held wake resumes, where a guard has named one.
        kind: What follows from it. By default the kind that ``reason`` names, else ``DECLINED``.

    Raises:
        InvalidInputError: ``reason`` is almost the name of a kind.
    """

    reason: str
    retry_at_ms: int | None = None
    # Not shown, because the reason says the same in all but the rarest cases.
    kind: SkipKind = field(kw_only=True, repr=False, default=Factory(_kind_of, takes_self=True))

    @property
    def is_busy(self) -> bool:
        """Whether it says "not now, ask again"."""
        return self.kind in BUSY_KINDS


@frozen
class Failed:
    """The turn could not do its work. Its events are kept.

    Attributes:
        reason: Why.
        transient: Worth another try; a bounded number of tries with backoff follows. ``False``: trying again is
            useless.
    """

    reason: str
    transient: bool = True


Outcome = Ran | Skipped | Failed


@define(eq=False)
class TurnRequest:
    """Everything that a turn is given. The agent makes the request, and the turn runner runs the turn.

    Attributes:
        turn_id: Unique within the run of the host.
        reasons: Every reason that led here, oldest first; ``reasons_omitted`` more were not kept.
        events: What the session has to see, oldest first; acknowledged when the turn has run.
        delivery: Where the answer should go: what the wake says, else what its events say, the latest first.
        events_dropped: How many older events a bounded queue had to drop since the last turn that was told.
        attempt: 0 for the first try of this work, counted up by failed tries.
    """

    turn_id: int
    agent_id: str
    session_key: str
    source: Source
    intent: Intent
    reason: str
    reasons: tuple[str, ...]
    # The reasons are bounded, as thousands of wakes may become one turn; what was left out is counted.
    reasons_omitted: int
    events: tuple[Event, ...]
    events_dropped: int
    tasks: tuple[WakeTask, ...]
    delivery: DeliveryContext | None
    heartbeat_interval_ms: int | None
    attempt: int
    started_at_ms: int
    timeout_ms: int
