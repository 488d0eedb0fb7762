"""The process tree of one child: which processes belong to it, and how they are ended.

A process belongs to a job's tree if one of these holds: it is in the root's process group or session; it descends from
such a process; it is in the job's cgroup; or it was given to us as an orphan (we are a subreaper) and its environment
names the job. A process can leave all of these, by a new session and a double fork with a cleared environment in its
first moments. Then it looks like any other process, and other processes are never signalled and never reaped.

The kernel uses process numbers again. The number of the root, which is also that of its group and session, stays taken
until the root is reaped. So until then the group is signalled as a whole. After that, the number of the group stays
taken only as long as a process is in the group. This is asked immediately after the reaping
(:meth:`Tree.root_reaped`), and a group that is empty then is never looked for again. From then on each process is
signalled by itself, and its start time is checked first (:mod:`.procfs`).
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
"""The environment variable that names the job to which a process belongs."""


@final
@define(eq=False)
class Tree:
    """One job's processes.

    Attributes:
        root_pid: ``None`` until the root is spawned.
        adopted: The orphans of the tree, which we have to reap.
        seen: Number and start time of every process found to belong to it. A zombie can only be recognised by them.
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
        """The processes from which all others of the tree that we know descend: the root and the orphans."""
        root = [self.root_pid] if self.root_pid is not None and not self.reaped else []
        return [*root, *self.adopted]

    def root_reaped(self) -> None:
        """Note that the root is reaped. Must be called at once, because it asks whether the group still has members."""
        assert self.root_pid is not None
        self.reaped = True
        try:
            os.killpg(self.root_pid, 0)
        except ProcessLookupError:
            self.group_gone = True
        except PermissionError:  # the group has a member, which runs as another user
            pass

    def signal_all(self, number: signal.Signals, members: Iterable[Proc] = ()) -> None:
        """Signal the tree: the group while the root is not reaped, and the ``members`` that are not in that group."""
        if number is signal.SIGKILL and self.cgroup is not None:
            self.cgroup.kill()
        rest = list(members)
        if self.root_pid is not None and not self.reaped:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.root_pid, number)
            rest = [proc for proc in rest if proc.pgrp != self.root_pid]  # nobody is signalled twice
        for proc in rest:
            with suppress(PermissionError):  # a set-user-ID program: it will be found to be still there
                send_signal(proc, number)

    def members(self, procs: list[Proc]) -> list[Proc]:
        """The processes of the tree that are alive, out of a list of all processes of the machine."""
        own = set(self.cgroup.pids()) if self.cgroup is not None else set[int]()
        found = {proc.pid: proc for proc in procs if self._belongs(proc) or proc.pid in own}
        _add_descendants(found, procs)
        # Dead ones too: a zombie has no environment any more, so later looks need its number and start time.
        self.seen.update((proc.pid, proc.start_ticks) for proc in found.values())
        return [proc for proc in found.values() if not proc.is_dead]

    def _belongs(self, proc: Proc) -> bool:
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
