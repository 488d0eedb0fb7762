"""The exec supervisor under a recording context and scripted processes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.recording import RecordingContext
from wakeward.actors.jobs.ports import ExitSeen, JobExited, JobStarted, KillJob, NoticeReleased, StartJob
from wakeward.actors.jobs.record import Contract, Job, JobState, NoticeState
from wakeward.actors.jobs.registry import JobLimits, JobRegistry, TooManyJobsError, UnknownJobError
from wakeward.actors.jobs.supervisor import NOTICE_RETRY_MS, STANDSTILL_MS, JobsSupervisor
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.notice import JobRouting
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.receipt import Receipt, Refusal
from wakeward.protocols.sessions.route import InvalidSessionKeyError, Routing, Scope
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.messages import Notice, NoticeSeen
from wakeward.protocols.wakes.wake import Intent, Source

MAIN = Contract("agent:ops:main", "ops")


@define
class Recorded:
    """A process port that only notes what was asked of it."""

    started: list[str] = field(factory=list[str])
    ended: list[tuple[str, ExitReason, int]] = field(factory=list[tuple[str, ExitReason, int]])

    def start(self, job: Job) -> None:
        self.started.append(job.id)

    def terminate(self, job_id: str, reason: ExitReason, grace_ms: int) -> None:
        self.ended.append((job_id, reason, grace_ms))


class Stage:
    """A supervisor with everything around it."""

    def __init__(self, limits: JobLimits | None = None) -> None:
        self.context = RecordingContext("exec")
        self.processes = Recorded()
        self.registry = JobRegistry(random.Random(1).randrange, limits)
        self.supervisor = JobsSupervisor(self.context, self.processes, self.registry)
        self.context.behaviour = self.supervisor

    def start(self, spec: JobSpec | None = None, contract: Contract = MAIN, *, backgrounded: bool = True) -> Job:
        spec = spec or JobSpec("make", silence_notice_ms=None)
        job = self.registry.admit(spec, contract, self.context.now_ms(), backgrounded=backgrounded)
        self.supervisor.receive(StartJob(job))
        self.supervisor.receive(JobStarted(job.id, 100))
        return job

    def exit(self, job: Job, result: Exit | None = None, output: bytes = b"done\n") -> list[Any]:
        job.output.append(output, self.context.now_ms())
        self.supervisor.receive(JobExited(job.id, result or Exit(ExitReason.EXIT, 0)))
        return self.take()

    def take(self) -> list[Any]:
        told = self.context.take()
        assert {to for to, _ in told} <= {"router"}
        return [message for _, message in told]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_exit_becomes_one_notice_to_its_owner(stage: Stage) -> None:
    job = stage.start()
    (notice,) = stage.exit(job)
    assert isinstance(notice, Notice)
    assert notice.session_key == "agent:ops:main"
    assert notice.text == f"Exec completed ({job.id[:8]}, code 0) :: done"
    assert (notice.source, notice.intent, notice.coalesce_ms) == (Source.EXEC_EVENT, Intent.EVENT, 0)
    assert notice.context_key == f"exec:{job.id}"
    assert (job.state, job.notice) == (JobState.EXITED, NoticeState.SENT)


def test_the_exit_follows_the_contract_under_which_the_job_began(stage: Stage) -> None:
    delivery = DeliveryContext(channel="telegram", to="42")
    contract = Contract(
        "agent:ops:cron:nightly:run:1", "ops", routing=JobRouting(Routing(main_key="work")), delivery=delivery
    )
    (notice,) = stage.exit(stage.start(contract=contract))
    assert (notice.session_key, notice.delivery) == ("agent:ops:work", delivery)


@pytest.mark.parametrize(
    ("contract", "result", "output", "told"),
    [
        (MAIN, Exit(ExitReason.EXIT, 0), b" \n", False),
        (Contract("agent:ops:main", "ops", notify_on_exit_empty_success=True), Exit(ExitReason.EXIT, 0), b"", True),
        (Contract("agent:ops:main", "ops", notify_on_exit=False), Exit(ExitReason.EXIT, 1), b"x", False),
        (Contract(None, "ops"), Exit(ExitReason.EXIT, 1), b"x", False),
        (MAIN, Exit(ExitReason.EXIT, 3), b"", True),
        (MAIN, Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM"), b"x", False),
        (MAIN, Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM", cleanup_failure="2 left"), b"x", True),
        (MAIN, Exit(ExitReason.HOST_STOPPED, exit_signal="SIGTERM"), b"x", False),
        (MAIN, Exit(ExitReason.LEFT_RUNNING), b"x", False),
        (MAIN, Exit(ExitReason.SPAWN_ERROR, detail="no"), b"no", True),
    ],
)
def test_who_is_told_of_what(stage: Stage, contract: Contract, result: Exit, output: bytes, *, told: bool) -> None:
    assert bool(stage.exit(stage.start(contract=contract), result, output)) is told


def test_a_subagent_gets_its_event_but_no_wake(stage: Stage) -> None:
    (notice,) = stage.exit(stage.start(contract=Contract("agent:ops:subagent:u1", "ops")))
    assert (notice.session_key, notice.intent) == ("agent:ops:subagent:u1", None)


def test_a_job_that_was_waited_for_is_not_announced(stage: Stage) -> None:
    job = stage.start(backgrounded=False)
    assert stage.exit(job) == []
    assert stage.registry.get(job.id) is None


def test_a_notice_that_the_router_refuses_is_offered_again(stage: Stage) -> None:
    stage.context.answer = lambda _to, _message: Receipt(Refusal.FULL)
    job = stage.start()
    assert stage.exit(job) == []
    stage.context.advance(3 * NOTICE_RETRY_MS)
    assert stage.take() == []
    stage.context.answer = lambda _to, _message: Receipt()
    stage.context.advance(NOTICE_RETRY_MS)
    (notice,) = stage.take()
    assert notice.context_key == f"exec:{job.id}"
    stage.context.advance(10 * NOTICE_RETRY_MS)
    assert stage.take() == []


def test_a_supervisor_takes_up_what_the_one_before_it_has_left(stage: Stage) -> None:
    stage.context.answer = lambda _to, _message: Receipt(Refusal.FULL)
    ended = stage.start()
    stage.exit(ended)
    slow = stage.start(JobSpec("x", timeout_ms=5_000, no_output_timeout_ms=9_000))
    stage.context.advance(900)
    for key in tuple(stage.context.timers):
        stage.context.cancel_timer(key)
    stage.context.answer = lambda _to, _message: Receipt()
    stage.context.behaviour = JobsSupervisor(stage.context, stage.processes, stage.registry)
    stage.context.advance(NOTICE_RETRY_MS)
    assert [notice.context_key for notice in stage.take()] == [f"exec:{ended.id}"]
    assert {stage.context.timers[name, slow.id] for name in ("timeout", "silence")} == {5_000, 9_000}
    assert "sweep" in stage.context.timers


class TestSeenOrAnnounced:
    def test_an_exit_is_held_while_somebody_waits_for_it(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 1
        assert stage.exit(job) == []
        job.observed, job.waiting_count = True, 0
        stage.supervisor.receive(ExitSeen(job.id))
        stage.supervisor.receive(NoticeReleased(job.id))
        assert stage.take() == []
        assert job.notice is NoticeState.SETTLED

    def test_it_is_announced_when_the_last_of_them_has_gone(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 2
        stage.exit(job)
        job.waiting_count = 1
        stage.supervisor.receive(NoticeReleased(job.id))
        assert stage.take() == []
        job.waiting_count = 0
        stage.supervisor.receive(NoticeReleased(job.id))
        assert len(stage.take()) == 1

    def test_an_exit_seen_after_its_notice_takes_the_notice_back_once(self, stage: Stage) -> None:
        job = stage.start()
        (notice,) = stage.exit(job)
        job.observed = True
        stage.supervisor.receive(ExitSeen(job.id))
        (seen,) = stage.take()
        assert isinstance(seen, NoticeSeen)
        assert (seen.session_key, seen.context_key) == (notice.session_key, notice.context_key)
        stage.supervisor.receive(ExitSeen(job.id))
        assert stage.take() == []

    def test_a_notice_that_the_router_has_not_taken_is_not_taken_back_but_dropped(self, stage: Stage) -> None:
        stage.context.answer = lambda _to, _message: Receipt(Refusal.FULL)
        job = stage.start()
        stage.exit(job)
        job.observed = True
        stage.supervisor.receive(ExitSeen(job.id))
        stage.context.answer = lambda _to, _message: Receipt()
        stage.context.advance(10 * NOTICE_RETRY_MS)
        assert stage.take() == []


class TestLimits:
    def test_a_run_that_takes_too_long_is_ended(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", timeout_ms=1_000, silence_notice_ms=None, grace_ms=70))
        stage.context.advance(999)
        assert stage.processes.ended == []
        stage.context.advance(1)
        assert stage.processes.ended == [(job.id, ExitReason.OVERALL_TIMEOUT, 70)]
        assert job.state is JobState.STOPPING

    def test_a_silence_that_takes_too_long_is_ended_and_output_resets_it(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", no_output_timeout_ms=1_000, silence_notice_ms=None))
        stage.context.advance(900)
        job.output.append(b"x", stage.context.now_ms())
        stage.context.advance(999)
        assert stage.processes.ended == []
        stage.context.advance(1)
        assert stage.processes.ended == [(job.id, ExitReason.NO_OUTPUT_TIMEOUT, 5_000)]

    def test_no_limit_outlives_the_job(self, stage: Stage) -> None:
        stage.exit(stage.start(JobSpec("x", timeout_ms=9, no_output_timeout_ms=9)))
        assert set(stage.context.timers) == {"sweep"}
        stage.context.advance(100)
        assert stage.processes.ended == []

    def test_time_in_which_the_host_did_not_run_is_no_silence(self, stage: Stage) -> None:
        job = stage.start(JobSpec("x", no_output_timeout_ms=60_000, silence_notice_ms=None))
        stage.context.advance(10_000)
        stage.context.jump(20 * 60_000)  # the machine slept, on a timeline that did not stop
        stage.context.advance()
        assert stage.processes.ended == []
        assert stage.context.timers["silence", job.id] == stage.context.now_ms() + 60_000
        stage.context.advance(60_000)
        assert [reason for _, reason, _ in stage.processes.ended] == [ExitReason.NO_OUTPUT_TIMEOUT]

    def test_a_timer_that_is_a_little_late_is_no_standstill(self, stage: Stage) -> None:
        stage.start(JobSpec("x", no_output_timeout_ms=1_000, silence_notice_ms=None))
        stage.context.jump(1_000 + STANDSTILL_MS)
        stage.context.advance()
        assert len(stage.processes.ended) == 1


class TestSilence:
    SPEC = JobSpec("x", silence_notice_ms=1_000, timeout_ms=100_000, no_output_timeout_ms=99_500, stdin_open=True)

    def test_a_silent_child_is_reported_once_to_its_owner(self, stage: Stage) -> None:
        job = stage.start(self.SPEC)
        stage.context.advance(1_000)
        (notice,) = stage.take()
        assert notice.session_key == "agent:ops:main"
        assert notice.context_key == f"exec:{job.id}:silent"
        assert notice.text == (
            f"Exec silent ({job.id[:8]}) :: no output for 1s; it may be waiting for input; no-output timeout in 1m38s"
        )
        stage.context.advance(50_000)
        assert stage.take() == []

    def test_output_begins_a_new_silence(self, stage: Stage) -> None:
        job = stage.start(self.SPEC)
        stage.context.advance(1_000)
        stage.take()
        job.output.append(b"x", stage.context.now_ms())
        stage.context.advance(1_000)
        assert len(stage.take()) == 1

    @pytest.mark.parametrize(
        "contract", [Contract("agent:ops:main", "ops", notify_on_exit=False), Contract(None, "ops")]
    )
    def test_who_does_not_want_to_be_told_is_not(self, stage: Stage, contract: Contract) -> None:
        stage.start(self.SPEC, contract)
        stage.context.advance(10_000)
        assert stage.take() == []

    def test_a_silent_turn_is_a_stall_of_its_session_whether_or_not_its_end_is_told(self, stage: Stage) -> None:
        delivery = DeliveryContext(channel="telegram", to="42")
        terms = Contract(
            MAIN.session_key, "ops", notify_on_exit=False, delivery=delivery, silence_source=Source.CLI_WATCHDOG
        )
        job = stage.start(JobSpec(["llm", "-p"], silence_notice_ms=1_000, timeout_ms=100_000), terms)
        stage.context.advance(1_000)
        (notice,) = stage.take()
        assert (notice.source, notice.intent, notice.reason) == (
            Source.CLI_WATCHDOG,
            Intent.EVENT,
            "cli:watchdog:stall",
        )
        assert (notice.session_key, notice.context_key) == ("agent:ops:main", f"cli-watchdog:{job.id}")
        assert notice.text == "Turn silent (llm -p) :: no output for 1s; turn timeout in 1m39s"
        assert notice.delivery == delivery
        stage.context.advance(50_000)
        assert stage.take() == []
        job.output.append(b"x", stage.context.now_ms())
        stage.context.advance(2_000)
        assert len(stage.take()) == 1

    @pytest.mark.parametrize(
        ("session_key", "scope", "told"),
        [
            ("agent:ops:cron:job:run:1", Scope.PER_SENDER, ("agent:ops:main", Intent.EVENT)),
            ("agent:ops:cron:job:run:1", Scope.GLOBAL, ("agent:ops:global", Intent.EVENT)),
            ("agent:ops:subagent:x", Scope.PER_SENDER, ("agent:ops:subagent:x", None)),
        ],
    )
    def test_A7_a_stall_goes_the_way_of_an_exit(
        self, stage: Stage, session_key: str, scope: Scope, told: tuple[str, Intent | None]
    ) -> None:
        routing = JobRouting(Routing(scope=scope))
        stage.start(self.SPEC, Contract(session_key, "ops", routing=routing, silence_source=Source.CLI_WATCHDOG))
        stage.context.advance(1_000)
        (notice,) = stage.take()
        assert (notice.session_key, notice.intent) == told
        assert notice.source is Source.CLI_WATCHDOG

    def test_J5_time_in_which_the_host_did_not_run_is_no_stall(self, stage: Stage) -> None:
        stage.start(self.SPEC, Contract(MAIN.session_key, "ops", silence_source=Source.CLI_WATCHDOG))
        stage.context.jump(60_000)
        stage.context.advance()
        assert stage.take() == []
        stage.context.advance(1_000)
        assert len(stage.take()) == 1

    def test_a_caller_that_waits_is_not_told(self, stage: Stage) -> None:
        stage.start(self.SPEC, backgrounded=False)
        stage.context.advance(10_000)
        assert stage.take() == []


class TestRegistry:
    def test_a_job_does_not_exist_for_anybody_but_its_owner(self, stage: Stage) -> None:
        job = stage.start()
        assert stage.registry.find("ops", job.id) is job
        assert stage.registry.jobs_of("other") == []
        with pytest.raises(UnknownJobError, match=f"'other'.*'{job.id}'"):
            stage.registry.find("other", job.id)

    def test_the_newest_comes_first(self, stage: Stage) -> None:
        jobs = [stage.start() for _ in range(3)]
        assert stage.registry.jobs_of("ops") == jobs[::-1]

    def test_an_agent_has_a_bounded_number_of_children(self) -> None:
        stage = Stage(JobLimits(live_count_max=2))
        first = stage.start()
        stage.start()
        with pytest.raises(TooManyJobsError, match="'ops' has 2 children"):
            stage.start()
        stage.start(contract=Contract("agent:other:main", "other"))
        stage.exit(first)
        stage.start()

    def test_what_was_admitted_in_vain_gives_its_place_back(self) -> None:
        stage = Stage(JobLimits(live_count_max=1))
        stage.registry.discard(stage.registry.admit(JobSpec("x"), MAIN, 0))
        assert stage.registry.statistics().live_count == 0
        stage.start()

    @pytest.mark.parametrize("key", ["agent:", "agent:other:main", " "])
    def test_a_session_that_cannot_be_told_is_refused_at_the_start(self, stage: Stage, key: str) -> None:
        with pytest.raises(InvalidSessionKeyError):
            stage.start(contract=Contract(key, "ops"))

    def test_finished_jobs_are_kept_for_a_time(self) -> None:
        stage = Stage(JobLimits(finished_ttl_ms=1_000))
        job = stage.start()
        stage.exit(job)
        stage.context.advance(999)
        assert stage.registry.find("ops", job.id) is job
        stage.context.advance(1)
        assert stage.registry.jobs_of("ops") == []
        assert stage.context.timers == {}

    def test_finished_jobs_are_kept_in_a_bounded_number_per_agent(self) -> None:
        stage = Stage(JobLimits(finished_count_max=2))
        other = stage.start(contract=Contract("agent:other:main", "other"))
        stage.exit(other)
        jobs = [stage.start() for _ in range(4)]
        for job in jobs:
            stage.exit(job)
        assert stage.registry.jobs_of("ops") == [jobs[3], jobs[2]]
        assert stage.registry.jobs_of("other") == [other]

    def test_finished_jobs_are_kept_in_a_bounded_size_but_the_newest_stays(self) -> None:
        stage = Stage(JobLimits(finished_bytes_max=100))
        jobs = [stage.start() for _ in range(3)]
        for job, size in zip(jobs, (60, 60, 500), strict=True):
            stage.exit(job, output=b"x" * size)
        assert stage.registry.jobs_of("ops") == [jobs[2]]
        assert stage.registry.statistics().finished_bytes == 500

    def test_a_name_is_not_used_again_soon(self, stage: Stage) -> None:
        ids: set[str] = set()
        for _ in range(3_000):
            job = stage.start(backgrounded=False)
            stage.exit(job)
            ids.add(job.id)
        assert len(ids) == 3_000

    def test_names_are_unique_and_can_be_said(self) -> None:
        stage = Stage(JobLimits(live_count_max=20_000))
        ids = {stage.start().id for _ in range(5_000)}
        assert len(ids) == 5_000
        assert all(part.isalnum() for job_id in ids for part in job_id.split("-"))


def test_a_message_that_is_not_its_own_is_a_mistake(stage: Stage) -> None:
    with pytest.raises(TypeError, match="'hello'"):
        stage.supervisor.receive("hello")


def test_killing_what_is_gone_does_nothing(stage: Stage) -> None:
    job = stage.start()
    stage.exit(job)
    stage.supervisor.receive(KillJob(job.id))
    stage.supervisor.receive(KillJob("nobody"))
    assert stage.processes.ended == []


class SeenOrAnnouncedMachine(RuleBasedStateMachine):
    """Whatever the order of polls, cancellations and exits: each exit is shown or announced, and not both for good."""

    @initialize()
    def begin(self) -> None:
        self.stage = Stage()
        self.jobs: list[Job] = []
        self.open_notices: dict[str, int] = {}

    def note(self) -> None:
        for message in self.stage.take():
            key = message.context_key
            change = -1 if isinstance(message, NoticeSeen) else 1
            self.open_notices[key] = self.open_notices.get(key, 0) + change

    @rule()
    def start(self) -> None:
        self.jobs.append(self.stage.start())

    def with_job(self, index: int, act: Callable[[Job], None]) -> None:
        if self.jobs:
            act(self.jobs[index % len(self.jobs)])
            self.note()

    @rule(index=st.integers(0, 99))
    def wait(self, index: int) -> None:
        def begin(job: Job) -> None:
            job.waiting_count += 1

        self.with_job(index, begin)

    @rule(index=st.integers(0, 99), sees=st.booleans())
    def stop_waiting(self, index: int, *, sees: bool) -> None:
        def end(job: Job) -> None:
            if not job.waiting_count:
                return
            if sees and job.exit is not None and not job.observed:
                job.observed = True
                if job.notice in {NoticeState.HELD, NoticeState.SENT}:
                    self.stage.supervisor.receive(ExitSeen(job.id))
            job.waiting_count -= 1
            if job.notice is NoticeState.HELD and not job.observed and not job.waiting_count:
                self.stage.supervisor.receive(NoticeReleased(job.id))

        self.with_job(index, end)

    @precondition(lambda self: self.jobs)
    @rule(index=st.integers(0, 99))
    def exit(self, index: int) -> None:
        job = self.jobs[index % len(self.jobs)]
        if job.exit is None:
            job.output.append(b"done", 0)
            self.stage.supervisor.receive(JobExited(job.id, Exit(ExitReason.EXIT, 0)))
            self.note()

    @invariant()
    def seen_or_announced(self) -> None:
        for job in getattr(self, "jobs", []):
            announced = self.open_notices.get(f"exec:{job.id}", 0)
            assert announced in {0, 1}
            if job.exit is not None and not job.waiting_count:
                assert announced == (0 if job.observed else 1)


TestSeenOrAnnouncedMachine = SeenOrAnnouncedMachine.TestCase
TestSeenOrAnnouncedMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
