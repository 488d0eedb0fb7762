"""Children that exist on paper only: the process port, scripted, for virtual time.

A script says what a command does: what it writes and when, and how it ends. The fake keeps the promises of the real
shell (exactly one exit for each start, the first reason counts, SIGTERM then SIGKILL after the grace) and needs of
its surroundings only something that calls it back at an instant, so it serves Trio's virtual clock and the simulator
alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio
from attrs import define, frozen
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.messages import JobExited, JobStarted, ShellFact
from wakeward.protocols.jobs.sinks import Sinks
from wakeward.protocols.jobs.spec import JobSpec

CallAt = Callable[[int, Callable[[], None]], None]
"""Calls a function at an instant of the host's timeline, in milliseconds."""

_FIRST_PID = 1_000


@final
@frozen
class FakeChild:
    """What a command does.

    Attributes:
        writes: What it writes, and how many milliseconds after its start.
        ends_after_ms: When it ends by itself; ``None``: not before it is ended.
        exit_code: Its code, unless ``exit_signal`` is set.
        exit_signal: The signal that it ends itself by.
        ignores_sigterm: Whether only SIGKILL ends it.
        spawn_error: Why it cannot be started.
    """

    writes: tuple[tuple[int, bytes], ...] = ()
    ends_after_ms: int | None = 0
    exit_code: int = 0
    exit_signal: str | None = None
    ignores_sigterm: bool = False
    spawn_error: str | None = None


@define(eq=False)
class _Running:
    job_id: str
    spec: JobSpec
    sinks: Sinks
    child: FakeChild
    began_ms: int
    reason: ExitReason | None = None


@final
class FakeProcesses:
    """The process shell, without any process."""

    def __init__(
        self,
        script: Callable[[JobSpec], FakeChild],
        deliver: Callable[[ShellFact], None],
        now_ms: Callable[[], int],
        call_at: CallAt,
    ) -> None:
        self._script = script
        self._deliver = deliver
        self._now_ms = now_ms
        self._call_at = call_at
        self._running: dict[str, _Running] = {}
        self._started_count = 0

    @property
    def live_count(self) -> int:
        """How many have not ended."""
        return len(self._running)

    def start(self, job_id: str, spec: JobSpec, sinks: Sinks) -> None:
        """Begin to act out the script for this command."""
        child = self._script(spec)
        self._started_count += 1
        if child.spawn_error is not None:
            sinks.output.append(child.spawn_error.encode(), self._now_ms())
            ended = Exit(ExitReason.SPAWN_ERROR, detail=child.spawn_error)
            self._deliver(JobExited(job_id, ended, sinks.tail_text()))
            return
        running = _Running(job_id, spec, sinks, child, self._now_ms())
        self._running[job_id] = running
        self._deliver(JobStarted(job_id, _FIRST_PID + self._started_count))
        for after_ms, data in child.writes:
            self._call_at(running.began_ms + after_ms, lambda data=data: self._write(running, data))
        if child.ends_after_ms is not None:
            self._call_at(running.began_ms + child.ends_after_ms, lambda: self._end_by_itself(running))

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        """End it as the real shell would: at once, or after the grace if it ignores SIGTERM."""
        running = self._running.get(job_id)
        if running is None:
            return
        running.reason = running.reason or reason
        if running.child.ignores_sigterm:
            self._call_at(self._now_ms() + grace_ms, lambda: self._end(running, signal="SIGKILL"))
        else:
            self._end(running, signal="SIGTERM")

    def stop_all(self, grace_ms: int) -> None:
        """Order all to end; the detached are left running."""
        for job_id, running in tuple(self._running.items()):
            if running.spec.detach:
                running.reason = ExitReason.LEFT_RUNNING
                self._end(running)
            else:
                self.terminate(job_id, ExitReason.HOST_STOPPED, grace_ms)

    def _write(self, running: _Running, data: bytes) -> None:
        if running.job_id in self._running:
            running.sinks.output.append(data, self._now_ms())

    def _end_by_itself(self, running: _Running) -> None:
        child = running.child
        if child.exit_signal is not None:
            self._end(running, signal=child.exit_signal)
        else:
            self._end(running, code=child.exit_code)

    def _end(self, running: _Running, *, code: int | None = None, signal: str | None = None) -> None:
        if self._running.pop(running.job_id, None) is None:
            return
        own = ExitReason.SIGNAL if signal is not None else ExitReason.EXIT
        result = Exit(
            reason=running.reason or own,
            exit_code=code,
            exit_signal=signal,
            duration_ms=self._now_ms() - running.began_ms,
        )
        self._deliver(JobExited(running.job_id, result, running.sinks.tail_text()))


def call_at_in(nursery: trio.Nursery, now_ms: Callable[[], int]) -> CallAt:
    """Calls back from tasks of a nursery, on whatever clock Trio runs."""

    async def wait_and_call(at_ms: int, call: Callable[[], None]) -> None:
        await trio.sleep(max(0, at_ms - now_ms()) / 1000)
        call()

    def call_at(at_ms: int, call: Callable[[], None]) -> None:
        nursery.start_soon(wait_and_call, at_ms, call)

    return call_at
