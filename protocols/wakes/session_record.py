"""What is durable of one session: a value that is replaced as a whole.

The events stand beside it, one by one (:class:`~wakeward.protocols.wakes.event.Event`): a session may hold a thousand,
and a change of its wakes must not store them all again. What belongs to this run of the host only (the timer, the turn
slot, the place in line) is the actor's, and is worked out again after a restart.
"""

from __future__ import annotations

from typing import final

from ..values.value_class import value_class
from .pending import NO_WAKES, PendingWake, SessionWakes


@final
@value_class
class TurnRecord:
    """A turn that was started and has not been dealt with.

    Attributes:
        boot: The run of the host that started it; turn ids are unique within one run.
        wake: The wake that it answers.
        event_ids: The events that it was shown.
        events_dropped: How much of the count of dropped events it was told.
    """

    boot: str
    turn_id: int
    started_at_ms: int
    timeout_ms: int
    wake: PendingWake
    event_ids: tuple[int, ...] = ()
    events_dropped: int = 0


@final
@value_class
class SessionRecord:
    """One session.

    Attributes:
        wakes: What is pending.
        batch: Wakes that were taken together with the one of the turn, and wait for theirs, one after the other.
        turn: The turn that runs.
        owed: Some queued event came with a wake, so the session must not rest while events are left.
        parked: Its tries are used up; the next wake from outside starts from the beginning.
        events_dropped: Events that a bounded queue had to drop, and that no turn has been told of.
    """

    key: str
    wakes: SessionWakes = NO_WAKES
    batch: tuple[PendingWake, ...] = ()
    turn: TurnRecord | None = None
    owed: bool = False
    parked: bool = False
    events_dropped: int = 0

    # attrs.evolve walks over all fields, which costs four times as much as these; they run for every wake.

    def with_wakes(self, wakes: SessionWakes, batch: tuple[PendingWake, ...] | None = None) -> SessionRecord:
        """With other pending wakes, and another batch if one is given."""
        batch = self.batch if batch is None else batch
        return SessionRecord(self.key, wakes, batch, self.turn, self.owed, self.parked, self.events_dropped)

    def requested(self, wakes: SessionWakes, owed: bool) -> SessionRecord:
        """With pending wakes that somebody outside asked for: it is parked no longer."""
        owed = owed or self.owed
        return SessionRecord(self.key, wakes, self.batch, self.turn, owed, False, self.events_dropped)

    def with_turn(self, turn: TurnRecord | None) -> SessionRecord:
        """In a turn, or in none any more."""
        parked = self.parked and turn is None
        return SessionRecord(self.key, self.wakes, self.batch, turn, self.owed, parked, self.events_dropped)
