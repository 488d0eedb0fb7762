"""Commands of agents, through the host, with real children on the real clock: what becomes of each exit."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.fifo import open_fifo
from support.job_stage import live_with, wait_until
from wakeward import (
    AgentOptions,
    AgentSpec,
    CooldownPolicy,
    Host,
    HostConfig,
    InvalidInputError,
    QueuePolicy,
    Turn,
    open_host,
)
from wakeward.protocols.jobs.exit import ExitReason
from wakeward.protocols.jobs.messages import JobExited, ShellFact, StartJob
from wakeward.protocols.sessions.route import Scope
from wakeward.runtime.jobs.jobs import Jobs

MAIN = "agent:ops:main"
CRON_RUN = "agent:ops:cron:job:run:1"
NO_GUARDS = CooldownPolicy(min_spacing=0, flood_window=0, events_wait_for_due=False)


class Shown:
    """A handler that notes what each turn is shown, and by whom it was woken."""

    def __init__(self, then: Callable[[Turn], Awaitable[object]] | None = None) -> None:
        self.turns: list[tuple[str, str, list[str]]] = []
        self._then = then

    async def __call__(self, turn: Turn) -> None:
        self.turns.append((turn.session_key, turn.source, [event.text for event in turn.events]))
        if self._then is not None:
            await self._then(turn)


@asynccontextmanager
async def hosting(handler: Shown, config: HostConfig | None = None) -> AsyncGenerator[Host]:
    with trio.fail_after(20):
        async with open_host(config) as host:
            host.add_agent(AgentSpec("ops", handler, cooldown=NO_GUARDS))
            yield host


@pytest.fixture
def marker() -> Iterator[str]:
    """A number of seconds that nobody else on this machine sleeps for; whoever does at the end is ended."""
    value = f"{random.randrange(10**5, 10**6)}.{random.randrange(10**8):08d}"
    yield value
    for pid in live_with(value):
        os.kill(pid, signal.SIGKILL)


def without_id(text: str) -> str:
    """``Exec completed (code 0) :: ...``: the notice without the job's random name."""
    before, _, rest = text.partition("(")
    return f"{before}({rest.partition(', ')[2]}"


# The contract


@pytest.mark.parametrize(
    ("at_start", "later", "told"),
    [
        (HostConfig(), HostConfig(main_key="work"), MAIN),
        (HostConfig(main_key="work"), HostConfig(), "agent:ops:work"),
        (HostConfig(), HostConfig(scope=Scope.GLOBAL), MAIN),
        (HostConfig(scope=Scope.GLOBAL), HostConfig(), "agent:ops:global"),
    ],
    ids=["main-key", "main-key-back", "scope", "scope-back"],
)
async def test_F_B3_an_exit_follows_the_contract_under_which_its_command_began(
    tmp_path: Path, at_start: HostConfig, later: HostConfig, told: str
) -> None:
    os.mkfifo(tmp_path / "go")
    shown = Shown()
    async with hosting(shown, at_start) as host:
        await host.exec(CRON_RUN, "read -r said <go; echo $said", cwd=tmp_path, background=True)
        host.reconfigure(later)
        await trio.to_thread.run_sync((tmp_path / "go").write_text, "built\n")
        await host.wait_idle()
    assert [(key, source, [without_id(text) for text in texts]) for key, source, texts in shown.turns] == [
        (told, "exec-event", ["Exec completed (code 0) :: built"])
    ]


async def test_a_subagents_session_gets_the_event_and_no_wake() -> None:
    session = "agent:ops:subagent:helper"
    shown = Shown()
    async with hosting(shown) as host:
        job = await host.exec(session, "echo found it", background=True)
        await host.wait_idle()
        assert shown.turns == []
        assert host.events_retained() == {session: 1}
        host.wake(session, source="manual", intent="manual")
        await host.wait_idle()
    assert shown.turns == [(session, "manual", [f"Exec completed ({job.id[:8]}, code 0) :: found it"])]


# Seen or told, never both


async def test_a_poll_that_saw_the_exit_consumes_its_notice() -> None:
    shown = Shown()
    async with hosting(shown) as host:
        job = await host.exec(MAIN, "echo seen", background=True)
        polls = [await job.poll(wait=10)]
        while polls[-1].exit is None:
            polls.append(await job.poll(wait=10))
        await host.wait_idle()
        assert "".join(poll.output.text for poll in polls) == "seen\n"
        assert host.events_retained() == {}
    assert shown.turns == []


async def test_a_poll_that_saw_the_exit_takes_its_notice_back_while_it_still_waits() -> None:
    """Its wake is held by the host; nobody has been shown the event."""
    shown = Shown()
    async with hosting(shown) as host:
        host.pause()
        job = await host.exec(MAIN, "echo seen", background=True)
        await wait_until(lambda: host.events_retained() == {MAIN: 1})
        assert (await job.poll()).exit is not None
        await host.system.wait_idle()
        host.resume()
        await host.wait_idle()
        assert host.events_retained() == {}
    assert shown.turns == []


async def test_a_turn_that_polls_last_of_all_is_not_followed_by_one_that_is_told_the_same() -> None:
    async def work(turn: Turn) -> None:
        if turn.source == "manual":
            job = await turn.exec_background("echo seen")
            await wait_until(lambda: hosts[0].events_retained() == {MAIN: 1})
            assert (await job.poll()).exit is not None

    shown = Shown(work)
    hosts: list[Host] = []
    async with hosting(shown) as host:
        hosts.append(host)
        host.wake(MAIN, source="manual", intent="manual", coalesce_ms=0)
        await host.wait_idle()
    assert len(shown.turns) == 1


async def test_an_exit_that_is_waited_for_in_the_turn_is_told_to_nobody() -> None:
    ends: list[object] = []

    async def work(turn: Turn) -> None:
        job = await turn.exec("echo here; exit 3")
        ends.append((job.exit and job.exit.exit_code, job.text()))

    shown = Shown(work)
    async with hosting(shown) as host:
        host.wake(MAIN, source="manual", intent="manual", coalesce_ms=0)
        await host.wait_idle()
    assert ends == [(3, "here\n")]
    assert len(shown.turns) == 1


async def test_after_its_yield_a_command_goes_on_in_the_background_and_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    went_on: list[bool] = []

    async def work(turn: Turn) -> None:
        if turn.source == "manual":
            job = await turn.exec("read -r said <go; echo $said", cwd=tmp_path, yield_after="50ms")
            went_on.append(job.is_backgrounded and job.exit is None)

    shown = Shown(work)
    async with hosting(shown) as host:
        await host.wake_and_wait(MAIN, source="manual", intent="manual")
        await trio.to_thread.run_sync((tmp_path / "go").write_text, "late\n")
        await host.wait_idle()
    assert went_on == [True]
    assert [without_id(text) for text in shown.turns[1][2]] == ["Exec completed (code 0) :: late"]


# What is worth telling


@pytest.mark.parametrize(
    ("command", "options", "told"),
    [
        ("exit 0", {}, []),
        ("exit 0", {"notify_on_empty_success": True}, ["Exec completed (code 0)"]),
        ("exit 3", {}, ["Exec completed (code 3)"]),
        ("echo hi", {"notify_on_exit": False}, []),
        ("kill -KILL $$", {}, ["Exec failed (signal SIGKILL)"]),
        ("echo hi; sleep 600", {"timeout": "200ms"}, ["Exec failed (signal SIGTERM) :: hi"]),
        (["/no/such/program"], {}, ["Exec failed (unknown exit code) :: cannot be started: [Errno 2]"]),
        (["/etc/passwd"], {}, ["Exec failed (unknown exit code) :: cannot be started: [Errno 13]"]),
        ("echo hi", {"cwd": "/no/such/folder"}, ["Exec failed (unknown exit code) :: cannot be started: [Errno 2]"]),
    ],
    ids=["quiet", "quiet-asked", "code", "unwanted", "signal", "timeout", "missing", "permission", "cwd"],
)
async def test_each_exit_is_one_notice_or_none(
    command: str | list[str], options: dict[str, Any], told: list[str]
) -> None:
    shown = Shown()
    async with hosting(shown) as host:
        await host.exec(MAIN, command, background=True, **options)
        await host.wait_idle()
        assert host.statistics().execs.exited == 1
        assert host.events_retained() == {}
    texts = [without_id(text) for _, _, texts in shown.turns for text in texts]
    assert len(texts) == len(told)
    assert all(text.startswith(expected) for text, expected in zip(texts, told, strict=True)), texts


async def test_a_command_that_is_killed_by_hand_ends_silently(marker: str) -> None:
    shown = Shown()
    async with hosting(shown) as host:
        job = await host.exec(MAIN, f"echo begun; sleep {marker}", background=True)
        assert (await job.poll(wait=10)).output.text == "begun\n"
        assert job.kill()
        await host.wait_idle()
        assert job.exit is not None
        assert job.exit.reason is ExitReason.MANUAL_CANCEL
        assert host.events_retained() == {}
    assert shown.turns == []
    assert live_with(marker) == []


async def test_a_refused_variable_is_named_and_nothing_is_started() -> None:
    async with hosting(Shown()) as host:
        for name in ("LD_PRELOAD", "PATH", "PYTHONPATH"):
            with pytest.raises(InvalidInputError, match=name):
                await host.exec(MAIN, "true", env={name: "x", "HARMLESS": "y"}, background=True)
        job = await host.exec(MAIN, "echo $HARMLESS", env={"HARMLESS": "y"})
        assert job.text() == "y\n"
        assert host.statistics().execs.started == 1


# The end of the host


async def test_a_detached_command_survives_the_drain_and_is_accounted(marker: str, tmp_path: Path) -> None:
    shown = Shown()
    with trio.fail_after(20), open_fifo(tmp_path / "fifo") as fifo:
        async with open_host() as host:
            host.add_agent(AgentSpec("ops", shown, cooldown=NO_GUARDS))
            command = f"echo begun >fifo; exec sleep {marker}"
            job = await host.exec(MAIN, command, cwd=tmp_path, background=True, detach=True)
            await fifo.read_line()
            await host.drain(0)
            execs = host.statistics().execs
            assert (execs.started, execs.exited, execs.running) == (1, 1, 0)
        assert job.exit is not None
        assert job.exit.reason is ExitReason.LEFT_RUNNING
        assert live_with(marker) == [job.pid]
        assert shown.turns == []
        assert job.pid is not None
        os.kill(job.pid, signal.SIGKILL)
        await trio.to_thread.run_sync(os.waitpid, job.pid, 0)  # noqa: ASYNC102 - it has been killed, it ends at once


async def cancel_at(instant: float, scripts: list[str], marker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel a host whose agents start commands from turns and from outside, ``instant`` seconds after it began."""
    started: set[str] = set()
    exits = Counter[str]()
    admitted = StartJob.__init__
    deliver = Jobs.deliver

    def on_start(message: StartJob, job_id: str, *terms: Any) -> None:
        admitted(message, job_id, *terms)
        started.add(job_id)

    def on_deliver(jobs: Jobs, fact: ShellFact) -> None:
        if isinstance(fact, JobExited):
            exits[fact.job_id] += 1
        deliver(jobs, fact)

    async def work(turn: Turn) -> None:
        for script in scripts:
            await turn.exec(["bash", "-c", script], yield_after="20ms")

    with monkeypatch.context() as patch, trio.move_on_after(instant) as scope:
        patch.setattr(StartJob, "__init__", on_start)
        patch.setattr(Jobs, "deliver", on_deliver)
        async with open_host() as host, trio.open_nursery() as nursery:
            for name in ("ops", "dev"):
                host.add_agent(AgentSpec(name, Shown(work), cooldown=NO_GUARDS))
                host.wake(f"agent:{name}:main", source="manual", intent="manual", coalesce_ms=0)
            for script in scripts:
                nursery.start_soon(host.exec, MAIN, ["bash", "-c", script])
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert live_with(marker) == []
    assert exits == Counter(started)


async def cancel_often(count: int, seed: int, marker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every fourth host some commands ignore SIGTERM, which makes its end take the whole grace."""
    rng = random.Random(seed)
    scripts = [f"sleep {marker}", f"(setsid sleep {marker} &) ; sleep {marker}", "echo quick", "exit 3"]
    stubborn = f"trap '' TERM; sleep {marker} & wait; sleep {marker}"
    for number in range(count):
        instant = rng.uniform(0, 0.3)
        try:
            await cancel_at(instant, [stubborn, *scripts] if number % 4 == 0 else scripts, marker, monkeypatch)
        except BaseException as error:
            error.add_note(f"seed {seed}, host {number}, cancelled after {instant:.6f} s")
            raise


async def test_cancelling_the_host_at_20_random_moments_leaves_nothing(
    marker: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(60):
        await cancel_often(20, seed, marker, monkeypatch)


@pytest.mark.slow
async def test_cancelling_the_host_at_100_random_moments_leaves_nothing(
    marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(300):
        await cancel_often(100, 20_260_906, marker, monkeypatch)


async def test_exits_wait_for_room_when_their_sessions_queue_is_full() -> None:
    shown = Shown()
    config = HostConfig(defaults=AgentOptions(queue=QueuePolicy(capacity=2)))
    async with hosting(shown, config) as host:
        host.pause()
        for number in range(5):
            await host.exec(MAIN, f"echo exit {number}", background=True)
        await wait_until(lambda: host.statistics().execs.exited == 5 and host.events_retained() == {MAIN: 2})
        host.resume()
        await wait_until(lambda: sum(len(texts) for *_, texts in shown.turns) == 5)
    assert len({text for *_, texts in shown.turns for text in texts}) == 5
