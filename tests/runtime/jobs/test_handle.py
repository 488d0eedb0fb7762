"""Handles, on the virtual clock with scripted children."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from support.fake_process import FakeChild, FakeProcesses, call_at_in
from support.job_stage import JobStage
from wakeward.protocols.errors import HostClosedError, InvalidInputError
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.input import INPUT_MAX_BYTES
from wakeward.protocols.jobs.limits import JobLimits
from wakeward.protocols.jobs.messages import JobExited, StartJob
from wakeward.protocols.jobs.record import Audience, Contract, JobState
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.receipt import ACCEPTED, Receipt, Refusal
from wakeward.protocols.wakes.messages import Notice, NoticeSeen
from wakeward.runtime.jobs.handle import JobHandle
from wakeward.runtime.jobs.table import TooManyJobsError

OPS = Contract("ops", "agent:ops:main")
SCRIPTS: dict[str, FakeChild] = {
    "quick": FakeChild(writes=((0, b"hi\n"),), ends_after_ms=10),
    "minute": FakeChild(writes=((1_000, b"one\n"), (2_000, b"two\n")), ends_after_ms=60_000, exit_code=3),
    "for-ever": FakeChild(ends_after_ms=None),
    "stubborn": FakeChild(ends_after_ms=None, ignores_sigterm=True),
    "crash": FakeChild(ends_after_ms=5, exit_signal="SIGSEGV"),
    "missing": FakeChild(spawn_error="no such file"),
}


class Stage(JobStage):
    """With scripted children."""

    def __init__(self, nursery: trio.Nursery, limits: JobLimits) -> None:
        super().__init__(nursery, limits)
        self.processes = FakeProcesses(
            lambda spec: SCRIPTS[str(spec.command)], self.deliver, self.now_ms, call_at_in(nursery, self.now_ms)
        )
        self.use(self.processes)

    def start(self, command: str, contract: Contract = OPS) -> JobHandle:
        return self.jobs.start(JobSpec(command), contract)


@asynccontextmanager
async def open_stage(limits: JobLimits = JobLimits()) -> AsyncGenerator[Stage]:
    async with trio.open_nursery() as nursery:
        yield Stage(nursery, limits)
        nursery.cancel_scope.cancel()


async def test_a_caller_gets_the_exit_of_a_quick_child_and_nobody_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_stage() as stage:
        handle = await stage.jobs.run(JobSpec("quick"), OPS)
        assert trio.current_time() == pytest.approx(0.01)
        assert handle.exit is not None
        assert handle.exit.exit_code == 0
        assert not handle.is_backgrounded
        assert stage.told == []


async def test_a_long_child_goes_to_the_background_and_is_announced(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = await stage.jobs.run(JobSpec("minute"), OPS, yield_after_ms=10_000)
        assert trio.current_time() == 10
        assert (handle.exit, handle.is_backgrounded) == (None, True)
        await trio.sleep(51)
        (notice,) = stage.told
        assert isinstance(notice, Notice)
        assert notice.text.endswith("code 3) :: one two")


async def test_background_at_once_and_never(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = await stage.jobs.run(JobSpec("minute"), OPS, yield_after_ms=0)
        assert trio.current_time() == 0
        assert handle.is_backgrounded
        handle = await stage.jobs.run(JobSpec("minute"), OPS, yield_after_ms=None)
        assert trio.current_time() == 60
        assert handle.exit is not None


async def test_a_cancelled_foreground_caller_ends_its_child_silently(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        with trio.move_on_after(3) as scope:
            await stage.jobs.run(JobSpec("minute"), OPS)
        assert scope.cancelled_caught
        assert stage.processes.live_count == 0
        assert stage.told == []


async def test_polls_show_what_is_new_and_wait_for_it(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("minute")
        assert (await handle.poll()).output.text == ""
        assert (await handle.poll(30)).output.text == "one\n"
        assert trio.current_time() == 1
        assert (await handle.poll(30)).output.text == "two\n"
        shown = await handle.poll(5)
        assert (trio.current_time(), shown.output.text, shown.exit) == (7, "", None)
        assert (shown.silent_ms, shown.takes_input) == (5_000, False)
        shown = await handle.poll(100)
        assert trio.current_time() == 60
        assert shown.exit is not None
        assert (shown.exit.exit_code, shown.silent_ms) == (3, 0)


async def test_a_poll_that_sees_the_exit_is_not_told_again(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("quick")
        await handle.poll(1)  # the output
        await handle.poll(1)  # the exit
        await trio.sleep(100)
        assert stage.told == []


async def test_a_poll_after_the_notice_takes_it_back(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("quick")
        await trio.sleep(1)
        await handle.poll()
        await handle.poll()
        notice, seen = stage.told
        assert isinstance(seen, NoticeSeen)
        assert seen.context_key == notice.context_key


async def test_looking_is_not_seeing(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("quick")
        await trio.sleep(1)
        assert handle.exit is not None
        assert handle.text() == "hi\n"
        assert len(stage.told) == 1


async def poll_long(handle: JobHandle) -> object:
    return await handle.poll(100)


@pytest.mark.parametrize("wait", [poll_long, JobHandle.wait_exit])
async def test_a_cancelled_waiter_leaves_the_exit_to_be_announced(
    wait: Callable[[JobHandle], Any], autojump_clock: trio.testing.MockClock
) -> None:
    """Also when it is cancelled in the very step in which the exit comes."""
    async with open_stage() as stage:
        handle = stage.start("for-ever")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait, handle)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
                stage.deliver(JobExited(handle.id, Exit(ExitReason.EXIT, 1), ""))
        assert len(stage.told) == 1


async def test_a_waiter_that_is_served_and_one_that_is_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("minute")
        (other,) = stage.jobs.list("ops")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle.wait_exit)
            with trio.move_on_after(10):
                await other.wait_exit()
        assert stage.told == []


async def test_handles_are_scoped_to_the_owner(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("minute")
        theirs = stage.start("minute", Contract("other", "agent:other:main"))
        assert [one.id for one in stage.jobs.list("ops")] == [handle.id]
        assert [one.id for one in stage.jobs.list("other")] == [theirs.id]


async def test_killing_and_the_grace(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("stubborn")
        handle.kill()
        assert handle.state is JobState.STOPPING
        ended = await handle.wait_exit()
        assert (trio.current_time(), ended.exit_signal, ended.reason) == (5, "SIGKILL", ExitReason.MANUAL_CANCEL)


async def test_removing(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        done, running = stage.start("quick"), stage.start("for-ever")
        await trio.sleep(1)
        done.remove()
        running.remove()
        done.remove()
        assert stage.jobs.list("ops") == []
        assert stage.processes.live_count == 0


async def test_pages_of_the_log(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        handle = stage.start("minute")
        await trio.sleep(3)
        assert handle.log(limit=1).text == "two"
        assert handle.log(offset=0, limit=1).text == "one"


async def test_input_is_refused_when_it_cannot_be_taken(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        closed = stage.start("for-ever")
        assert closed.write("x").refusal is Refusal.STOPPED
        handle = stage.jobs.start(JobSpec("for-ever", stdin_open=True), OPS)
        assert handle.write(b"x" * INPUT_MAX_BYTES)
        assert handle.write("x").refusal is Refusal.FULL
        with pytest.raises(InvalidInputError):
            handle.send_keys("no-such-key")


@pytest.mark.parametrize(("command", "text"), [("crash", "signal SIGSEGV)"), ("missing", ":: no such file")])
async def test_bad_ends_are_announced(command: str, text: str, autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        stage.start(command)
        await trio.sleep(1)
        (notice,) = stage.told
        assert notice.text.endswith(text)


async def test_a_start_that_is_refused_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage(JobLimits(live_count_max=1)) as stage:
        stage.answer = Receipt(Refusal.DRAINING, "the host is draining")
        with pytest.raises(HostClosedError, match=r"'quick'.*draining"):
            stage.start("quick")
        stage.answer = ACCEPTED
        stage.start("for-ever")
        with pytest.raises(TooManyJobsError):
            stage.start("quick")


async def test_stopping_all_ends_all_but_the_detached(autojump_clock: trio.testing.MockClock) -> None:
    async with open_stage() as stage:
        ended = [stage.start("for-ever"), stage.start("stubborn")]
        detached = stage.jobs.start(JobSpec("for-ever", detach=True), OPS)
        stage.processes.stop_all(500)
        await trio.sleep(1)
        assert [one.exit and one.exit.reason for one in ended] == [ExitReason.HOST_STOPPED] * 2
        assert detached.exit is not None
        assert detached.exit.reason is ExitReason.LEFT_RUNNING
        assert stage.told == []


async def test_what_its_supervisor_will_never_show_is_shown_by_the_table(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A start, or an exit, became a dead letter: nobody waits for ever."""
    async with open_stage() as stage:
        lost, ended = stage.start("for-ever"), stage.start("for-ever")
        starting = StartJob(lost.id, lost.spec, OPS, Audience.OWNER)
        stage.jobs.give_up(starting, "the supervisor crashed")
        stage.jobs.give_up(starting, "once more")
        stage.jobs.give_up(JobExited(ended.id, Exit(ExitReason.EXIT, 3), ""), "the supervisor crashed")
        stage.jobs.give_up(Notice, "is no job's")
        seen = await lost.wait_exit()
        assert (seen.reason, seen.detail) == (ExitReason.SPAWN_ERROR, "not started: the supervisor crashed")
        assert (await ended.wait_exit()).exit_code == 3
        assert {lost.state, ended.state} == {JobState.EXITED}
        assert stage.table.statistics().live_count == 0
        assert stage.jobs.list("ops") == []


async def test_a_caller_whose_time_is_up_in_the_instant_of_the_exit_does_not_lose_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_stage() as stage:
        handle = await stage.jobs.run(JobSpec("minute"), OPS, yield_after_ms=60_000)
        await trio.testing.wait_all_tasks_blocked()
        assert (handle.exit is not None and not handle.is_backgrounded) != bool(stage.told)
        assert len(stage.records["ops"]) == len(stage.told)
