"""The record of a job: the durable facts about a child process, its owner and its terms.

A record is replaced as a whole and never changed in place. It can be stored: it holds no callable, no buffer, no
process handle, and never the environment or the input of the child, because those hold secrets. What belongs to the
present process alone (output, waiters, descriptors) is kept apart, in ``runtime.jobs.streams``.

Three things about a job change in steps, and each has its table of legal moves below: where the child is
(:class:`JobState`), who wants its exit (:class:`Audience`), and what has become of the notice that the exit may cause
(:class:`NoticeState`). :meth:`JobRecord.moved` is the one way to take a step.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, final

from ..values.value_class import value_class
from ..wakes.event import DeliveryContext
from ..wakes.wake import Source
from .exit import Exit
from .spec import JobSpec


class JobState(enum.Enum):
    """Where a job is. ``ADMITTED`` has no process yet."""

    ADMITTED = "admitted"
    RUNNING = "running"
    STOPPING = "stopping"
    EXITED = "exited"


class Audience(enum.Enum):
    """Who wants the exit of a job."""

    CALLER = "caller"
    """A caller waits in the foreground. At its end it says what became of it: it was shown the exit
    (:class:`~.messages.ExitSeen`), it went on without the job (:class:`~.messages.BackgroundJob`), or it was cancelled
    (:class:`~.messages.DiscardJob`). So an exit that comes in the same instant is neither lost nor told twice."""
    OWNER = "owner"
    """The job is in the background: the exit is told to the session of its contract."""
    NOBODY = "nobody"
    """The job was discarded. It is forgotten when it has ended."""


class NoticeState(enum.Enum):
    """What has become of the one notice that an exit may cause."""

    NONE = "none"
    """The child has not ended."""
    HELD = "held"
    """Somebody waits for the exit, and may be shown it."""
    SENT = "sent"
    """It was told to the router."""
    REFUSED = "refused"
    """There was no room for it. It is offered again."""
    SETTLED = "settled"
    """Somebody has been shown the exit, or nobody is to be told."""


STATE_MOVES: Final[Mapping[JobState, frozenset[JobState]]] = {
    # ADMITTED to EXITED: a child that could not be spawned has an exit too.
    JobState.ADMITTED: frozenset({JobState.RUNNING, JobState.STOPPING, JobState.EXITED}),
    JobState.RUNNING: frozenset({JobState.STOPPING, JobState.EXITED}),
    JobState.STOPPING: frozenset({JobState.EXITED}),
    JobState.EXITED: frozenset(),
}
AUDIENCE_MOVES: Final[Mapping[Audience, frozenset[Audience]]] = {
    # Never back to the caller: who has gone on without the job does not wait for its exit again.
    Audience.CALLER: frozenset({Audience.OWNER, Audience.NOBODY}),
    Audience.OWNER: frozenset({Audience.NOBODY}),
    Audience.NOBODY: frozenset(),
}
NOTICE_MOVES: Final[Mapping[NoticeState, frozenset[NoticeState]]] = {
    # NONE to SETTLED: nobody is to be told, or the exit is not worth a turn.
    NoticeState.NONE: frozenset({NoticeState.HELD, NoticeState.SENT, NoticeState.SETTLED}),
    NoticeState.HELD: frozenset({NoticeState.SENT, NoticeState.SETTLED}),
    # SENT to SETTLED: somebody polls while the notice is under way, and it is taken back (openclaw#120488).
    NoticeState.SENT: frozenset({NoticeState.REFUSED, NoticeState.SETTLED}),
    NoticeState.REFUSED: frozenset({NoticeState.SENT, NoticeState.SETTLED}),
    # Settled is final, so that an exit can never be told twice.
    NoticeState.SETTLED: frozenset(),
}


@final
@value_class
class Contract:
    """Under which terms a job was started. A snapshot: a later change of configuration or route does not touch it.

    Attributes:
        agent_id: The owner. To anybody else the job does not exist.
        session_key: The session that the notice goes to, in normal form and already remapped: the exit of a cron
            run's job goes to the main session.
        wakes: Whether the notice wakes that session. A subagent's does not: its parent waits for it, and would
            otherwise be started for every command below it (openclaw#66748).
        delivery: Where an answer to the notice goes.
        source: Who says it. ``CLI_WATCHDOG`` where the child is the turn itself.
        notify_on_exit: Whether the exit is told at all.
        notify_on_empty_success: Whether a success without output is told.
    """

    agent_id: str
    session_key: str
    wakes: bool = True
    delivery: DeliveryContext | None = None
    source: Source = Source.EXEC_EVENT
    notify_on_exit: bool = True
    notify_on_empty_success: bool = False

    @property
    def is_turn(self) -> bool:
        """Whether the child is a turn of its session, and not something that a turn has started."""
        return self.source is Source.CLI_WATCHDOG

    @property
    def reports_silence(self) -> bool:
        """A child whose end nobody is to hear of is left alone; the end of a turn is told as its outcome."""
        return self.notify_on_exit or self.is_turn


@final
@value_class
class KeptSpec:
    """What of a :class:`~.spec.JobSpec` is stored: what people read, and the limits. See there for the attributes."""

    title: str
    timeout_ms: int | None = None
    no_output_timeout_ms: int | None = None
    silence_notice_ms: int | None = None
    grace_ms: int = 0
    takes_input: bool = False
    detach: bool = False


def kept_spec(spec: JobSpec) -> KeptSpec:
    """The storable part of a specification."""
    return KeptSpec(
        title=spec.title,
        timeout_ms=spec.timeout_ms,
        no_output_timeout_ms=spec.no_output_timeout_ms,
        silence_notice_ms=spec.silence_notice_ms,
        grace_ms=spec.grace_ms,
        takes_input=spec.takes_input,
        detach=spec.detach,
    )


@final
@value_class
class JobRecord:
    """A job. The supervisor of its agent alone replaces it.

    Attributes:
        boot: The run of the host that started it. A child of an earlier run is not ours any more.
        started_ms: When the order to start was taken.
        silent_since_ms: The instant from which silence counts when there is no later output. Moved on by a
            standstill of the host.
        reported_bytes: How much the child had written when its silence was last reported.
        tail: The end of the output, as its notice needs it. Empty once the notice is settled.
    """

    id: str
    # A process number is used again by the system, so a child is known by the run of the host that started it.
    boot: str
    spec: KeptSpec
    contract: Contract
    started_ms: int
    silent_since_ms: int
    audience: Audience = Audience.OWNER
    state: JobState = JobState.ADMITTED
    notice: NoticeState = NoticeState.NONE
    # None also for a child that could not be spawned: it has an exit, and never had a process.
    pid: int | None = None
    exit: Exit | None = None
    ended_ms: int | None = None
    tail: str = ""
    reported_bytes: int | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the exit is known."""
        return self.state is JobState.EXITED

    def moved(
        self,
        state: JobState | None = None,
        audience: Audience | None = None,
        notice: NoticeState | None = None,
        *,
        pid: int | None = None,
        exit: Exit | None = None,  # noqa: A002 - the field's own name
        ended_ms: int | None = None,
        tail: str | None = None,
        silent_since_ms: int | None = None,
        reported_bytes: int | None = None,
    ) -> JobRecord:
        """This record after legal moves, with other fields changed beside them. An illegal move is a mistake of ours.

        ``None`` leaves a field as it is. A move to where the record is already is none.
        """
        # Enum members are always truthy, so `or` means "not given" here.
        state, audience, notice = state or self.state, audience or self.audience, notice or self.notice
        assert state is self.state or state in STATE_MOVES[self.state], f"{self.id}: {self.state} to {state}"
        assert audience is self.audience or audience in AUDIENCE_MOVES[self.audience], f"{self.id}: to {audience}"
        assert notice is self.notice or notice in NOTICE_MOVES[self.notice], f"{self.id}: {self.notice} to {notice}"
        # attrs.evolve walks over all fields, at four times the cost; this runs four times for every child.
        return JobRecord(
            id=self.id,
            boot=self.boot,
            spec=self.spec,
            contract=self.contract,
            started_ms=self.started_ms,
            silent_since_ms=self.silent_since_ms if silent_since_ms is None else silent_since_ms,
            audience=audience,
            state=state,
            notice=notice,
            pid=self.pid if pid is None else pid,
            exit=self.exit if exit is None else exit,
            ended_ms=self.ended_ms if ended_ms is None else ended_ms,
            # A settled notice needs its text no more, and a finished job is kept for a while.
            tail="" if notice is NoticeState.SETTLED else self.tail if tail is None else tail,
            reported_bytes=self.reported_bytes if reported_bytes is None else reported_bytes,
        )
