"""Real children and all that comes of them: nothing is left, whatever they try."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest
import trio
from support.job_stage import MAIN, live_with, open_job_stage, wait_until
from wakeward.protocols.jobs.exit import ExitReason
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.runtime.jobs.handle import JobHandle
from wakeward.runtime.process import child, tree
from wakeward.runtime.process.cgroup import find_cgroup_parent
from wakeward.runtime.process.procfs import Proc, all_procs, read_proc, send_signal

IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep {marker}; done"


@pytest.fixture(params=[True, False], ids=["cgroup", "walk"])
def use_cgroup(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def marker() -> str:
    """A number of seconds to sleep that nobody else sleeps for."""
    return f"{random.randrange(10**6, 10**7)}.25"


async def wait_output(handle: JobHandle, text: str) -> None:
    await wait_until(lambda: text in handle.text())


async def test_a_double_forked_daemon_ends_with_its_job(marker: str, *, use_cgroup: bool) -> None:
    with trio.fail_after(10):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            handle = stage.jobs.start(JobSpec(["bash", "-c", f"(setsid sleep {marker} &) ; echo hi"]), MAIN)
            ended = await handle.wait_exit()
            assert (ended.exit_code, ended.cleanup_failure) == (0, None)
            assert live_with(marker) == []
            assert handle.text() == "hi\n"


async def test_a_daemon_that_clears_its_environment_is_found_by_its_cgroup(marker: str) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            probe = find_cgroup_parent(f"wakeward-probe-{os.getpid()}")
            if probe is None:
                pytest.skip("no control group of version 2 to be had")
            probe.remove()
            script = f"sleep 0.3; (env -i setsid sh -c 'sleep {marker} & exit' &); sleep 0.1; echo hi"
            handle = stage.jobs.start(JobSpec(["bash", "-c", script]), MAIN)
            ended = await handle.wait_exit()
            assert ended.cleanup_failure is None
            assert live_with(marker) == []


def test_the_groups_of_programs_that_were_killed_are_removed() -> None:
    gone = find_cgroup_parent(f"wakeward-{2**22 + 1}-x")
    if gone is None:
        pytest.skip("no control group of version 2 to be had")
    gone.make("job")
    own = find_cgroup_parent(f"wakeward-{os.getpid()}-x")
    assert own is not None
    assert own.path.exists()
    assert not gone.path.exists()
    own.remove()
    assert not own.path.exists()


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(marker: str, *, use_cgroup: bool) -> None:
    with trio.fail_after(10):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            spec = JobSpec(["bash", "-c", IGNORES_TERM.format(marker=marker)], grace_ms=400)
            handle = stage.jobs.start(spec, MAIN)
            await wait_output(handle, "ready")
            began = trio.current_time()
            handle.kill()
            ended = await handle.wait_exit()
            assert 0.4 <= trio.current_time() - began < 1.4
            assert (ended.reason, ended.exit_signal) == (ExitReason.MANUAL_CANCEL, "SIGKILL")
            assert live_with(marker) == []


async def test_nobody_is_asked_twice_and_everybody_has_the_grace(
    marker: str, tmp_path: Path, *, use_cgroup: bool
) -> None:
    """The root ends at once, its children take their time: they have it, and are not signalled a second time."""
    child = tmp_path / "child.sh"
    child.write_text("trap 'echo asked' TERM; echo ready; for i in $(seq 50); do sleep 0.02; done; echo done")
    with trio.fail_after(10):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            script = f"(setsid bash {child} &) ; bash {child} & sleep {marker}"
            handle = stage.jobs.start(JobSpec(["bash", "-c", script]), MAIN)
            await wait_until(lambda: handle.text().count("ready") == 2)
            handle.kill()
            ended = await handle.wait_exit()
            assert ended.exit_signal == "SIGTERM"
            assert handle.text().split().count("asked") == 2
            assert handle.text().split().count("done") == 2
            assert live_with(marker) == []


async def test_a_second_kill_shortens_the_grace(marker: str) -> None:
    with trio.fail_after(5):
        async with open_job_stage() as stage:
            spec = JobSpec(["bash", "-c", IGNORES_TERM.format(marker=marker)], grace_ms=60_000)
            handle = stage.jobs.start(spec, MAIN)
            await wait_output(handle, "ready")
            handle.kill()
            await trio.sleep(0.05)
            handle.kill(grace_ms=0)
            assert (await handle.wait_exit()).exit_signal == "SIGKILL"


async def test_what_cannot_be_ended_makes_the_cleanup_uncertain_and_never_replaces_the_exit(
    marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_nothing(_proc: Proc, _number: signal.Signals) -> None: ...

    monkeypatch.setattr(tree, "send_signal", send_nothing)
    monkeypatch.setattr(child, "KILL_PATIENCE", 0.1)
    with trio.fail_after(10):
        async with open_job_stage(use_cgroup=False) as stage:
            handle = stage.jobs.start(JobSpec(["bash", "-c", f"(setsid sleep {marker} &) ; echo hi; exit 3"]), MAIN)
            await wait_until(lambda: handle.exit)
            (left,) = live_with(marker)
            assert handle.exit is not None
            assert (handle.exit.exit_code, handle.text()) == (3, "hi\n")
            assert handle.exit.cleanup_failure == f"left after SIGKILL: 1 of its tree, with the process ids {left}"
            (notice,) = stage.told
            assert notice.text.endswith("code 3) :: hi")
            os.kill(left, signal.SIGKILL)


async def test_a_grandchild_that_holds_stdout_does_not_hold_up_the_exit(marker: str, *, use_cgroup: bool) -> None:
    with trio.fail_after(5):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            began = trio.current_time()
            handle = stage.jobs.start(JobSpec(f"sleep {marker} & echo hi"), MAIN)
            ended = await handle.wait_exit()
            assert trio.current_time() - began <= 1
            assert (ended.exit_code, handle.text()) == (0, "hi\n")
            assert live_with(marker) == []


async def test_a_stranger_that_holds_stdout_does_not_hold_up_the_exit_either(tmp_path: Path) -> None:
    """The descriptor is passed to a process that is not of the tree: its output stays open after everybody is gone."""
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    holder = (
        "import os, socket, sys, array\n"
        f"s = socket.socket(socket.AF_UNIX); s.connect({str(tmp_path / 'sock')!r})\n"
        "s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [1]))]); print('sent')\n"
    )
    with trio.fail_after(10), trio.socket.socket(trio.socket.AF_UNIX) as server:
        await server.bind(str(tmp_path / "sock"))
        server.listen()
        async with open_job_stage() as stage:
            handle = stage.jobs.start(JobSpec([sys.executable, "-c", holder]), MAIN)
            peer, _ = await server.accept()
            _, ancillary, _, _ = await peer.recvmsg(1, 100)
            ended = await handle.wait_exit()
            assert (ended.exit_code, handle.text()) == (0, "sent\n")
            os.close(int.from_bytes(ancillary[0][2][:4], sys.byteorder))
            peer.close()
    os.close(read_end)
    os.close(write_end)


async def test_a_tree_of_200_is_gone_within_a_second_and_the_host_stays_responsive(
    marker: str, *, use_cgroup: bool
) -> None:
    branch = f"(setsid sh -c 'sleep {marker} & sleep {marker}' &)"
    fork_tree = f"for i in $(seq 100); do {branch} ; done; echo ready; wait; sleep {marker}"
    jitter = 0.0

    async def tick() -> None:
        nonlocal jitter
        while True:
            began = trio.current_time()
            await trio.sleep(0.005)
            jitter = max(jitter, trio.current_time() - began - 0.005)

    with trio.fail_after(30):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            handle = stage.jobs.start(JobSpec(["bash", "-c", fork_tree]), MAIN)
            await wait_output(handle, "ready")
            await wait_until(lambda: len(live_with(marker)) >= 200, 15)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tick)
                began = trio.current_time()
                handle.kill()
                ended = await handle.wait_exit()
                took = trio.current_time() - began
                nursery.cancel_scope.cancel()
            assert live_with(marker) == []
            assert ended.cleanup_failure is None
            assert took < 1
            assert jitter < 0.25


def zombies() -> set[int]:
    own = os.getpid()
    return {proc.pid for proc in all_procs() if proc.ppid == own and proc.is_dead}


async def test_orphans_are_reaped(marker: str, *, use_cgroup: bool) -> None:
    before = zombies()
    scripts = [
        "for i in $(seq 20); do (sleep 0.0$((i % 9)) &) ; done; sleep 0.3",
        f"for i in $(seq 20); do (setsid sh -c 'sleep {marker} & sleep {marker}' &) ; done; sleep 0.3",
    ]
    with trio.fail_after(10):
        async with open_job_stage(use_cgroup=use_cgroup) as stage:
            for script in scripts:
                await stage.jobs.start(JobSpec(["bash", "-c", script]), MAIN).wait_exit()
            assert zombies() <= before


async def test_a_child_of_somebody_else_is_neither_signalled_nor_reaped() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            other = await trio.lowlevel.open_process(["sleep", "0.2"], start_new_session=True)
            for _ in range(5):
                await stage.jobs.start(JobSpec("(sleep 0.01 &)"), MAIN).wait_exit()
            await trio.sleep(0.3)
            await stage.jobs.start(JobSpec("(sleep 0.01 &)"), MAIN).wait_exit()
            assert await other.wait() == 0


def test_a_signal_does_not_reach_a_process_that_has_another_ones_number() -> None:
    own = read_proc(os.getpid())
    assert own is not None
    send_signal(Proc(own.pid, own.start_ticks - 1, own.ppid, own.pgrp, own.session, "S"), signal.SIGKILL)
    send_signal(Proc(2**22 - 1, 1, 1, 1, 1, "S"), signal.SIGKILL)


async def test_a_detached_child_survives_the_host_and_is_accounted(marker: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            spec = JobSpec(f"echo begun; sleep {marker}", detach=True, spill_path=log)
            handle = stage.jobs.start(spec, MAIN)
            await wait_output(handle, "begun")
        try:
            assert handle.exit is not None
            assert handle.exit.reason is ExitReason.LEFT_RUNNING
            assert handle.pid is not None
            assert handle.pid in live_with(marker)
            assert log.read_text(encoding="utf-8") == "begun\n"
            assert stage.told == []
        finally:
            for pid in live_with(marker):
                os.kill(pid, signal.SIGKILL)
                if pid == handle.pid:
                    await trio.to_thread.run_sync(os.waitpid, pid, 0)  # noqa: ASYNC102 - it has been killed, it ends at once


async def test_what_a_detached_child_leaves_behind_stays(marker: str) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            handle = stage.jobs.start(JobSpec(f"sleep {marker} & echo hi", detach=True), MAIN)
            assert (await handle.wait_exit()).exit_code == 0
            assert handle.text() == "hi\n"
        (left,) = live_with(marker)
        os.kill(left, signal.SIGKILL)


async def cancel_at(instant: float, marker: str, *, use_cgroup: bool) -> None:
    scripts = [
        f"sleep {marker}",
        f"(setsid sleep {marker} &) ; sleep {marker}",
        f"trap '' TERM; sleep {marker} & wait; sleep {marker}",
        "echo quick",
        "exit 3",
    ]
    with trio.move_on_after(instant) as scope:
        async with open_job_stage(use_cgroup=use_cgroup) as stage, trio.open_nursery() as nursery:
            for script in scripts * 2:
                nursery.start_soon(stage.jobs.run, JobSpec(["bash", "-c", script]), MAIN)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert live_with(marker) == []


async def test_cancelling_the_host_at_any_moment_leaves_nothing(
    marker: str, rng: random.Random, *, use_cgroup: bool
) -> None:
    with trio.fail_after(60):
        for _ in range(2):
            await cancel_at(rng.uniform(0, 0.25), marker, use_cgroup=use_cgroup)


@pytest.mark.slow
async def test_cancelling_the_host_at_100_random_moments_leaves_nothing(marker: str, *, use_cgroup: bool) -> None:
    rng = random.Random(20_260_906)
    with trio.fail_after(300):
        for _ in range(100):
            await cancel_at(rng.uniform(0, 0.4), marker, use_cgroup=use_cgroup)
