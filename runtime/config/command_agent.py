"""Agents that are programs: one run of the program is one turn.

The program gets the turn as one JSON object on standard input, and prints its reply on standard output. Its exit status
is the outcome, as in ``sysexits.h``: 0 means that the turn ran. 75 (``EX_TEMPFAIL``) means "not now, try again". Any
other status means that the turn failed; the reason is the end of standard error.

A program that prints nothing for long is reported to its session as a stalled turn (source ``cli-watchdog``). A turn
that such a report has started makes no report itself. Otherwise a slow and quiet program would wake itself for ever.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final, final

import trio
from attrs import field, frozen, validators

from ...protocols.errors import HostClosedError
from ...protocols.jobs.exit import Exit, ExitReason
from ...protocols.jobs.notice import exit_label
from ...protocols.wakes.event import DeliveryContext, Event, render_events
from ...protocols.wakes.turn import Failed, Outcome, Ran, Skipped
from ...protocols.wakes.wake import Source
from ..host.turn import Turn
from ..jobs.handle import JobHandle
from ..jobs.options import JobOptions
from ..jobs.table import TooManyJobsError

TRY_LATER: Final = 75
"""The exit status that asks for another try soon: ``EX_TEMPFAIL``."""

ERROR_SHOWN_MAX: Final = 500
"""Characters from the end of standard error that the reason of a failure shows."""

_GRACE: Final = 2
"""Seconds from SIGTERM to SIGKILL when a turn is cancelled. A turn has more than that to end after its cancellation."""

_BUSY: Final = Skipped("requests-in-flight")


@final
@frozen
class CommandAgent:
    """The handler of an agent that is a program.

    Attributes:
        command: The program and its arguments.
        folder: Where it runs; ``None`` means the working directory of the host.
        silence_notice_ms: Report the turn as stalled, once, after this time without output; ``None``: never.
    """

    command: tuple[str, ...]
    folder: str | None = None
    silence_notice_ms: int | None = field(default=300_000, validator=validators.optional(validators.gt(0)))

    async def __call__(self, turn: Turn) -> Outcome:
        """Run the program for one turn.

        Cancellation: the program and its whole tree are ended, and have ended when this returns.
        """
        try:
            job = await self._start(turn)
        # Other children of the agent end sooner or later. A busy skip is tried again soon, and moves no cooldown.
        except TooManyJobsError:
            return _BUSY
        # The host began to close in between. A skip keeps the turn's events, and is no failure of the program.
        except HostClosedError:
            return Skipped("interrupted")
        try:
            return _outcome(job, await job.wait_exit())
        finally:
            if job.exit is None:
                # Reached by a cancellation alone. The program must not go on with a turn that is over.
                job.kill()
                with trio.move_on_after(_GRACE * 2, shield=True):  # the end takes one grace at most
                    await job.wait_exit()
            # The program's output is in the outcome by now. Its job would only crowd the agent's list.
            job.remove()

    async def _start(self, turn: Turn) -> JobHandle:
        options = JobOptions(
            background=True,
            # The outcome of the turn tells the exit. A notice of it would start one more turn.
            notify_on_exit=False,
            silence_notice=self._silence_notice(turn),
            timeout=timedelta(milliseconds=turn.timeout_ms),
            cwd=self.folder,
            stdin=turn_json(turn).encode() + b"\n",
            # Standard output is the reply, so a warning of the program must not get into it.
            separate_stderr=True,
            grace=_GRACE,
        )
        with trio.CancelScope(shield=True):  # starting is instant, and a child that nobody holds would run on
            return await turn.exec_as_turn(self.command, options)
        raise AssertionError("nobody cancels this scope")

    def _silence_notice(self, turn: Turn) -> timedelta | None:
        # The second case ends a circle: a slow and quiet program would report itself, and wake itself, for ever.
        if self.silence_notice_ms is None or turn.source is Source.CLI_WATCHDOG:
            return None
        return timedelta(milliseconds=self.silence_notice_ms)


def _outcome(job: JobHandle, ended: Exit) -> Outcome:
    if ended.reason is ExitReason.EXIT and ended.exit_code == 0:
        return Ran(reply=job.text().strip() or None)
    if ended.reason is ExitReason.EXIT and ended.exit_code == TRY_LATER:
        return _BUSY
    # Not the program's fault, so it does not count as a failure of the agent.
    if ended.reason is ExitReason.HOST_STOPPED:
        return Skipped("interrupted")
    return Failed(f"{job.spec.title}: {_how(ended)}{_because(ended.detail or job.error_text().strip())}")


def _how(ended: Exit) -> str:
    return "not started" if ended.reason is ExitReason.SPAWN_ERROR else exit_label(ended.exit_code, ended.exit_signal)


def _because(why: str) -> str:
    if len(why) > ERROR_SHOWN_MAX:
        # The end, because that is where programs say what was wrong.
        why = f"…{why[-ERROR_SHOWN_MAX:]}"
    return f": {why}" if why else ""


def turn_json(turn: Turn) -> str:
    """The turn as one JSON object on one line. ``docs/configuration.md`` explains its keys."""
    shown: dict[str, Any] = {
        "agent_id": turn.agent_id,
        "session_key": turn.session_key,
        "turn_id": turn.turn_id,
        "source": turn.source.value,
        "intent": turn.intent.value,
        "reason": turn.reason,
        "reasons": list(turn.reasons),
        "events": [_event(event) for event in turn.events],
        "events_dropped": turn.events_dropped,
        "prompt": render_events(turn.events, dropped_count=turn.events_dropped),
        "tasks": [{"job_id": task.job_id, "name": task.name, "prompt": task.prompt} for task in turn.tasks],
        "attempt": turn.attempt,
        "started_at_ms": turn.started_at_ms,
        "delivery": _delivery(turn.delivery),
    }
    # One line, so that a program can read it with a single readline.
    return json.dumps(shown, ensure_ascii=False)


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "text": event.text,
        "context_key": event.context_key,
        "source": event.source,
        "trusted": event.trusted,
        "accepted_at_ms": event.accepted_at_ms,
        "redelivered": event.redelivered,
    }


def _delivery(delivery: DeliveryContext | None) -> dict[str, Any] | None:
    # A context without any field says no more than none.
    if not delivery:
        return None
    return {
        "channel": delivery.channel,
        "to": delivery.to,
        "account_id": delivery.account_id,
        "thread_id": delivery.thread_id,
    }
