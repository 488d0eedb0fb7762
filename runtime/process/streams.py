"""A child's streams together: started with it, stopped when its tree is gone, closed once."""

from __future__ import annotations

import os
from typing import Final, final

from ...actors.jobs.record import Job
from .follow import Follow
from .pipes import Drain, Feed
from .resources import ProcessHost
from .spawn import Streams
from .spill import Spill

OUTPUT_PATIENCE: Final = 0.1
"""How long the end of the output is waited for once the tree is gone, in seconds."""


@final
class ChildStreams:
    """Moves one child's bytes, in tasks of the host's nursery that no cancellation reaches."""

    def __init__(self, job: Job, host: ProcessHost) -> None:
        self._job = job
        self._host = host
        self._fds = Streams()
        self._readers: list[Drain | Follow] = []
        self._follow: Follow | None = None
        self._spill: Spill | None = None
        self._feed: Feed | None = None

    def open_file(self) -> int | None:
        """Open the file that the child's output goes to, if any. A detached child writes to it by itself. Blocks.

        Returns: The descriptor for the child's output; ``None`` where a pipe is to be made.

        Raises:
            OSError: It cannot be opened.
        """
        spec = self._job.spec
        if spec.detach:
            self._follow = Follow(spec.spill_path, self._job.output, self._host.now_ms)
            return self._follow.write_fd
        if spec.spill_path is not None:
            self._spill = Spill(spec.spill_path, spec.spill_max_bytes)
        return None

    def start(self, fds: Streams) -> None:
        """Take the streams, and begin to write."""
        self._fds = fds
        for fd, buffer in ((fds.stdout, self._job.output), (fds.stderr, self._job.errors)):
            if fd is not None and buffer is not None:
                self._readers.append(Drain(fd, buffer, self._host.now_ms, self._spill))
        if self._follow is not None:
            self._readers.append(self._follow)
        if fds.stdin is not None:
            self._feed = Feed(fds.stdin, self._job.input, terminal=self._job.spec.pty, close=self._close_stdin)
            self._host.nursery.start_soon(self._feed.run)

    @property
    def is_single(self) -> bool:
        """Whether there is one plain stream and nothing else to read."""
        return len(self._readers) == 1 and isinstance(self._readers[0], Drain)

    async def read_inline(self) -> None:
        """Read the single stream to its end in the caller's task.

        Most children end soon. For them this saves a task and a second wait, a sixth of the cost of a start. Cancelled,
        :meth:`run_readers` goes on.
        """
        for reader in self._readers:
            if isinstance(reader, Drain):
                await reader.read_inline()

    def run_readers(self) -> None:
        """Read on in tasks of their own. Call it once."""
        for reader in self._readers:
            if not reader.is_done:
                self._host.nursery.start_soon(reader.run)

    async def stop(self) -> None:
        """The tree is gone: write no more, and read what is left. Bounded in time."""
        if self._feed is not None:
            await self._feed.stop()
        for reader in self._readers:
            await reader.stop(OUTPUT_PATIENCE)

    @property
    def problems(self) -> list[str]:
        """What went wrong beside the result."""
        return [self._spill.problem] if self._spill is not None and self._spill.problem is not None else []

    def close(self, *, keep_file: bool) -> None:
        """Close all there is. ``keep_file``: a running child still writes its temporary file."""
        self._fds.close()
        if self._spill is not None:
            self._spill.close()
        if self._follow is not None:
            self._follow.close(keep=keep_file)
        self._spill = self._follow = None

    def _close_stdin(self) -> None:
        if self._fds.stdin is not None:
            os.close(self._fds.stdin)
            self._fds.stdin = None
