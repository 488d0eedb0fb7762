"""What all children of one shell share."""

from __future__ import annotations

import ctypes
import os
import secrets
from collections.abc import Callable
from typing import Final, final

import trio

from .cgroup import NAME_PREFIX, Cgroup, find_cgroup_parent
from .orphans import Orphans
from .procfs import Proc, all_procs

SPAWNING_COUNT_MAX: Final = 16
"""How many children can be starting at once. Each start occupies one core, and memory for the stack of a worker."""

_LATELY: Final = 0.01
"""How old the list of all processes may be for :meth:`ProcessResources.procs_lately`, in seconds, at least."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37


@final
class ProcessResources:
    """What all children of one shell share: worker threads, orphans, environment, control group, list of processes.

    Attributes:
        threads: The workers that start children.
        environ: The program's own environment when the shell was opened, encoded once.
    """

    def __init__(self, nursery: trio.Nursery, now_ms: Callable[[], int], *, use_cgroup: bool) -> None:
        self.nursery = nursery
        self.now_ms = now_ms
        self.threads = trio.CapacityLimiter(SPAWNING_COUNT_MAX)
        self.orphans = Orphans()
        # As bytes: a variable that is not valid text is handed on as it is, and nothing is encoded for each child.
        self.environ = dict(os.environb)
        # The process id for people and for the removal of stale groups; the rest because such an id is used again.
        self._name = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._cgroups = find_cgroup_parent(self._name) if use_cgroup else None
        self._token_count = 0
        self._procs: list[Proc] = []
        self._procs_at = -1.0
        self._procs_cost = 0.0

    def new_token(self) -> str:
        """Make a name for a tree that no other tree on this machine has."""
        self._token_count += 1
        return f"{self._name}-{self._token_count}"

    def make_cgroup(self, token: str) -> Cgroup | None:
        """Make a control group for one tree; ``None`` if that is not possible here."""
        return self._cgroups.make(token) if self._cgroups is not None else None

    def procs_since(self, instant: float) -> list[Proc]:
        """All processes of the machine, as seen at ``instant`` (seconds of Trio's clock) or later."""
        if self._procs_at < instant:
            began = trio.current_time()
            self._procs = all_procs()
            self._procs_at = began  # not the end: a process that started during the look may be missing
            self._procs_cost = trio.current_time() - began
        return self._procs

    def procs_lately(self) -> list[Proc]:
        """All processes of the machine, as seen a moment ago."""
        # Children that are ended together share one look, because it takes 15 us for each process of the machine. The
        # longer a look takes, the longer it is used, so that looks take at most about a tenth of the time.
        return self.procs_since(trio.current_time() - max(_LATELY, 10 * self._procs_cost))

    def close(self) -> None:
        """Remove the host's control group, and stop looking for orphans."""
        self.orphans.close()
        if self._cgroups is not None:
            self._cgroups.remove()


def set_subreaper(*, on: bool) -> bool:
    """Say whether the kernel gives us the orphans among our descendants (prctl(2)). Returns the earlier setting."""
    # The libc that this program has loaded already. Python itself has no prctl.
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
    return bool(before.value)
