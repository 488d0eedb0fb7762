"""The process tree of one child: which processes belong to it, and how they are ended.

A process belongs to the tree of a child when it is in the root's process group or session, when it descends from one
that is, when it is in the child's control group, or when it was given to us as an orphan (we are a subreaper) and its
environment names the child. A process that leaves all of these, by a new session and a double fork with a cleared
environment within the first moments, cannot be told from a stranger's child. Strangers are never signalled and never
reaped.

Process numbers are used again. While the root is not reaped, its number cannot be used again, and neither can the
number of its group and session; so the group is signalled as a whole. Once the root is reaped, the number of its group
stays taken as long as a process is in it. That is asked at once (:meth:`Tree.root_reaped`). Afterwards each process is
signalled by itself, checked by its start time (:mod:`.procfs`). A group that is empty by then is never looked for
again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, final

from attrs import define, field

from .cgroup import Cgroup
from .procfs import Proc, send_signal

MARKER: Final = "WAKEWARD_JOB"
"""The environment variable that names the child to whose tree a process belongs."""


@final
@define(eq=False)
class Tree:
    """The processes of one child.

    Attributes:
        root_pid: Unset until the root is spawned.
        adopted: Its orphans, which are ours to reap.
        seen: Number and start time of all that were ever found to belong to it. Nothing else tells a zombie.
    """

    token: str
    root_pid: int | None = None
    reaped: bool = False
    group_gone: bool = False
    cgroup: Cgroup | None = None
    adopted: dict[int, Proc] = field(factory=dict[int, Proc])
    seen: dict[int, int] = field(factory=dict[int, int])

    @property
    def marker(self) -> bytes:
        """The entry that the environment of its processes holds."""
        return f"{MARKER}={self.token}".encode()

    def heads(self) -> list[int]:
        """The roots of its branches: the child itself, and its orphans."""
        # Once the root is reaped, its number can be a stranger's.
        root = [self.root_pid] if self.root_pid is not None and not self.reaped else []
        return [*root, *self.adopted]

    def root_reaped(self) -> None:
        """Note that the root's status was taken. Call it at once."""
        assert self.root_pid is not None
        self.reaped = True
        # From now on the number is the group's only as long as a process is in it. Later it could be another group's.
        try:
            os.killpg(self.root_pid, 0)
        except ProcessLookupError:
            self.group_gone = True
        except PermissionError:  # the group has a member, which runs as another user
            pass

    def signal_all(self, number: signal.Signals, members: Iterable[Proc] = ()) -> None:
        """Signal the tree: the group while the root is not reaped, and the ``members`` that are not in that group."""
        # A group can only be killed: there is no such file for SIGTERM (cgroups(7)).
        if number is signal.SIGKILL and self.cgroup is not None:
            self.cgroup.kill()
        rest = list(members)
        if self.root_pid is not None and not self.reaped:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.root_pid, number)
            rest = [proc for proc in rest if proc.pgrp != self.root_pid]  # no process gets the signal twice
        for proc in rest:
            with suppress(PermissionError):  # a set-user-ID program: it will be found to be still there
                send_signal(proc, number)

    def members(self, procs: list[Proc]) -> list[Proc]:
        """The living processes of the tree, among all processes at one instant."""
        own = set(self.cgroup.pids()) if self.cgroup is not None else set[int]()
        found = {proc.pid: proc for proc in procs if self._belongs(proc) or proc.pid in own}
        # Those below as well, as long as they are linked: they may have a session of their own.
        _add_descendants(found, procs)
        # Dead ones too: a zombie has no environment any more, so later looks need its number and start time.
        self.seen.update((proc.pid, proc.start_ticks) for proc in found.values())
        return [proc for proc in found.values() if not proc.is_dead]

    def _belongs(self, proc: Proc) -> bool:
        # It may have left the group since it was found, but it stays one of the tree.
        if self.seen.get(proc.pid) == proc.start_ticks:
            return True
        if self.root_pid is None or self.group_gone:
            return False
        return self.root_pid in {proc.pid, proc.pgrp, proc.session}


def _add_descendants(found: dict[int, Proc], procs: list[Proc]) -> None:
    children: dict[int, list[Proc]] = {}
    for proc in procs:
        children.setdefault(proc.ppid, []).append(proc)
    pending = list(found)
    while pending:
        for child in children.get(pending.pop(), ()):
            if child.pid not in found:
                found[child.pid] = child
                pending.append(child.pid)
