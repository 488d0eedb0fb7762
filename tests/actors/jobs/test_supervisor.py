"""The supervisor of an agent's jobs: children, limits, notices, and what it takes up after a crash or a restart."""

from __future__ import annotations

import pytest
from support.jobs_driver import MAIN, SUPERVISOR, Stage
from wakeward.actors.jobs.offers import NOTICE_RETRY_MS
from wakeward.actors.jobs.supervisor import LOST_DETAIL
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.messages import BackgroundJob, DiscardJob, ExitSeen, JobExited, KillJob, NoticeReleased
from wakeward.protocols.jobs.record import Audience, Contract, JobState, NoticeState
from wakeward.protocols.jobs.spec import JobSpec
from wakeward.protocols.journal.port import CommitOutcome
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.messages import Notice, NoticeRefused, NoticeSeen
from wakeward.protocols.wakes.wake import Intent, Source

FAILED = Exit(ExitReason.EXIT, 1)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_exit_becomes_one_notice_to_its_owner(stage: Stage) -> None:
    job = stage.start()
    (notice,) = stage.exit(job)
    assert isinstance(notice, Notice)
    assert notice.session_key == "agent:ops:main"
    assert notice.text == f"Exec completed ({job.job_id[:8]}, code 0) :: done"
    assert (notice.source, notice.intent, notice.coalesce_ms) == (Source.EXEC_EVENT, Intent.EVENT, 0)
    assert notice.context_key == f"exec:{job.job_id}"
    assert (notice.job_id, notice.reply_to) == (job.job_id, SUPERVISOR)
    record = stage.stored[job.job_id]
    assert (record.state, record.notice) == (JobState.EXITED, NoticeState.SENT)
    assert job.record == record, "what is committed is what is shown"


def test_the_exit_follows_the_contract_under_which_the_job_began(stage: Stage) -> None:
    delivery = DeliveryContext(channel="telegram", to="42")
    contract = Contract("ops", "agent:ops:work", wakes=False, delivery=delivery)
    (notice,) = stage.exit(stage.start(contract=contract))
    assert (notice.session_key, notice.intent, notice.delivery) == ("agent:ops:work", None, delivery)


@pytest.mark.parametrize(
    ("contract", "ended", "output", "told"),
    [
        (MAIN, Exit(ExitReason.EXIT, 0), b" \n", False),
        (Contract("ops", "agent:ops:main", notify_on_empty_success=True), Exit(ExitReason.EXIT, 0), b"", True),
        (Contract("ops", "agent:ops:main", notify_on_exit=False), Exit(ExitReason.EXIT, 1), b"x", False),
        (MAIN, Exit(ExitReason.EXIT, 3), b"", True),
        (MAIN, Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM"), b"x", False),
        (MAIN, Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM", cleanup_failure="2 left"), b"x", True),
        (MAIN, Exit(ExitReason.HOST_STOPPED, exit_signal="SIGTERM"), b"x", False),
        (MAIN, Exit(ExitReason.LEFT_RUNNING), b"x", False),
        (MAIN, Exit(ExitReason.SPAWN_ERROR, detail="no"), b"no", True),
    ],
)
def test_who_is_told_of_what(stage: Stage, contract: Contract, ended: Exit, output: bytes, *, told: bool) -> None:
    assert bool(stage.exit(stage.start(contract=contract), ended, output)) is told


def test_the_exit_of_a_child_is_no_longer_outstanding_once_it_has_been_dealt_with(stage: Stage) -> None:
    jobs = [stage.start(), stage.start(background=False)]
    assert stage.outstanding == 2
    for job in jobs:
        stage.exit(job)
    assert stage.outstanding == 0


def test_a_second_exit_changes_nothing(stage: Stage) -> None:
    job = stage.start()
    stage.exit(job)
    assert stage.exit(job, FAILED) == []
    assert stage.stored[job.job_id].exit == Exit(ExitReason.EXIT, 0)


def test_a_message_that_is_not_its_own_is_a_mistake(stage: Stage) -> None:
    with pytest.raises(TypeError, match="'hello'"):
        stage.tell("hello")


def test_killing_what_is_gone_does_nothing(stage: Stage) -> None:
    job = stage.start()
    stage.exit(job)
    stage.tell(KillJob(job.job_id))
    stage.tell(KillJob("nobody"))
    assert stage.shell.ended == []


class TestForeground:
    """A caller says in the end what became of it; until then the exit of its job is held."""

    def test_a_caller_that_was_shown_the_exit(self, stage: Stage) -> None:
        job = stage.start(background=False)
        assert stage.exit(job) == []
        assert stage.stored[job.job_id].notice is NoticeState.HELD
        stage.tell(ExitSeen(job.job_id))
        assert (stage.take(), stage.stored, stage.listed()) == ([], {}, [])
        assert job.exit == Exit(ExitReason.EXIT, 0), "its handle keeps what it has"

    def test_a_caller_that_goes_on_without_its_job(self, stage: Stage) -> None:
        job = stage.start(background=False)
        stage.tell(BackgroundJob(job.job_id))
        assert stage.stored[job.job_id].audience is Audience.OWNER
        assert len(stage.exit(job)) == 1

    def test_a_caller_that_gave_up_in_the_instant_of_the_exit(self, stage: Stage) -> None:
        job = stage.start(background=False)
        assert stage.exit(job) == []
        stage.tell(BackgroundJob(job.job_id))
        assert len(stage.take()) == 1
        assert stage.listed() == [job.job_id]

    def test_a_caller_that_was_cancelled(self, stage: Stage) -> None:
        job = stage.start(background=False)
        stage.tell(DiscardJob(job.job_id))
        assert [reason for _, reason, _ in stage.shell.ended] == [ExitReason.MANUAL_CANCEL]
        assert stage.exit(job, Exit(ExitReason.MANUAL_CANCEL, exit_signal="SIGTERM", cleanup_failure="2 left")) == []
        assert (stage.stored, stage.listed()) == ({}, [])
        assert job.exit is not None

    def test_a_caller_that_was_cancelled_in_the_instant_of_the_exit(self, stage: Stage) -> None:
        job = stage.start(background=False)
        stage.exit(job)
        stage.tell(DiscardJob(job.job_id))
        assert (stage.take(), stage.stored) == ([], {})

    def test_somebody_else_has_seen_it_first(self, stage: Stage) -> None:
        job = stage.start(background=False)
        stage.exit(job)
        stage.tell(ExitSeen(job.job_id))
        stage.tell(BackgroundJob(job.job_id))
        assert stage.take() == []


class TestSeenOrAnnounced:
    def test_an_exit_is_held_while_somebody_waits_for_it(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 1
        assert stage.exit(job) == []
        stage.table.see(job)
        job.waiting_count = 0
        stage.tell(ExitSeen(job.job_id))
        stage.tell(NoticeReleased(job.job_id))
        assert stage.take() == []
        assert stage.stored[job.job_id].notice is NoticeState.SETTLED

    def test_it_is_announced_when_the_last_of_them_has_gone(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 2
        stage.exit(job)
        job.waiting_count = 1
        stage.tell(NoticeReleased(job.job_id))
        assert stage.take() == []
        job.waiting_count = 0
        stage.tell(NoticeReleased(job.job_id))
        stage.tell(NoticeReleased(job.job_id))
        assert len(stage.take()) == 1

    def test_a_waiter_that_leaves_before_the_hold_is_shown_does_not_lose_it(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 1

        def leave(_owner: str, _records: object) -> None:
            job.waiting_count = 0
            stage.table.release_if_unseen(job)  # what it knows is that the job runs

        stage.driver.on_commit = leave
        assert len(stage.exit(job)) == 1

    def test_an_exit_seen_after_its_notice_takes_the_notice_back_once(self, stage: Stage) -> None:
        job = stage.start()
        (notice,) = stage.exit(job)
        stage.tell(ExitSeen(job.job_id))
        stage.tell(ExitSeen(job.job_id))
        (seen,) = stage.take()
        assert isinstance(seen, NoticeSeen)
        assert (seen.session_key, seen.context_key, seen.agent_id) == ("agent:ops:main", notice.context_key, "ops")

    def test_sixty_exits_whose_waiters_leave_at_once_are_all_announced(self, stage: Stage) -> None:
        jobs = [stage.start() for _ in range(60)]
        for job in jobs:
            job.waiting_count = 1
        assert [stage.exit(job) for job in jobs] == [[]] * 60
        for job in jobs:
            job.waiting_count = 0
            stage.table.release_if_unseen(job)
        stage.driver.run()
        assert len({notice.job_id for notice in stage.take()}) == 60


class TestRefused:
    def refuse(self, stage: Stage, count: int) -> list[str]:
        """Exits of jobs whose notices all come back."""
        jobs = [stage.start() for _ in range(count)]
        for job in jobs:
            stage.exit(job)
            stage.tell(NoticeRefused(job.job_id))
        return [job.job_id for job in jobs]

    def test_a_notice_that_was_refused_is_offered_again(self, stage: Stage) -> None:
        (job_id,) = self.refuse(stage, 1)
        assert stage.stored[job_id].notice is NoticeState.REFUSED
        stage.driver.advance(NOTICE_RETRY_MS - 1)
        assert stage.take() == []
        stage.driver.advance(1)
        (notice,) = stage.take()
        assert notice.job_id == job_id
        stage.driver.advance(100 * NOTICE_RETRY_MS)
        assert stage.take() == []

    def test_a_full_queue_is_probed_with_one_and_a_free_one_gets_the_rest_soon(self, stage: Stage) -> None:
        waiting = self.refuse(stage, 10)
        for _ in range(20):
            stage.driver.advance(NOTICE_RETRY_MS)
            for notice in stage.take():
                stage.tell(NoticeRefused(notice.job_id))
        offered_count = len([record for record in stage.driver.records["ops"] if record.notice is NoticeState.SENT])
        assert offered_count < 10 + 6, "20 s, 10 first offers, and a few probes"
        stage.driver.advance(60_000)
        assert {notice.job_id for notice in stage.take()} == set(waiting)

    def test_one_full_session_does_not_hold_up_another(self, stage: Stage) -> None:
        self.refuse(stage, 2)
        other = stage.start(contract=Contract("ops", "agent:ops:other"))
        stage.exit(other)
        stage.tell(NoticeRefused(other.job_id))
        stage.driver.advance(NOTICE_RETRY_MS)
        assert {notice.session_key for notice in stage.take()} == {"agent:ops:main", "agent:ops:other"}

    def test_one_that_is_seen_meanwhile_is_dropped(self, stage: Stage) -> None:
        seen, polled = self.refuse(stage, 2)
        stage.tell(ExitSeen(seen))
        stage.table.see(next(job for job in stage.table.jobs_of("ops") if job.job_id == polled))
        stage.driver.advance(60_000)
        assert stage.take() == []

    def test_a_refusal_that_comes_after_the_exit_was_seen_changes_nothing(self, stage: Stage) -> None:
        job = stage.start()
        stage.exit(job)
        stage.tell(ExitSeen(job.job_id))
        stage.take()
        stage.tell(NoticeRefused(job.job_id))
        stage.driver.advance(60_000)
        assert stage.take() == []


class TestTakenUp:
    def test_after_a_crash_timers_and_refused_notices_go_on(self, stage: Stage) -> None:
        refused = stage.start()
        stage.exit(refused)
        stage.tell(NoticeRefused(refused.job_id))
        slow = stage.start(JobSpec("x", timeout_ms=5_000, no_output_timeout_ms=9_000))
        stage.take()
        stage.driver.advance(900)
        stage.driver.restart(SUPERVISOR)
        timers = stage.driver.timers(SUPERVISOR)
        assert {timers[name, slow.job_id] for name in ("timeout", "silence")} == {5_000, 9_000}
        assert "sweep" in timers
        stage.driver.advance(NOTICE_RETRY_MS)
        assert [notice.job_id for notice in stage.take()] == [refused.job_id]
        assert len(stage.exit(slow)) == 1

    def test_a_waiter_that_left_meanwhile_is_noticed(self, stage: Stage) -> None:
        job = stage.start()
        job.waiting_count = 1
        stage.exit(job)
        job.waiting_count = 0
        stage.driver.restart(SUPERVISOR)
        stage.driver.run()
        assert len(stage.take()) == 1

    def test_a_caller_in_the_foreground_survives_the_supervisor(self, stage: Stage) -> None:
        job = stage.start(background=False)
        stage.exit(job)
        stage.driver.restart(SUPERVISOR)
        stage.tell(ExitSeen(job.job_id))
        assert (stage.take(), stage.stored) == ([], {})

    def test_what_cannot_be_committed_has_not_happened(self, stage: Stage) -> None:
        job = stage.start()
        stage.driver.commit = lambda _owner, _records: CommitOutcome.UNAVAILABLE
        fact = JobExited(job.job_id, FAILED, "x")
        stage.tell(fact)
        assert (stage.take(), job.exit, stage.outstanding) == ([], None, 1)
        stage.driver.commit = lambda _owner, _records: CommitOutcome.COMMITTED
        stage.tell(fact)  # the kernel puts facts back
        assert (len(stage.take()), job.exit, stage.outstanding) == (1, FAILED, 0)

    @pytest.mark.parametrize("background", [True, False])
    def test_a_child_of_an_earlier_run_has_an_exit_that_says_so(self, stage: Stage, *, background: bool) -> None:
        job = stage.start(background=background)
        later = Stage(boot="later", records=dict(stage.driver.records))
        (notice,) = later.take()
        assert notice.text.endswith(f"unknown exit code) :: {LOST_DETAIL}")
        (handle,) = later.jobs.list("ops")
        assert handle.id == job.job_id
        assert (handle.exit and handle.exit.reason, handle.spec.title) == (ExitReason.LOST, "make")
        assert later.outstanding == 0

    def test_an_exit_of_an_earlier_run_that_was_held_is_announced(self, stage: Stage) -> None:
        """Whoever it was held for has gone with that run, a caller in the foreground included."""
        waited, called = stage.start(), stage.start(background=False)
        waited.waiting_count = 1
        stage.exit(waited)
        stage.exit(called)
        later = Stage(boot="later", records=dict(stage.driver.records))
        assert {notice.job_id for notice in later.take()} == {waited.job_id, called.job_id}
        assert set(later.listed()) == {waited.job_id, called.job_id}

    def test_a_name_of_an_earlier_run_is_not_given_again(self, stage: Stage) -> None:
        old = stage.start()
        stage.exit(old)
        later = Stage(boot="later", records=dict(stage.driver.records))
        assert old.job_id not in {later.start().job_id for _ in range(300)}
