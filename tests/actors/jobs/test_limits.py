"""The limits of a child, as its supervisor keeps them: the whole run, a silence, and the report of a silence."""

from __future__ import annotations

import pytest
from support.jobs_driver import MAIN, SUPERVISOR, Stage
from wakeward.protocols.jobs.exit import ExitReason
from wakeward.protocols.jobs.record import Contract, JobState
from wakeward.protocols.jobs.silence import STANDSTILL_MS
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.wake import Intent, Source


@pytest.fixture
def stage() -> Stage:
    return Stage()


class TestLimits:
    def test_a_run_that_takes_too_long_is_ended(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", timeout_ms=1_000, silence_notice_ms=None, grace_ms=70))
        stage.driver.advance(999)
        assert stage.shell.ended == []
        stage.driver.advance(1)
        assert stage.shell.ended == [(job.job_id, ExitReason.OVERALL_TIMEOUT, 70)]
        assert job.state is JobState.STOPPING

    def test_a_silence_that_takes_too_long_is_ended_and_output_resets_it(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", no_output_timeout_ms=1_000, silence_notice_ms=None))
        stage.driver.advance(900)
        job.sinks.output.append(b"x", stage.driver.now_ms)
        stage.driver.advance(999)
        assert stage.shell.ended == []
        stage.driver.advance(1)
        assert stage.shell.ended == [(job.job_id, ExitReason.NO_OUTPUT_TIMEOUT, 5_000)]

    def test_no_limit_outlives_the_job(self, stage: Stage) -> None:
        stage.exit(stage.start(JobSpec("x", timeout_ms=9, no_output_timeout_ms=9)))
        assert set(stage.driver.timers(SUPERVISOR)) == {"sweep"}
        stage.driver.advance(100)
        assert stage.shell.ended == []

    def test_time_in_which_the_host_did_not_run_is_no_silence(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", no_output_timeout_ms=60_000, silence_notice_ms=None))
        stage.driver.advance(10_000)
        stage.driver.jump(20 * 60_000)  # the machine slept, on a timeline that did not stop
        stage.driver.run()
        assert stage.shell.ended == []
        assert stage.driver.timers(SUPERVISOR)["silence", job.job_id] == stage.driver.now_ms + 60_000
        stage.driver.advance(60_000)
        assert [reason for _, reason, _ in stage.shell.ended] == [ExitReason.NO_OUTPUT_TIMEOUT]

    def test_a_timer_that_is_a_little_late_is_no_standstill(self, stage: Stage) -> None:
        stage.start(JobSpec("x", no_output_timeout_ms=1_000, silence_notice_ms=None))
        stage.driver.jump(1_000 + STANDSTILL_MS)
        stage.driver.run()
        assert len(stage.shell.ended) == 1


class TestSilence:
    SPEC = JobSpec("x", silence_notice_ms=1_000, timeout_ms=100_000, no_output_timeout_ms=99_500, stdin_open=True)

    def test_a_silent_child_is_reported_once_to_its_owner(self, stage: Stage) -> None:
        job = stage.start(self.SPEC)
        stage.driver.advance(1_000)
        (notice,) = stage.take()
        assert (notice.session_key, notice.job_id) == ("agent:ops:main", None)
        assert notice.context_key == f"exec:{job.job_id}:silent"
        assert notice.text == (
            f"Exec silent ({job.job_id[:8]}) :: no output for 1s; it may be waiting for input; "
            "no-output timeout in 1m38s"
        )
        stage.driver.advance(20_000)
        stage.driver.restart(SUPERVISOR)
        stage.driver.advance(20_000)
        assert stage.take() == []

    def test_output_begins_a_new_silence(self, stage: Stage) -> None:
        job = stage.start(self.SPEC)
        stage.driver.advance(1_000)
        stage.take()
        job.sinks.output.append(b"x", stage.driver.now_ms)
        stage.driver.advance(1_000)
        assert len(stage.take()) == 1

    def test_who_does_not_want_to_be_told_is_not(self, stage: Stage) -> None:
        stage.start(self.SPEC, Contract("ops", "agent:ops:main", notify_on_exit=False))
        stage.start(self.SPEC, background=False)
        stage.driver.advance(10_000)
        assert stage.take() == []

    def test_a_silent_turn_is_a_stall_of_its_session_whether_or_not_its_end_is_told(self, stage: Stage) -> None:
        delivery = DeliveryContext(channel="telegram", to="42")
        terms = Contract("ops", MAIN.session_key, delivery=delivery, source=Source.CLI_WATCHDOG, notify_on_exit=False)
        job = stage.start(JobSpec(["llm", "-p"], silence_notice_ms=1_000, timeout_ms=100_000), terms)
        stage.driver.advance(1_000)
        (notice,) = stage.take()
        assert (notice.source, notice.intent, notice.reason) == (
            Source.CLI_WATCHDOG,
            Intent.EVENT,
            "cli:watchdog:stall",
        )
        assert (notice.session_key, notice.context_key) == ("agent:ops:main", f"cli-watchdog:{job.job_id}")
        assert notice.text == "Turn silent (llm -p) :: no output for 1s; turn timeout in 1m39s"
        assert notice.delivery == delivery
        stage.driver.advance(50_000)
        assert stage.take() == []
        job.sinks.output.append(b"x", stage.driver.now_ms)
        stage.driver.advance(2_000)
        assert len(stage.take()) == 1

    def test_A7_a_stall_goes_the_way_of_an_exit(self, stage: Stage) -> None:
        contract = Contract("ops", "agent:ops:subagent:x", wakes=False, source=Source.CLI_WATCHDOG)
        stage.start(self.SPEC, contract)
        stage.driver.advance(1_000)
        (notice,) = stage.take()
        assert (notice.session_key, notice.intent) == ("agent:ops:subagent:x", None)
        assert notice.source is Source.CLI_WATCHDOG

    def test_J5_time_in_which_the_host_did_not_run_is_no_stall(self, stage: Stage) -> None:
        stage.start(self.SPEC, Contract("ops", MAIN.session_key, source=Source.CLI_WATCHDOG))
        stage.driver.jump(60_000)
        stage.driver.run()
        assert stage.take() == []
        stage.driver.advance(1_000)
        assert len(stage.take()) == 1
