"""The processes of this machine, as /proc shows them (Linux, proc(5)).

A process is identified by its number *and* its start time, because the kernel uses numbers again. A signal is sent
through a pidfd. The start time is checked after the pidfd is opened, so a signal cannot reach another process.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from attrs import frozen

_PROC: Final = Path("/proc")
_LIST_BYTES: Final = 65_536
# A zombie counts as dead: its parent, or init, can be late to reap it.
_DEAD_STATES: Final = frozenset("ZX")


@final
@frozen
class Proc:
    """One process at one instant."""

    pid: int
    start_ticks: int
    ppid: int
    pgrp: int
    session: int
    state: str

    @property
    def is_dead(self) -> bool:
        """Whether it has ended, reaped by its parent or not."""
        return self.state in _DEAD_STATES


def read_proc(pid: int) -> Proc | None:
    """The process with this number; ``None`` if there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field, the name in parentheses, can contain spaces and parentheses. So count from the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    # Field 3 of proc(5), the state, has index 0 here. So its field 22, the start time, has index 19.
    return Proc(
        pid=pid,
        start_ticks=int(fields[19]),
        ppid=int(fields[1]),
        pgrp=int(fields[2]),
        session=int(fields[3]),
        state=fields[0].decode(),
    )


def all_procs() -> list[Proc]:
    """All processes of the machine. This takes some 15 us for each process."""
    pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208 - names only, and it is hot
    return [proc for pid in pids if (proc := read_proc(pid)) is not None]


def descendants(heads: list[int]) -> set[int]:
    """These processes and all below them."""
    # Without a look at the others, which would take 15 us for each: a worker thread calls this while a child runs.
    found: set[int] = set()
    pending = list(heads)
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        # The kernel lists a child under the thread that forked it, so all threads have to be asked.
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_bytes().split())
    return found


@final
class OwnChildren:
    """The children listed under the main thread: those it forked, and every orphan that was given to us.

    The kernel gives orphans to the first thread of the subreaper (``find_new_reaper``), while a child that a worker
    thread has forked is listed under that thread as long as the thread lives.
    """

    def __init__(self) -> None:
        own = os.getpid()
        # The list is kept open: to read it again takes a third of the time of opening it.
        try:
            self._fd = os.open(f"/proc/{own}/task/{own}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a kernel without CONFIG_PROC_CHILDREN
            self._fd = -1

    def read(self) -> set[int]:
        """The process ids of the children at this moment."""
        if self._fd < 0:
            own = os.getpid()
            return {proc.pid for proc in all_procs() if proc.ppid == own}
        text = b""
        # pread takes the place to read from, so the open file need not be wound back.
        while piece := os.pread(self._fd, _LIST_BYTES, len(text)):
            text += piece
        return {int(pid) for pid in text.split()}

    def close(self) -> None:
        """Close the file of the list. A second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_environ(pid: int) -> list[bytes]:
    """The environment that a process was started with. Empty for a zombie, and while it becomes another program."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def send_signal(proc: Proc, number: signal.Signals) -> None:
    """Signal exactly this process. Nothing happens if it is gone.

    Raises:
        PermissionError: It runs as another user (a set-user-ID program).
    """
    with suppress(ProcessLookupError):
        # Not os.kill: between a check and the signal the number could pass to another process.
        pidfd = os.pidfd_open(proc.pid)
        # The descriptor names the process that has the number now, for good. So the check comes after it.
        try:
            now = read_proc(proc.pid)
            if now is not None and now.start_ticks == proc.start_ticks:
                signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)
