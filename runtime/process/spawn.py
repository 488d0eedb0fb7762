"""Starts one child, with its pipes or its terminal, in a session of its own, with a pidfd that tells its end.

Spawning blocks (a fork of a big program, an exec from a slow disk), so it happens in a worker thread, a bounded number
at a time. Descriptors are made just before it, and closed whatever happens.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

import trio
from attrs import define, field

from ...protocols.jobs.spec import SHELL, JobSpec

Environment = Mapping[str, str] | Mapping[bytes, bytes]

TERMINAL_SIZE: Final = (30, 120)
"""Rows and columns of a terminal, as OpenClaw has them."""

_ON_TERMINAL: Final = 'tty=$0; exec "$@" <>"$tty" >&0 2>&0'
"""Opening a terminal makes it the controlling one of a session leader that has none (tty_ioctl(4)). So no code of ours
has to run between fork and exec, where nothing is safe in a program with threads.
"""


@final
@define(eq=False)
class Streams:
    """Our ends of a child's streams. They do not block. A second ``close`` does nothing.

    Attributes:
        stdin: ``None`` where the child has nothing to read.
        stdout: ``None`` where the child writes to a file.
        stderr: ``None`` unless it is kept apart.
    """

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    _theirs: list[int] = field(factory=list[int])

    def close(self) -> None:
        """Close our ends."""
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = None

    def close_theirs(self) -> None:
        """Close the child's ends. The child has its own copies."""
        while self._theirs:
            os.close(self._theirs.pop())

    def for_child(self, fd: int) -> int:
        """Note that a descriptor is the child's. Returns it."""
        self._theirs.append(fd)
        return fd


@final
@define(eq=False)
class Spawned:
    """A running child. Its ``pidfd`` becomes readable when the child has exited (pidfd_open(2))."""

    popen: subprocess.Popen[bytes]
    pidfd: int
    streams: Streams


async def spawn(
    spec: JobSpec,
    env: Environment,
    limiter: trio.CapacityLimiter,
    *,
    is_wanted: Callable[[], bool],
    open_file: Callable[[], int | None],
) -> Spawned | None:
    """Start a child, all of it in one worker thread: no descriptor is made before there is a thread to start the child.

    Args:
        spec: What to run.
        env: The whole environment.
        limiter: The worker threads.
        is_wanted: Asked in the thread, just before the start, because an order to stop may have come first.
        open_file: Called in the thread: opens what a detached child writes to instead of a pipe.

    Returns:
        The running child; ``None`` if it is no longer wanted.

    Raises:
        Exception: It could not be started, and nothing is left of the attempt.

    Cancellation: has no effect while the child is being started.
    """
    return await trio.to_thread.run_sync(_start, spec, env, is_wanted, open_file, limiter=limiter)


def _start(
    spec: JobSpec, env: Environment, is_wanted: Callable[[], bool], open_file: Callable[[], int | None]
) -> Spawned | None:
    # The wait for a thread can be long. An order that comes after this look is seen by the child's task.
    if not is_wanted():
        return None
    streams = Streams()
    try:
        argv, ends = _open_streams(spec, streams, open_file())
        popen, pidfd = _popen(argv, spec.cwd, env, ends)
    except BaseException:
        streams.close()
        raise
    finally:
        # In every case: as long as we hold the write end too, the child's output has no end.
        streams.close_theirs()
    return Spawned(popen, pidfd, streams)


_Ends = tuple[int, int, int]


def _open_streams(spec: JobSpec, streams: Streams, output_file: int | None) -> tuple[Sequence[str], _Ends]:
    if spec.pty:
        return _open_terminal(spec, streams)
    # Not the host's own input: a child with nothing to read is to find the end of file.
    stdin = subprocess.DEVNULL
    if spec.stdin or spec.stdin_open:
        # CLOEXEC from the start, because another thread may fork before a later call could set it.
        read_end, streams.stdin = os.pipe2(os.O_CLOEXEC)
        stdin = streams.for_child(read_end)
        # Our end alone: programs do not expect that their standard streams refuse to block.
        os.set_blocking(streams.stdin, False)
    if output_file is not None:
        return spec.argv, (stdin, output_file, subprocess.STDOUT)
    streams.stdout, stdout = _output_pipe(streams)
    stderr = subprocess.STDOUT
    if spec.separate_stderr:
        streams.stderr, stderr = _output_pipe(streams)
    return spec.argv, (stdin, stdout, stderr)


def _output_pipe(streams: Streams) -> tuple[int, int]:
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read_end, False)
    return read_end, streams.for_child(write_end)


def _open_terminal(spec: JobSpec, streams: Streams) -> tuple[Sequence[str], _Ends]:
    streams.stdout, slave = pty.openpty()
    streams.for_child(slave)
    os.set_blocking(streams.stdout, False)
    streams.stdin = os.dup(streams.stdout)  # each end is closed by itself
    # Before the start, so that a program that asks for the size once gets the right one.
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *TERMINAL_SIZE, 0, 0))
    # The word after the script is its $0, so the name of the terminal needs no quoting.
    return (SHELL, "-c", _ON_TERMINAL, os.ttyname(slave), *spec.argv), (slave, slave, slave)


def _popen(
    argv: Sequence[str], cwd: str | os.PathLike[str] | None, env: Environment, ends: _Ends
) -> tuple[subprocess.Popen[bytes], int]:
    stdin, stdout, stderr = ends
    # A session of its own: killpg reaches the grandchildren too, and only a session leader can get a terminal.
    # Not os.posix_spawn, which was measured at a third of this throughput.
    popen = subprocess.Popen(  # noqa: S603 - to run what agents ask for is what this is for
        argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )
    try:
        return popen, os.pidfd_open(popen.pid)
    except OSError:  # out of descriptors: without a handle on its end we cannot keep it
        popen.kill()
        popen.wait()
        raise
