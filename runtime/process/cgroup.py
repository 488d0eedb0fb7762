"""A control group for a child, where the system has them: the one thing that no process can leave by forking.

Version 2 only (cgroups(7)): ``cgroup.kill`` ends all of a group at once. The group is made below the one in which
this program runs, so it needs either root or delegation. No controller is switched on, so the rule against inner
processes does not matter. To move a process takes almost a millisecond inside the kernel, as much as the whole rest of
a start. So a child is moved when it has lived for a while, with all the processes that came of it until then.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from attrs import define

NAME_PREFIX: Final = "wakeward-"
"""The beginning of a group's name. The process id of the program that made the group follows."""


@final
@define(eq=False)
class Cgroup:
    """The group of one child."""

    path: Path
    relative: str

    def add(self, pid: int) -> bool:
        """Move a process into the group. Returns false if the process is gone, or may not be moved."""
        try:
            (self.path / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def pids(self) -> list[int]:
        """The processes in it, without zombies."""
        try:
            return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def kill(self) -> None:
        """SIGKILL to all in it (Linux 5.14). On older kernels nothing happens; the tree is signalled one by one."""
        with suppress(OSError):
            # One write that no fork can outrun: 201 daemonised processes are gone within 10 ms.
            (self.path / "cgroup.kill").write_text("1")

    def remove(self) -> bool:
        """Remove it; false while a process is in it."""
        try:
            self.path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


@final
@define(eq=False)
class CgroupParent:
    """The group below which the children of a host get theirs."""

    path: Path
    relative: str

    def make(self, name: str) -> Cgroup | None:
        """Make a group for one job; ``None`` if the system allows no more groups."""
        group = Cgroup(self.path / name, f"{self.relative}/{name}")
        try:
            # This fails at a limit such as cgroup.max.descendants. The child then runs without a group.
            group.path.mkdir()
        except OSError:
            return None
        return group

    def remove(self) -> None:
        """Remove the host's group, if nothing is left in it."""
        with suppress(OSError):
            self.path.rmdir()


def find_cgroup_parent(name: str) -> CgroupParent | None:
    """Make the host's group below our own; ``None`` where there is no version 2, or no right to do so."""
    mount = _mount_point()
    own = read_cgroup("self")
    if mount is None or own is None:
        return None
    # lstrip, because a path that begins with a slash would replace the mount point instead of going below it.
    _remove_stale(mount / own.lstrip("/"))
    relative = f"{own.rstrip('/')}/{name}"
    parent = CgroupParent(mount / relative.lstrip("/"), relative)
    try:
        # This fails without root or delegation. Children then have no group, and the tree is found through /proc.
        parent.path.mkdir()
    except OSError:
        return None
    # A group that we could make can still be useless: not delegated to us, or no cgroup.kill (before Linux 5.14).
    if os.access(parent.path / "cgroup.procs", os.W_OK) and (parent.path / "cgroup.kill").exists():
        return parent
    parent.remove()
    return None


def _remove_stale(above: Path) -> None:
    """Remove the empty groups of earlier runs of this program that were killed before they could remove them."""
    for path in above.glob(f"{NAME_PREFIX}*-*"):
        pid = path.name.removeprefix(NAME_PREFIX).partition("-")[0]
        # A number that is used again hides a stale group. It stays until a later run finds the number free.
        if pid.isdigit() and not Path("/proc", pid).exists():
            with suppress(OSError):  # a process is left in it
                for inner in path.iterdir():
                    if inner.is_dir():
                        inner.rmdir()
                path.rmdir()


def _mount_point() -> Path | None:
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _device, target, kind, *_ = line.split()
            # It need not be /sys/fs/cgroup: on a hybrid system version 2 is mounted below that.
            if kind == "cgroup2":
                return Path(target)
    return None


def read_cgroup(pid: int | str) -> str | None:
    """The version 2 group of a process, also of a zombie; ``None`` if the process has none, or is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::"):  # version 2 always has hierarchy 0 and names no controllers (cgroups(7))
                return line[3:]
    return None
