"""Whatever the order of polls, callers, cancellations, refusals, crashes and exits: each exit is shown or announced.

Messages are handled only when the machine says so, so that everything can happen while they are on their way.
"""

from __future__ import annotations

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.jobs_driver import MAIN, PLAIN, SUPERVISOR, Stage
from wakeward.protocols.jobs.exit import Exit, ExitReason
from wakeward.protocols.jobs.messages import BackgroundJob, DiscardJob, ExitSeen, JobExited
from wakeward.protocols.jobs.record import NoticeState
from wakeward.protocols.wakes.messages import NoticeRefused, NoticeSeen
from wakeward.runtime.jobs.streams import JobStreams

INDEX = st.integers(0, 99)


@define(eq=False)
class Case:
    """A job, and what has happened to it."""

    job: JobStreams
    has_caller: bool
    is_discarded: bool = False
    is_ended: bool = False


class SeenOrAnnounced(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stage = Stage()
        self.cases: list[Case] = []
        self.queued: dict[str, int] = {}

    def pick(self, index: int) -> Case | None:
        return self.cases[index % len(self.cases)] if self.cases else None

    def show(self, job: JobStreams) -> None:
        """As a handle does, in one step."""
        if job.exit is not None and not job.is_seen:
            self.stage.table.see(job)
            if job.notice not in {NoticeState.NONE, NoticeState.SETTLED}:
                self.stage.driver.signal(SUPERVISOR, ExitSeen(job.job_id))

    @rule(background=st.booleans())
    def start(self, *, background: bool) -> None:
        handle = self.stage.jobs.start(PLAIN, MAIN, background=background)
        job = self.stage.table.live(handle.id)
        assert job is not None
        self.cases.append(Case(job, not background))

    @rule(index=INDEX)
    def wait(self, index: int) -> None:
        if case := self.pick(index):
            case.job.waiting_count += 1

    @rule(index=INDEX, sees=st.booleans())
    def stop_waiting(self, index: int, *, sees: bool) -> None:
        case = self.pick(index)
        if case and case.job.waiting_count:
            if sees:
                self.show(case.job)
            case.job.waiting_count -= 1
            self.stage.table.release_if_unseen(case.job)

    @rule(index=INDEX)
    def stop_waiting_at_the_next_commit(self, index: int) -> None:
        """Between a decision of the supervisor and the moment in which the handles are shown it."""

        def leave(_owner: str, _records: object) -> None:
            self.stage.driver.on_commit = lambda _owner, _records: None
            self.stop_waiting(index, sees=False)

        self.stage.driver.on_commit = leave

    @rule(index=INDEX, is_cancelled=st.booleans())
    def caller_ends(self, index: int, *, is_cancelled: bool) -> None:
        case = self.pick(index)
        if case is None or not case.has_caller:
            return
        case.has_caller = False
        if is_cancelled:
            case.is_discarded = True
            self.stage.driver.signal(SUPERVISOR, DiscardJob(case.job.job_id))
        elif case.job.exit is None:
            self.stage.driver.signal(SUPERVISOR, BackgroundJob(case.job.job_id))
        else:
            self.show(case.job)

    @rule(index=INDEX)
    def exit(self, index: int) -> None:
        case = self.pick(index)
        if case and not case.is_ended:
            case.is_ended = True
            self.stage.driver.signal(SUPERVISOR, JobExited(case.job.job_id, Exit(ExitReason.EXIT, 1), "done"))

    @rule(count=st.integers(0, 3))
    def refuse(self, count: int) -> None:
        for job_id in [job_id for job_id, queued in self.queued.items() if queued][:count]:
            self.queued[job_id] -= 1
            self.stage.driver.signal(SUPERVISOR, NoticeRefused(job_id))

    @rule()
    def crash(self) -> None:
        self.stage.driver.restart(SUPERVISOR)

    @rule()
    def run(self) -> None:
        self.stage.driver.run()
        for message in self.stage.take():
            if isinstance(message, NoticeSeen):
                job_id = (message.context_key).removeprefix("exec:")
                self.queued[job_id] = 0
            else:
                self.queued[message.job_id] = self.queued.get(message.job_id, 0) + 1

    @invariant()
    def nothing_is_announced_twice(self) -> None:
        assert all(queued in {0, 1} for queued in getattr(self, "queued", {}).values())

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        for case in self.cases:
            self.exit(self.cases.index(case))
            self.caller_ends(self.cases.index(case), is_cancelled=False)
            while case.job.waiting_count:
                self.stop_waiting(self.cases.index(case), sees=False)
        self.stage.driver.advance(300_000)
        self.run()
        assert self.stage.outstanding == 0
        for case in self.cases:
            is_told = self.queued.get(case.job.job_id, 0) == 1
            assert is_told or case.job.is_seen or case.is_discarded, case
            assert not (is_told and case.job.is_seen), case


TestSeenOrAnnounced = SeenOrAnnounced.TestCase
TestSeenOrAnnounced.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
