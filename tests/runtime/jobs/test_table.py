"""All jobs of a host in memory: admission, names, who finds them, and how much finished output is kept."""

from __future__ import annotations

import random

import pytest
from support.jobs_driver import MAIN, PLAIN, Stage
from wakeward.protocols.errors import HostClosedError
from wakeward.protocols.jobs.limits import JobLimits
from wakeward.protocols.jobs.messages import ExitSeen
from wakeward.protocols.jobs.record import Audience, Contract
from wakeward.protocols.receipt import Receipt, Refusal
from wakeward.runtime.jobs.jobs import Jobs
from wakeward.runtime.jobs.table import USED_IDS_MAX, JobTable, TooManyJobsError


def test_a_job_does_not_exist_for_anybody_but_its_owner() -> None:
    stage = Stage()
    job = stage.start()
    assert stage.table.jobs_of("ops") == [job]
    assert stage.table.jobs_of("other") == []


def test_the_newest_comes_first() -> None:
    stage = Stage()
    jobs = [stage.start().job_id for _ in range(3)]
    assert stage.listed() == jobs[::-1]


def test_an_agent_has_a_bounded_number_of_children() -> None:
    stage = Stage(JobLimits(live_count_max=2))
    first = stage.start()
    stage.start()
    with pytest.raises(TooManyJobsError, match="'ops' has 2 children"):
        stage.start()
    stage.driver.listen("jobs:other")
    stage.jobs.start(PLAIN, Contract("other", "agent:other:main"))
    stage.exit(first)
    stage.start()


def test_what_was_admitted_in_vain_gives_its_place_back() -> None:
    counted: list[int] = []
    table = JobTable(
        lambda _to, _message: Receipt(Refusal.DRAINING, "the host is draining"),
        random.Random(3).randrange,
        limits=JobLimits(live_count_max=1),
        count=counted.append,
    )
    for _ in range(2):
        with pytest.raises(HostClosedError, match="draining"):
            Jobs(table, lambda: 0).start(PLAIN, MAIN)
    assert (counted, table.jobs_of("ops")) == ([1, -1, 1, -1], [])


def test_finished_output_is_kept_in_a_bounded_size_for_all_agents_but_the_newest_stays() -> None:
    stage = Stage(JobLimits(finished_bytes_max=100))
    jobs = [stage.start() for _ in range(3)]
    for job, size in zip(jobs, (60, 60, 500), strict=True):
        stage.exit(job, output=b"x" * size)
    assert stage.listed() == [jobs[2].job_id]
    statistics = stage.table.statistics()
    assert (statistics.finished_count, statistics.finished_bytes, statistics.exited_count) == (1, 500, 3)
    assert stage.handle(jobs[0]).text() == "x" * 60, "a handle keeps what it has"


def test_that_an_exit_was_seen_is_remembered_longer_than_the_job() -> None:
    stage = Stage(JobLimits(finished_bytes_max=1))
    first, second = stage.start(), stage.start()
    stage.exit(first)
    stage.table.see(first)
    stage.tell(ExitSeen(first.job_id))
    stage.exit(second)
    assert stage.listed() == [second.job_id]
    assert (stage.table.is_seen(first.job_id), stage.table.is_seen(second.job_id)) == (True, False)


def test_a_name_is_not_used_again_soon() -> None:
    table = JobTable(lambda _to, _message: Receipt(), random.Random(3).randrange)
    kept = table.admit(PLAIN, "ops", Audience.OWNER)
    names: set[str] = {kept.job_id}
    for _ in range(USED_IDS_MAX + 500):
        job = table.admit(PLAIN, "ops", Audience.OWNER)
        assert job.job_id != kept.job_id
        names.add(job.job_id)
        table.discard(job)
    assert len(names) > 99


def test_names_are_unique_and_can_be_said() -> None:
    stage = Stage(JobLimits(live_count_max=20_000))
    ids = {stage.jobs.start(PLAIN, MAIN).id for _ in range(5_000)}
    assert len(ids) == 5_000
    assert all(part.isalnum() for job_id in ids for part in job_id.split("-"))
