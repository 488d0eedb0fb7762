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
"""How many children are being started at a time. Each start is work for one core, and memory for a worker's stack."""

_LATELY: Final = 0.01

_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37


@final
class ProcessResources:
    """The limits, the orphans, the environment, the control group and the look at all processes.

    Attributes:
        threads: The workers that start children.
        environ: The program's own environment when the shell was opened, encoded once.
    """

    def __init__(self, nursery: trio.Nursery, now_ms: Callable[[], int], *, use_cgroup: bool) -> None:
        self.nursery = nursery
        self.now_ms = now_ms
        self.threads = trio.CapacityLimiter(SPAWNING_COUNT_MAX)
        self.orphans = Orphans()
        self.environ = dict(os.environb)
        self._name = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._cgroups = find_cgroup_parent(self._name) if use_cgroup else None
        self._token_count = 0
        self._procs: list[Proc] = []
        self._procs_at = -1.0
        self._procs_cost = 0.0

    def new_token(self) -> str:
        """A name for a tree that no other tree on this machine has."""
        self._token_count += 1
        return f"{self._name}-{self._token_count}"

    def make_cgroup(self, token: str) -> Cgroup | None:
        """A control group for one tree, where there can be one."""
        return self._cgroups.make(token) if self._cgroups is not None else None

    def procs_since(self, instant: float) -> list[Proc]:
        """All processes, seen at ``instant`` or later."""
        if self._procs_at < instant:
            began = trio.current_time()
            self._procs = all_procs()
            self._procs_at = began
            self._procs_cost = trio.current_time() - began
        return self._procs

    def procs_lately(self) -> list[Proc]:
        """All processes, seen lately."""
        # Children that are ended together share one look, because it takes 15 us for each process there is.
        return self.procs_since(trio.current_time() - max(_LATELY, 10 * self._procs_cost))

    def close(self) -> None:
        """Remove what was made on the machine, and look for nothing any more."""
        self.orphans.close()
        if self._cgroups is not None:
            self._cgroups.remove()


def set_subreaper(*, on: bool) -> bool:
    """Whether orphans among our descendants are given to us (prctl(2)). Returns what it was before."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
    return bool(before.value)
