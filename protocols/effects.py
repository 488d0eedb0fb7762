"""The effects that a host performs for its actors, beside those of the kernel (:mod:`.actor`)."""

from __future__ import annotations

from typing import Final, final

from attrs import define, field

from .actor import HOST_OPS, Context
from .jobs.exit import ExitReason
from .jobs.record import JobRecord
from .jobs.spec import JobSpec
from .wakes.decision import Decision
from .wakes.messages import Answer, Ticket
from .wakes.turn import Outcome

ANSWER: Final = HOST_OPS
DECIDE: Final = HOST_OPS + 1
START_TURN: Final = HOST_OPS + 2
INTERRUPT_TURN: Final = HOST_OPS + 3
CLOSE_TURN: Final = HOST_OPS + 4
SET_BUSY: Final = HOST_OPS + 5
START_CHILD: Final = HOST_OPS + 6
END_CHILD: Final = HOST_OPS + 7
CLOSE_CHILD: Final = HOST_OPS + 8
SHOW_JOB: Final = HOST_OPS + 9
DROP_JOB: Final = HOST_OPS + 10
RELEASE_SLOT: Final = HOST_OPS + 11


@final
@define(eq=False)
class HostEffects:
    """What an actor of a host may ask for, typed. Each call notes one effect in the batch of the present message."""

    _ctx: Context = field()

    def answer(self, ticket: Ticket, answer: Answer) -> None:
        """Answer the caller that holds this ticket. Nothing happens when the caller has gone."""
        self._ctx.emit(ANSWER, ticket, answer)

    def decide(self, decision: Decision) -> None:
        """Put a decision into the ledger."""
        self._ctx.emit(DECIDE, decision)

    def interrupt_turn(self, turn_id: int, outcome: Outcome) -> None:
        """Cancel a turn that runs: it ends with this outcome. Nothing happens when it has ended."""
        self._ctx.emit(INTERRUPT_TURN, turn_id, outcome)

    def release_slot(self, session_key: str) -> None:
        """Give back the turn slot of a session, when what the message has changed is committed."""
        self._ctx.emit(RELEASE_SLOT, session_key)

    def start_child(self, job_id: str, spec: JobSpec) -> None:
        """Spawn the child of a job; exactly one ``JobExited`` comes back, also when it cannot be spawned."""
        self._ctx.emit(START_CHILD, job_id, spec)

    def end_child(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        """End the child of a job with its whole tree: SIGTERM, ``grace_ms``, SIGKILL. The first reason counts."""
        self._ctx.emit(END_CHILD, job_id, reason, grace_ms)

    def close_child(self, job_id: str) -> None:
        """The exit of a job has been dealt with: it is no longer outstanding work."""
        self._ctx.emit(CLOSE_CHILD, job_id)

    def show_job(self, record: JobRecord) -> None:
        """Let the handles of a job see this record. Those who wait for a change of the job are woken."""
        self._ctx.emit(SHOW_JOB, record)

    def drop_job(self, job_id: str) -> None:
        """A finished job is no longer listed. A handle on it keeps what it has."""
        self._ctx.emit(DROP_JOB, job_id)
