"""All streams of one child: they start with it, stop when its process tree is gone, and are closed once."""

from __future__ import annotations

import os
from typing import Final, final

from ...protocols.jobs.sinks import Sinks
from ...protocols.jobs.spec import JobSpec
from .follow import FileFollower
from .pipes import PipeReader, PipeWriter
from .resources import ProcessResources
from .spawn import Streams
from .spill import Spill

OUTPUT_PATIENCE: Final = 0.1
"""How long to wait for the end of the output when the tree is gone, in seconds."""


@final
class ChildStreams:
    """Moves one child's bytes, in tasks of the shell's nursery that no cancellation reaches."""

    def __init__(self, spec: JobSpec, sinks: Sinks, resources: ProcessResources) -> None:
        self._spec = spec
        self._sinks = sinks
        self._resources = resources
        self._fds = Streams()
        self._readers: list[PipeReader | FileFollower] = []
        self._follow: FileFollower | None = None
        self._spill: Spill | None = None
        self._writer: PipeWriter | None = None

    def open_file(self) -> int | None:
        """Open the file that the child's output goes to, if there is one. It blocks, so a worker thread calls it.

        Returns:
            The descriptor that a detached child writes to by itself; ``None`` where a pipe is to be made.

        Raises:
            OSError: It cannot be opened.
        """
        spec = self._spec
        if spec.detach:
            # A pipe would end with the host, and the child would be killed by its next write (SIGPIPE).
            self._follow = FileFollower(spec.spill_path, self._sinks.output, self._resources.now_ms)
            return self._follow.write_fd
        if spec.spill_path is not None:
            self._spill = Spill(spec.spill_path, spec.spill_max_bytes)
        return None

    def start(self, fds: Streams) -> None:
        """Take over the streams, and begin to write the child's input."""
        self._fds = fds
        for fd, buffer in ((fds.stdout, self._sinks.output), (fds.stderr, self._sinks.errors)):
            if fd is not None and buffer is not None:
                self._readers.append(PipeReader(fd, buffer, self._resources.now_ms, self._spill))
        if self._follow is not None:
            self._readers.append(self._follow)
        if fds.stdin is not None:
            self._writer = PipeWriter(fds.stdin, self._sinks.input, terminal=self._spec.pty, close=self._close_stdin)
            # At once, unlike the readers: many a child writes nothing before it has read.
            self._resources.nursery.start_soon(self._writer.run)

    @property
    def is_single(self) -> bool:
        """Whether there is one plain stream and nothing else to read."""
        return len(self._readers) == 1 and isinstance(self._readers[0], PipeReader)

    async def read_inline(self) -> None:
        """Read the single stream to its end in the caller's task. After a cancellation, :meth:`run_readers` goes on."""
        # Most children end soon. For them this saves a task and a second wait, a sixth of the cost of a start.
        for reader in self._readers:
            if isinstance(reader, PipeReader):
                await reader.read_inline()

    def run_readers(self) -> None:
        """Read on in tasks of their own. Call it once."""
        for reader in self._readers:
            if not reader.is_done:
                self._resources.nursery.start_soon(reader.run)

    async def stop(self) -> None:
        """Write no more, and read what is left, because the tree is gone. The time that this takes is bounded."""
        if self._writer is not None:
            await self._writer.stop()
        for reader in self._readers:
            # Mostly the end is there already. A descriptor that was passed to a stranger keeps it from coming.
            await reader.stop(OUTPUT_PATIENCE)

    @property
    def problems(self) -> list[str]:
        """What went wrong beside the result."""
        return [self._spill.problem] if self._spill is not None and self._spill.problem is not None else []

    def close(self, *, keep_file: bool) -> None:
        """Close everything. ``keep_file`` says that a running child still writes to its temporary file."""
        self._fds.close()
        if self._spill is not None:
            self._spill.close()
        if self._follow is not None:
            self._follow.close(keep=keep_file)
        self._spill = self._follow = None

    def _close_stdin(self) -> None:
        if self._fds.stdin is not None:
            os.close(self._fds.stdin)
            # The number can be another file's at once, so close() must not find it here.
            self._fds.stdin = None
