"""Effects after the commit: what a message asked for happens when its records are durable, and not before.

The idea. A message that saves records hands them to the journal as one batch, and its effects wait behind the commit.
The actor does not wait: it handles its next message meanwhile, on a state that is ahead of the disk ("decisions run
ahead of the disk"), and the effects of that message wait in the same line, also when it saves nothing, because they may
follow from what is not durable yet. When the journal answers at once, as one in memory does, nothing waits and no task
is made.

The line is kept per *owner* of the records (an agent), not per actor and not for the whole system. Not per actor,
because several actors may save for one owner, and the journal keeps the order of the owner. Not for the system, because
one agent whose commit is slow or refused must not hold up a thousand others.

When a commit fails, everything that came after it for that owner is taken back: the effects that wait are dropped, and
each actor concerned ends its life. A new one begins from what is committed, a second later. The mailbox stays. What
becomes of a message that is taken back follows from what it is: a fact is handled again, a request becomes a dead
letter, the message of a timer is forgotten. When the journal says ``FENCED`` another host owns the agent: the actor is
stopped, and its facts are dead letters too.

Rejected: to stop the actor until its commit is answered (a disk of 5 ms per commit would be 200 messages a second per
agent, and one slow agent in a group of actors would stand for all); to undo a state by inverse operations (each is a
second implementation of a decision); to perform effects first and store them later (then a crash tells the world what
never was). Prior art: Orleans' and Akka Persistence's event-sourced actors, which stash messages until the write is
done; PostgreSQL's asynchronous commit and Raft's pipelined log, which let later entries run ahead and drop them as a
suffix.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, final

import trio
from attrs import define, field
from loguru import logger

from ...protocols.actor import SAVE, SIGNAL, TELL, Effect
from ...protocols.journal.port import Commit, CommitOutcome, Mail
from . import ask, lifecycle, supervision
from .cell import Cell, Life, State
from .dead_letters import DeadReason
from .effects import perform
from .kernel import Kernel
from .sender import Sender

# Not at once: a journal without room must not be asked again by a busy loop.
RELOAD_MS: Final = 1_000
"""How long after a failed commit the owner's actors begin again."""

BEHIND: Final[Effect] = (-1, None, None, None)
"""Stands in the batch from the beginning while earlier messages wait for a commit. So a message that asks for nothing
is noticed too, and taken back with the others; and messages of all other actors pay nothing for that.
"""

_COMMITTED: Final = CommitOutcome.COMMITTED
_TELLING: Final = (TELL, SIGNAL)


class Recorder(Protocol):
    """What the kernel tells its records to: :class:`~wakeward.runtime.journal.store.Store`, over a journal."""

    @property
    def commit_at_once(self) -> Callable[[str, Any], None] | None:
        """Commits one record of an owner, where the journal commits everything at once, as one in memory does. Then
        no batch is made. ``None`` for every other journal.
        """
        ...

    def append(self, owner: str, records: Sequence[object], mail: Sequence[Mail]) -> Commit:
        """Take what one message changed. Never blocks."""
        ...

    def committed(self, owner: str, records: Sequence[object]) -> None:
        """These records are durable; called in the order of ``append``, before the effects are performed."""
        ...

    def failed(self, owner: str, outcome: CommitOutcome) -> None:
        """What was appended for ``owner`` and not committed is taken back. Called when all of it has been answered, and
        before the owner's actors begin again.
        """
        ...


@final
@define(eq=False, repr=False)
class _Handled:
    """A message whose effects wait.

    Attributes:
        message: ``None`` for the batch of a factory.
        sender: ``None`` for the batch of a factory.
        commit: ``None`` when it saved nothing.
    """

    life: Life
    message: Any
    sender: Sender | None
    control: bool
    effects: list[Effect]
    records: list[object]
    commit: Commit | None


@final
@define(eq=False, repr=False)
class _Resume:
    """An actor that goes on when all before it in the line is answered: its restart is due, or its end."""

    cell: Cell


@final
@define(eq=False, repr=False)
class _Line:
    """What waits for one owner, in order; exists only while something does.

    Attributes:
        failed: The answer that takes back everything of this owner; until the owner begins again, what comes is taken
            back too.
        concerned: The actors that begin again then.
        unanswered: Commits that were taken back and have no answer yet.
    """

    owner: str
    entries: deque[_Handled | _Resume] = field(factory=deque["_Handled | _Resume"])
    failed: CommitOutcome | None = None
    concerned: dict[Cell, None] = field(factory=dict[Cell, None])
    unanswered: list[Commit] = field(factory=list[Commit])
    scope: trio.CancelScope = field(factory=lambda: trio.CancelScope(shield=True))
    followed: bool = False


@final
@define(eq=False, repr=False)
class Commits:
    """The commits in flight of one system."""

    kernel: Kernel[Cell]
    recorder: Recorder
    _lines: dict[str, _Line] = field(factory=dict[str, _Line])

    def take(self, life: Life, message: Any, sender: Sender | None, *, control: bool) -> None:
        """Take over the batch of a message, which holds a record or stands behind one."""
        batch = self.kernel.batch
        records, effects, mail = _parts(life.cell.address, batch)
        batch.clear()
        life.saving = False
        assert life.owner is not None
        line = self._lines.get(life.owner)
        commit = None
        # After a failure nothing is appended until the owner begins again: it comes from a state that is taken back.
        if records and (line is None or line.failed is None):
            commit = self.recorder.append(life.owner, records, mail)
            if line is None and commit.outcome is _COMMITTED:  # the way of a journal in memory: no entry, no task
                self.recorder.committed(life.owner, records)
                perform(life, effects)
                return
        if line is None:
            line = self._lines[life.owner] = _Line(life.owner)
            self.kernel.in_flight += 1
        # From here on the message waits in the line, also when it is to be taken back at once: one way for all.
        entry = _Handled(life, message, sender, control, effects, records, commit)
        life.in_flight += 1
        if line.failed is not None:
            self._take_back(line, line.failed, [entry])
            return
        line.entries.append(entry)
        self._advance(line)  # its answer, or an earlier one that the task has not looked at yet, may be known
        if self._lines.get(line.owner) is line and not line.followed:
            line.followed = True
            self.kernel.nursery.start_soon(self._follow, line, name=f"commits of {line.owner}")
        if life.in_flight and not life.over:
            batch.append(BEHIND)

    def may_restart(self, cell: Cell) -> bool:
        """Whether a new life of ``cell`` would begin from everything that it has done. False: it is restarted when its
        commits are answered.
        """
        line = self._lines.get(cell.extras.owner) if cell.extras is not None and cell.extras.owner is not None else None
        if line is None:
            return True
        if line.failed is None:
            line.entries.append(_Resume(cell))
        else:
            line.concerned[cell] = None
        return False

    def wait_to_end(self, cell: Cell, life: Life) -> None:
        """``cell`` has finished what it accepted and is to end, but its commits are in flight. It ends after
        them, because the next actor of this address must begin from them.
        """
        assert life.owner is not None
        self._lines[life.owner].entries.append(_Resume(cell))

    def close(self) -> None:
        """The system ends. What was not answered is not performed: its mail becomes dead letters."""
        for line in list(self._lines.values()):
            # Whether such a batch becomes durable is not known and does not matter: the next host finds out.
            line.scope.cancel(reason="the system closes")
            for entry in line.entries:
                if isinstance(entry, _Handled):
                    self._bounce_mail(entry)
            line.entries.clear()
        self._lines.clear()
        self.kernel.in_flight = 0

    def _bounce_mail(self, entry: _Handled) -> None:
        sender = entry.life.cell
        for op, to, message, _ in entry.effects:
            if op in _TELLING:
                self.kernel.dead_letter(to, message, sender, DeadReason.DRAINED)

    async def _follow(self, line: _Line) -> None:
        with line.scope:  # shielded: in a drain, what is committed is still performed
            while line.entries:
                head = line.entries[0]
                # Whatever has no commit of its own was done by _advance, so the head waits for an answer.
                assert isinstance(head, _Handled), line.owner
                assert head.commit is not None, line.owner
                await head.commit.wait()
                self._advance(line)
            if line.failed is not None:
                await self._recover(line, line.failed)

    def _advance(self, line: _Line) -> None:
        """Perform what is answered, in order, up to the first commit without an answer."""
        if line.failed is not None:
            # A message has found it before the task did. Only the recovery closes the line: what is committed on
            return  # another line meanwhile would be taken back with this one.
        entries = line.entries
        while entries:
            entry = entries[0]
            if isinstance(entry, _Resume):
                entries.popleft()
                _resume(entry.cell)
                continue
            outcome = _COMMITTED if entry.commit is None else entry.commit.outcome
            if outcome is None:
                return
            if outcome is not _COMMITTED:
                self._fail(line, outcome)
                return
            entries.popleft()
            entry.life.in_flight -= 1
            # First the image, then the effects: an effect may make somebody read the image.
            if entry.records:
                self.recorder.committed(line.owner, entry.records)
            perform(entry.life, entry.effects)
        self._close_line(line)

    def _close_line(self, line: _Line) -> None:
        # It may be closed already: by take(), which saw the last answer before the task did, or by close().
        if self._lines.get(line.owner) is line:
            del self._lines[line.owner]
            self.kernel.in_flight -= 1
            self.kernel.settled()

    # Failure

    def _fail(self, line: _Line, outcome: CommitOutcome) -> None:
        line.failed = outcome  # first of all: what the lines below wake must find it
        entries = list(line.entries)
        line.entries.clear()
        logger.warning("commits of {} are {}: {} messages are taken back", line.owner, outcome.value, len(entries))
        for entry in entries:
            if isinstance(entry, _Resume):
                line.concerned[entry.cell] = None
            elif entry.commit is not None and entry.commit.outcome is None:
                line.unanswered.append(entry.commit)
        self._take_back(line, outcome, [entry for entry in entries if isinstance(entry, _Handled)])

    def _take_back(self, line: _Line, outcome: CommitOutcome, entries: list[_Handled]) -> None:
        facts: dict[Cell, list[tuple[Any, Sender]]] = {}
        fenced = outcome is CommitOutcome.FENCED
        for entry in entries:
            cell, sender = entry.life.cell, entry.sender
            entry.life.in_flight -= 1
            cell_facts = facts.setdefault(cell, [])
            # A factory is called again anyway, and the new life arms its own timers.
            if sender is None or sender.exempt:
                continue
            # The control lane carries facts (an exit, the end of a turn), which happened whatever the journal says. The
            # user lane carries requests; as dead letters they let the host refuse their callers.
            if entry.control and not fenced and cell.state is not State.STOPPED:
                cell_facts.append((entry.message, sender))
            else:
                reason = DeadReason.FENCED if fenced else DeadReason.UNAVAILABLE
                self.kernel.dead_letter(cell.address, entry.message, sender, reason)
        # All dead letters first: the host refuses the callers before any actor can begin again.
        for cell, cell_facts in facts.items():
            if cell_facts:
                cell.put_back(cell_facts, control=True)
            if fenced:
                lifecycle.kill(cell, reason=DeadReason.FENCED)
            else:
                self._reload(line, cell)

    def _reload(self, line: _Line, cell: Cell) -> None:
        """End the present life of an actor whose messages were taken back."""
        match cell.state:
            case State.IDLE | State.READY | State.RUNNING:
                ask.fail_taken(cell, "its commits failed", None)
                supervision.back_off(cell)
                line.concerned[cell] = None
            case State.HANDLING:
                assert cell.life is not None
                assert cell.life.handling is not None
                # The restart is due at once, and then waits for this line as any other does.
                cell.life.handling.restart_at_ms = self.kernel.clock.now_ms()
                cell.life.handling.cancel("its commits failed")
            case _:
                pass  # it has ended, or its restart is under way already and waits for this line

    async def _recover(self, line: _Line, outcome: CommitOutcome) -> None:
        begin_ms = self.kernel.clock.now_ms() + RELOAD_MS
        for commit in line.unanswered:
            # The port promises that nothing after a failed batch of an owner is committed. A journal that breaks this
            # is reported; the batch stays taken back.
            if await commit.wait() is _COMMITTED:
                logger.error("the journal has committed for {} after a batch that failed", line.owner)
        if outcome is CommitOutcome.UNAVAILABLE:
            await trio.sleep_until(self.kernel.clock.deadline_s(begin_ms))
        # The image first: the actors begin from it. The line last: who waits for rest must find the actors ready.
        self.recorder.failed(line.owner, outcome)
        for cell in line.concerned:
            _resume(cell)
        self._close_line(line)


def _resume(cell: Cell) -> None:
    if cell.state is State.BACKOFF and cell.need_extras().restart_alarm is None:
        cell.restart()
    elif cell.state is State.IDLE and cell.stopping is not None:
        cell.arrived()  # the dispatcher finds that nothing waits, and ends it


def _parts(address: str, batch: list[Effect]) -> tuple[list[object], list[Effect], list[Mail]]:
    """The records of a batch, its effects, and of these what is told to other actors, as mail."""
    records: list[object] = []
    effects: list[Effect] = []
    mail: list[Mail] = []
    for effect in batch:
        op = effect[0]
        if op == SAVE:
            records.append(effect[2])
        elif effect is not BEHIND:
            effects.append(effect)
            if op in _TELLING and effect[1] != address:
                mail.append(Mail(effect[1], effect[2]))
    return records, effects, mail
