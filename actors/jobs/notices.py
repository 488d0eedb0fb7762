"""What becomes of the notices of exits: seen or announced, never both and never neither (openclaw#120488, #141202).

While somebody waits for the exit, its notice is *held*. A waiter that is shown the exit says so before it returns to
its caller; one that goes without having seen it releases the notice. Whether somebody waits, or has seen the exit, is
asked of the host's memory in the step that decides. The host asks it again when the decision is shown to the handles
(``JobTable.show`` in the runtime), because a waiter can leave between the two. An exit that is seen after its notice
was sent takes the notice back.

A caller in the foreground is stronger than a waiter: it owes an answer. The exit of its job stays held until the caller
says that it was shown the exit, that it went on without the job, or that it was cancelled. To decide by a flag of the
job instead was tried: a caller that gave up in the instant of the exit then lost it.
"""

from __future__ import annotations

from typing import final

from ...protocols.actor import Context
from ...protocols.jobs.notice import exit_context_key, exit_notice_text, notice_of
from ...protocols.jobs.record import Audience, JobRecord, NoticeState
from ...protocols.wakes.messages import NoticeSeen
from ...protocols.wakes.wake import Source
from ..router import ROUTER_ADDRESS
from .book import JobBook
from .offers import Offers
from .ports import JobsView


@final
class ExitNotices:
    """The notices of the exits of one agent's jobs."""

    def __init__(self, ctx: Context, book: JobBook, view: JobsView) -> None:
        self._ctx = ctx
        self._book = book
        self._view = view
        self._offers = Offers()

    def take_up(self, record: JobRecord) -> None:
        """Go on with the notice of a job that had ended before this life of the supervisor."""
        if record.notice is NoticeState.HELD:
            self._decide_held(record)
        elif record.notice is NoticeState.REFUSED:
            self._offers.refused(record.id)

    def decide(self, record: JobRecord) -> None:
        """Settle, hold or send the notice of an ended job in the background."""
        # Asked in the step that decides: who waited a moment ago may have gone or may have seen it.
        if self._view.is_seen(record.id):
            self._book.put(record.moved(notice=NoticeState.SETTLED))
        elif self._view.is_awaited(record.id):
            self._book.put(record.moved(notice=NoticeState.HELD))
        else:
            self._send(record)

    def release(self, job_id: str) -> None:
        """Those who waited for the exit have gone without having seen it."""
        record = self._book.get(job_id)
        if record is not None and record.notice is NoticeState.HELD:
            self._decide_held(record)

    def seen(self, job_id: str) -> None:
        """Somebody has been shown the exit."""
        record = self._book.get(job_id)
        if record is None or not record.is_ended or record.notice is NoticeState.SETTLED:
            return
        # Its notice is on its way or queued: without this the agent would be told of what it has seen.
        if record.notice is NoticeState.SENT:
            contract = record.contract
            seen = NoticeSeen(contract.session_key, exit_context_key(job_id), contract.agent_id)
            self._ctx.tell(ROUTER_ADDRESS, seen)
        if record.audience is Audience.CALLER:
            self._book.forget(job_id)
        else:
            self._book.put(record.moved(notice=NoticeState.SETTLED))

    def refused(self, job_id: str) -> None:
        """There was no room. A sender that lives can try again; a child that has ended cannot, so its notice waits."""
        record = self._book.get(job_id)
        # A refusal may come after the exit was seen; then there is nothing to offer again.
        if record is not None and record.notice is NoticeState.SENT:
            self._book.put(record.moved(notice=NoticeState.REFUSED))
            self._offers.refused(job_id)

    def next_round_ms(self) -> int | None:
        """For when the timer of the refused notices is to be armed; ``None`` when it is, or none waits."""
        return self._offers.arm(self._ctx.now_ms())

    def offer(self) -> None:
        """The timer of the refused notices has fired: offer some again."""
        waiting = {job_id: self._book.get(job_id) for job_id in self._offers.waiting}
        refused = {
            job_id: record
            for job_id, record in waiting.items()
            if record is not None and record.notice is NoticeState.REFUSED
        }
        for job_id in self._offers.take({job_id: record.contract.session_key for job_id, record in refused.items()}):
            # Somebody may have looked while the notice waited for room.
            if self._view.is_seen(job_id):
                self._book.put(refused[job_id].moved(notice=NoticeState.SETTLED))
            else:
                self._send(refused[job_id])

    def _decide_held(self, record: JobRecord) -> None:
        """Decide again about a notice that is held: it stays so while somebody waits."""
        if record.audience is Audience.OWNER and not self._view.is_awaited(record.id):
            self.decide(record)

    def _send(self, record: JobRecord) -> None:
        text = exit_notice_text(record)
        if text is None:
            self._book.put(record.moved(notice=NoticeState.SETTLED))
            return
        notice = notice_of(record, text, source=Source.EXEC_EVENT, context_key=exit_context_key(record.id))
        notice.job_id, notice.reply_to = record.id, self._ctx.address
        # The notice goes first, then the record is shown: who is shown the exit takes back a notice that is on its way.
        self._ctx.tell(ROUTER_ADDRESS, notice)
        self._book.put(record.moved(notice=NoticeState.SENT))
