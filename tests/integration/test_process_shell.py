"""Real children on the real clock: starting, talking, limits, and that nothing leaks."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

import pytest
import trio
from support.job_stage import MAIN, ProcessStage, open_job_stage, wait_until
from wakeward.protocols.jobs.exit import Exit, ExitReason, FailureKind
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.runtime.jobs.handle import JobHandle
from wakeward.runtime.jobs.options import child_environment


async def run(stage: ProcessStage, spec: JobSpec) -> tuple[Exit, str]:
    handle = stage.jobs.start(spec, MAIN)
    return await handle.wait_exit(), handle.text()


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def highest_fd() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir())


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (JobSpec(["/no/such/binary"]), "No such file or directory: '/no/such/binary'"),
        (JobSpec(["/etc/passwd"]), "Permission denied: '/etc/passwd'"),
        (JobSpec("echo hi", cwd="/no/such/folder"), "No such file or directory: '/no/such/folder'"),
        (JobSpec("echo hi", spill_path="/no/such/folder/log"), "No such file or directory: '/no/such/folder/log'"),
        (JobSpec("echo hi", detach=True, spill_path="/no/such/folder/log"), "'/no/such/folder/log'"),
        (JobSpec(["x" * 3_000_000]), "x"),
        (JobSpec(["echo", "\ud800"]), "surrogates not allowed"),
    ],
    ids=["binary", "permission", "cwd", "spill", "detach", "too-long", "not-text"],
)
async def test_a_child_that_cannot_be_spawned_has_its_exit_too(spec: JobSpec, said: str) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            before = open_fds()
            ended, text = await run(stage, spec)
            assert (ended.reason, ended.failure_kind) == (ExitReason.SPAWN_ERROR, FailureKind.RUNTIME_ERROR)
            assert said in ended.detail
            assert text == ended.detail
            assert stage.started == []
            assert open_fds() == before


async def test_without_descriptors_spawning_fails_and_recovers() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with trio.fail_after(20):
        async with open_job_stage() as stage:
            await run(stage, JobSpec("true"))
            highest = highest_fd()
            for room in range(8):
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + room, hard))
                try:
                    ended, _ = await run(stage, JobSpec("true", stdin_open=True, separate_stderr=True))
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                assert ended.reason in {ExitReason.SPAWN_ERROR, ExitReason.EXIT}
                if ended.reason is ExitReason.SPAWN_ERROR:
                    assert "Too many open files" in ended.detail
            before = open_fds()
            assert (await run(stage, JobSpec("true")))[0].exit_code == 0
            assert open_fds() == before


async def test_stdin_is_given_and_closed() -> None:
    payload = b"x" * 1_000_000 + b"\n"
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            ended, text = await run(stage, JobSpec("cat | wc -c", stdin=payload))
            assert (ended.exit_code, text.strip()) == (0, str(len(payload)))
            assert (await run(stage, JobSpec("cat; echo end")))[1] == "end\n"


async def test_a_child_that_does_not_read_its_input_ends_all_the_same() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            assert (await run(stage, JobSpec("exec 0<&-; sleep 0.1", stdin=b"x" * 1_000_000)))[0].exit_code == 0
            assert (await run(stage, JobSpec("sleep 0.1", stdin=b"x" * 1_000_000)))[0].exit_code == 0


async def test_a_conversation_over_pipes() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            handle = stage.jobs.start(JobSpec("read a; echo got $a; cat", stdin_open=True), MAIN)
            assert handle.submit("one")
            shown = await handle.poll(5)
            assert shown.output.text == "got one\n"
            assert shown.takes_input
            assert handle.write("two", eof=True)
            assert (await handle.wait_exit()).exit_code == 0
            assert (await handle.poll()).output.text == "two"
            refused = handle.write("late")
            assert not refused
            assert "closed" in refused.detail


async def test_a_conversation_on_a_terminal() -> None:
    script = "test -t 0 && test -t 1 && tty; stty size; read a; echo got $a; cat"
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            handle = stage.jobs.start(JobSpec(["sh", "-c", script], pty=True), MAIN)
            await wait_until(lambda: "30 120" in handle.text())
            assert "/dev/pts/" in handle.text()
            handle.submit("one")
            await wait_until(lambda: "got one" in handle.text())
            handle.send_keys("C-c")
            ended = await handle.wait_exit()
            assert ended.exit_signal == "SIGINT" or ended.exit_code == 130


async def test_end_of_file_on_a_terminal() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            handle = stage.jobs.start(JobSpec(["cat"], pty=True), MAIN)
            handle.write("abc\n", eof=True)
            assert (await handle.wait_exit()).exit_code == 0
            assert handle.text().endswith("abc\r\n")


async def test_a_shell_on_a_terminal_has_job_control() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            ended, text = await run(stage, JobSpec(["sh", "-c", "ps -o tpgid= -o pid= -p $$ || true"], pty=True))
            assert ended.exit_code == 0
            foreground, own = text.split()
            assert foreground == own


async def test_stderr_apart_and_together() -> None:
    script = "echo 1; echo 2 >&2; echo 3"
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            assert (await run(stage, JobSpec(script)))[1] == "1\n2\n3\n"
            handle = stage.jobs.start(JobSpec(script, separate_stderr=True), MAIN)
            await handle.wait_exit()
            assert (handle.text(), handle.error_text()) == ("1\n3\n", "2\n")


async def test_environment_and_folder(tmp_path: Path) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            spec = JobSpec("echo $COLOUR; pwd", cwd=tmp_path, env=child_environment({"COLOUR": "red"}))
            assert (await run(stage, spec))[1] == f"red\n{tmp_path}\n"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (JobSpec("sleep 30", timeout_ms=150), ExitReason.OVERALL_TIMEOUT),
        (
            JobSpec("while :; do echo x; sleep 0.02; done", timeout_ms=300, no_output_timeout_ms=250),
            ExitReason.OVERALL_TIMEOUT,
        ),
        (JobSpec("echo x; sleep 30", no_output_timeout_ms=150), ExitReason.NO_OUTPUT_TIMEOUT),
    ],
)
async def test_limits_end_the_child(spec: JobSpec, reason: ExitReason) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            ended, _ = await run(stage, spec)
            assert (ended.reason, ended.exit_signal, ended.timed_out) == (reason, "SIGTERM", True)


async def test_output_after_the_order_to_stop_is_kept() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            spec = JobSpec("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
            handle = stage.jobs.start(spec, MAIN)
            await wait_until(lambda: "ready" in handle.text())
            handle.kill()
            ended = await handle.wait_exit()
            assert (ended.reason, ended.exit_code) == (ExitReason.MANUAL_CANCEL, 7)
            assert handle.text().startswith("ready\n")
            assert handle.text().endswith("bye\n")


@pytest.mark.parametrize("size", [64_000_000, pytest.param(1 << 30, marks=pytest.mark.slow)])
async def test_output_without_end_costs_no_memory(size: int) -> None:
    script = f"printf begin; head -c {size} /dev/zero | tr '\\0' x; printf end"
    with trio.fail_after(60):
        async with open_job_stage() as stage:
            before = rss_bytes()
            handle = stage.jobs.start(JobSpec(script), MAIN)
            ended = await handle.wait_exit()
            assert ended.exit_code == 0
            assert rss_bytes() - before < 32 << 20
            text = handle.text()
            assert text.startswith("beginx")
            assert text.endswith("xend")
            assert f"[{size + 8 - 200_000} bytes of output not kept]" in text


async def test_a_spill_file_gets_all_up_to_its_bound(tmp_path: Path) -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            spec = JobSpec("seq 100000", spill_path=tmp_path / "all", head_bytes=0, tail_bytes=100)
            await run(stage, spec)
            assert (tmp_path / "all").read_text() == "".join(f"{i}\n" for i in range(1, 100_001))
            spec = JobSpec("seq 100000", spill_path=tmp_path / "some", spill_max_bytes=1_000)
            await run(stage, spec)
            assert (tmp_path / "some").stat().st_size == 1_000


async def test_a_full_disk_harms_the_spill_and_not_the_result() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            ended, text = await run(stage, JobSpec("echo hi; exit 3", spill_path="/dev/full"))
            assert (ended.exit_code, text) == (3, "hi\n")
            assert ended.cleanup_failure == "output file: No space left on device"


@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_many_exits_at_once_are_as_many_notices(count: int) -> None:
    with trio.fail_after(60):
        async with open_job_stage() as stage:
            handles = [stage.jobs.start(JobSpec(["echo", str(index)]), MAIN) for index in range(count)]
            await wait_until(lambda: all(handle.exit for handle in handles), 50)
            assert len(stage.told) == count
            assert len({notice.context_key for notice in stage.told}) == count


async def many_jobs(count: int) -> None:
    async with open_job_stage() as stage:
        await run(stage, JobSpec("true"))
        fds, threads = open_fds(), threading.active_count()
        tasks = trio.lowlevel.current_statistics().tasks_living

        async def worker() -> None:
            for index in range(count // 8):
                handle: JobHandle = stage.jobs.start(JobSpec(["true"] if index % 2 else "exit 3"), MAIN)
                await handle.wait_exit()

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(worker)
        assert len(stage.exits) == count // 8 * 8 + 1
        assert open_fds() == fds
        assert threading.active_count() <= threads + 8
        assert trio.lowlevel.current_statistics().tasks_living <= tasks + 2
        assert stage.table.statistics().live_count == 0


async def test_many_jobs_leak_nothing() -> None:
    with trio.fail_after(60):
        await many_jobs(400)


@pytest.mark.slow
async def test_ten_thousand_jobs_leak_nothing() -> None:
    with trio.fail_after(300):
        await many_jobs(10_000)


async def test_a_start_while_the_shell_closes_has_its_exit() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            stage.shell.stop_all(100)
            handle = stage.jobs.start(JobSpec("echo hi"), MAIN)
            assert handle.exit is not None
            assert handle.exit.reason is ExitReason.HOST_STOPPED
            assert stage.told == []


async def test_stopping_all_ends_all() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            handles = [stage.jobs.start(JobSpec("sleep 60"), MAIN) for _ in range(10)]
            await wait_until(lambda: len(stage.started) == 10)
            stage.shell.stop_all(1_000)
            await wait_until(lambda: all(handle.exit for handle in handles))
            assert {handle.exit and handle.exit.reason for handle in handles} == {ExitReason.HOST_STOPPED}


async def test_a_foreground_caller_that_is_cancelled_takes_its_child_with_it() -> None:
    with trio.fail_after(10):
        async with open_job_stage() as stage:
            with trio.move_on_after(0.1) as scope:
                await stage.jobs.run(JobSpec([sys.executable, "-c", "import time; time.sleep(60)"]), MAIN)
            assert scope.cancelled_caught
            await wait_until(lambda: stage.exits)
            ((ended,),) = stage.exits.values()
            assert ended.reason is ExitReason.MANUAL_CANCEL
            assert stage.told == []
