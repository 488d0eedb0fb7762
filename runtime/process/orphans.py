"""The processes that were given to us because their parents died.

This program is a subreaper while it has children (prctl(2)): an orphan among its descendants becomes its child. To
whom an orphan belongs is read from its environment, its group, its session or its control group. One that belongs to
no child of ours is *foreign*: somebody else in this program started it, so it is neither signalled nor reaped.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import final

from .cgroup import read_cgroup
from .procfs import OwnChildren, Proc, read_environ, read_proc
from .tree import Tree


@final
class Orphans:
    """See the module. One for each program, because a subreaper is a program."""

    def __init__(self) -> None:
        self._trees: dict[str, Tree] = {}
        self._roots: set[int] = set()
        self._rootless_count = 0  # trees whose root is being spawned: its process id is not known yet
        self._adopting: dict[str, Tree] = {}
        self._left: list[Tree] = []
        # Process id and start time of children that belong to no tree, so that each look does not read them again.
        self._foreign: dict[int, int] = {}
        self._children = OwnChildren()

    def expect(self, tree: Tree) -> None:
        """Note that the root of this tree is about to be spawned. From now on the tree can have orphans."""
        self._trees[tree.token] = tree
        self._rootless_count += 1

    def rooted(self, tree: Tree, root_pid: int) -> None:
        """Note that the root of this tree is spawned, under this process id."""
        tree.root_pid = root_pid
        self._roots.add(root_pid)
        self._rootless_count -= 1

    def forget(self, tree: Tree) -> None:
        """Expect no more orphans of this tree."""
        del self._trees[tree.token]
        self._adopting.pop(tree.token, None)
        if tree.root_pid is None:
            self._rootless_count -= 1
        else:
            self._roots.discard(tree.root_pid)

    def leave(self, tree: Tree) -> None:
        """The root is reaped and its task ends; what is left of the tree are orphans. Reap each of them."""
        self._left.append(tree)

    def close(self) -> None:
        """Look for nothing any more."""
        self._children.close()

    @property
    def expects_any(self) -> bool:
        """Whether there is a tree to expect orphans of."""
        return bool(self._trees)

    def look(self) -> None:
        """Find out to whom new orphans belong, and reap those that are dead."""
        listed = self._children.read()
        # Known orphans are looked at even if none is listed: somebody else may have reaped them.
        if not listed and not self._adopting:
            return
        self._foreign = {pid: start for pid, start in self._foreign.items() if pid in listed}
        # Roots are left out: each is reaped by its keeper alone, which needs the exit status.
        for pid in listed - self._roots:
            proc = read_proc(pid)
            # The number alone does not tell a process: it is used again. Number and start time together do.
            if proc is not None and self._foreign.get(pid) != proc.start_ticks:
                self._classify(proc)
        for tree in tuple(self._adopting.values()):
            self._reap(tree)
        # Nobody keeps these trees any more, so they are forgotten here, with their last orphan.
        for tree in [tree for tree in self._left if not tree.adopted]:
            self._left.remove(tree)
            self.forget(tree)

    def _classify(self, proc: Proc) -> None:
        environ, cgroup = read_environ(proc.pid), read_cgroup(proc.pid)
        tree = next((tree for tree in self._trees.values() if _is_of(proc, environ, cgroup, tree)), None)
        if tree is not None:
            tree.adopted[proc.pid] = proc
            tree.seen[proc.pid] = proc.start_ticks
            self._adopting[tree.token] = tree
        elif self._is_foreign(proc, environ):
            self._foreign[proc.pid] = proc.start_ticks

    def _is_foreign(self, proc: Proc, environ: list[bytes]) -> bool:
        """Whether it is certain that this process belongs to no tree. If not, the next look asks about it again."""
        # While a process becomes another program it shows no environment; while a root has no number yet, its orphans
        # cannot be told by their group. Both are asked about again at the next look.
        is_between_programs = not environ and not proc.is_dead
        return not is_between_programs and not self._rootless_count

    def _reap(self, tree: Tree) -> None:
        for pid, proc in tuple(tree.adopted.items()):
            now = read_proc(pid)
            if now is None or now.start_ticks != proc.start_ticks:  # reaped, and the number perhaps used again
                del tree.adopted[pid]
            elif now.is_dead:
                # By its own number, never -1: that would take the exit status of a root, or of a stranger's child.
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                del tree.adopted[pid]
        if not tree.adopted:
            self._adopting.pop(tree.token, None)


def _is_of(proc: Proc, environ: list[bytes], cgroup: str | None, tree: Tree) -> bool:
    if tree.root_pid is None or proc.pid == tree.root_pid:
        return False
    # The marker survives a new session and a double fork. A zombie has lost it, and is known by number and start time.
    if tree.seen.get(proc.pid) == proc.start_ticks or tree.marker in environ:
        return True
    # The session too: setpgid changes the group alone.
    if not tree.group_gone and tree.root_pid in {proc.session, proc.pgrp}:
        return True
    # Last, for one that has cleared its environment and left the session: no fork leaves a control group.
    return tree.cgroup is not None and tree.cgroup.relative == cgroup
