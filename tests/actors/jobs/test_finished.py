"""Which finished jobs are kept: in time, in number, and until nothing can come of them."""

from __future__ import annotations

from support.jobs_driver import SUPERVISOR, Stage
from wakeward.actors.jobs.finished import REFUSAL_PATIENCE_MS, UNLISTED_COUNT_MAX, FinishedJobs
from wakeward.protocols.effects import DECIDE
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.limits import JobLimits
from wakeward.protocols.jobs.messages import ExitSeen
from wakeward.protocols.jobs.record import Contract, JobRecord, JobState, KeptSpec, NoticeState
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.messages import NoticeRefused


def ended(job_id: str, notice: NoticeState, ended_ms: int = 0) -> JobRecord:
    record = JobRecord(job_id, "boot", KeptSpec("x"), Contract("ops", "agent:ops:main"), 0, 0, notice=notice)
    return record.moved(JobState.EXITED, ended_ms=ended_ms, exit=Exit(ExitReason.EXIT, 1))


def test_finished_jobs_are_kept_for_a_time() -> None:
    stage = Stage(JobLimits(finished_ttl_ms=100_000))
    job = stage.start()
    stage.exit(job)
    stage.driver.advance(99_999)
    assert stage.listed() == [job.job_id]
    stage.driver.advance(1)
    assert (stage.listed(), stage.stored, stage.driver.timers(SUPERVISOR)) == ([], {}, {})


def test_finished_jobs_are_kept_in_a_bounded_number() -> None:
    stage = Stage(JobLimits(finished_count_max=2))
    jobs = [stage.start() for _ in range(4)]
    for job in jobs:
        stage.exit(job)
    assert stage.listed() == [jobs[3].job_id, jobs[2].job_id]


def test_one_whose_notice_may_come_back_is_not_listed_but_remembered() -> None:
    stage = Stage(JobLimits(finished_count_max=1))
    first, second = stage.start(), stage.start()
    stage.exit(first)
    stage.exit(second)
    assert stage.listed() == [second.job_id]
    stage.take()
    stage.tell(NoticeRefused(first.job_id))
    stage.driver.advance(2_000)
    assert [notice.job_id for notice in stage.take()] == [first.job_id]
    stage.driver.advance(2 * REFUSAL_PATIENCE_MS)
    assert set(stage.stored) == {second.job_id}


def test_one_that_was_seen_goes_at_once() -> None:
    stage = Stage(JobLimits(finished_count_max=1))
    first, second = stage.start(), stage.start()
    stage.exit(first)
    stage.tell(ExitSeen(first.job_id))
    stage.exit(second)
    assert set(stage.stored) == {second.job_id}


def test_too_many_untold_exits_are_dropped_aloud() -> None:
    finished = FinishedJobs(JobLimits(finished_count_max=0))
    jobs = {str(number): ended(str(number), NoticeState.REFUSED) for number in range(UNLISTED_COUNT_MAX + 2)}
    for job_id in jobs:
        finished.add(job_id)
    swept = finished.sweep(jobs, 1)
    assert swept.forgotten == ["0", "1"]
    stage = Stage(JobLimits(finished_count_max=0), records={"ops": list(jobs.values())})
    decisions = [effect[1] for _, effect in stage.driver.effects if effect[0] == DECIDE]
    assert [decision.kind for decision in decisions] == [DecisionKind.DEAD] * 2
    assert decisions[0].text == "Exec completed (0, code 1)"
