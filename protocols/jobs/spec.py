"""The specification of a job: a command, its surroundings and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final, final

from attrs import field, frozen

from ..errors import InvalidInputError
from ..values.duration import Milliseconds

SHELL: Final = "/bin/sh"
"""What runs a command that is given as one text."""

DEFAULT_YIELD_AFTER_MS: Final = Milliseconds(10_000)
"""How long a caller waits for a command before the command goes on in the background."""

TITLE_LENGTH_MAX: Final = 80
# More than enough for 80 characters; the rest of a huge command is not split into words for nothing.
_TITLE_SOURCE_MAX: Final = 1_000

DEFAULT_HEAD_BYTES: Final = 50_000
DEFAULT_TAIL_BYTES: Final = 150_000
# Then SIGKILL to the whole tree; a child that ignores SIGTERM must not hold up the end of the host for longer.
DEFAULT_GRACE_MS: Final = Milliseconds(5_000)
DEFAULT_SILENCE_NOTICE_MS: Final = Milliseconds(300_000)


def _positive(spec: JobSpec, attribute: Any, value: int | None) -> None:
    del spec
    if value is not None and value <= 0:
        raise InvalidInputError(f"exec: {attribute.name} is {value!r}, expected more than 0, or None for no limit")


def _not_negative(spec: JobSpec, attribute: Any, value: int) -> None:
    del spec
    if value < 0:
        raise InvalidInputError(f"exec: {attribute.name} is {value!r}, expected 0 or more")


def _command(value: str | list[str] | tuple[str, ...]) -> str | tuple[str, ...]:
    # A tuple, because the caller may change its list before the child is started.
    return value if isinstance(value, str) else tuple(value)


def _env(value: Mapping[str, str] | None) -> Mapping[str, str] | None:
    # A copy that cannot be changed: the environment is that of the moment in which the job was asked for.
    return None if value is None else MappingProxyType(dict(value))


@final
@frozen
class JobSpec:
    """What to run, and within which limits.

    Attributes:
        command: One text for the shell, or the argument vector itself.
        cwd: Working directory; ``None`` is the host's.
        env: The whole environment, as the environment guard made it; ``None`` is the host's own.
        stdin: What the child reads. Its input is closed after that, unless ``stdin_open``.
        stdin_open: Whether more can be written while it runs. Always so with ``pty``.
        timeout_ms: Limit for the whole run.
        no_output_timeout_ms: Limit for a silence.
        silence_notice_ms: A silence of this length is reported to the owner, once; ``None``: never.
        grace_ms: The time from SIGTERM to SIGKILL when the host ends the child.
        pty: Give it a terminal. Its output then is one stream with the terminal's line ends.
        separate_stderr: Keep stderr apart. Otherwise both are one stream, in the order in which they were written.
        detach: The child survives the end of the host, and what it leaves behind is not killed with it.
        head_bytes: How much of the beginning of each output stream is kept.
        tail_bytes: How much of its end is kept.
        spill_path: A file to which the output is also written, as it comes.
        spill_max_bytes: How much of the output that file gets.
    """

    command: str | tuple[str, ...] = field(converter=_command)
    cwd: str | PurePath | None = None
    env: Mapping[str, str] | None = field(default=None, converter=_env)
    stdin: bytes = b""
    stdin_open: bool = False
    timeout_ms: int | None = field(default=None, validator=_positive)
    no_output_timeout_ms: int | None = field(default=None, validator=_positive)
    silence_notice_ms: int | None = field(default=DEFAULT_SILENCE_NOTICE_MS, validator=_positive)
    grace_ms: int = field(default=DEFAULT_GRACE_MS, validator=_not_negative)
    pty: bool = False
    separate_stderr: bool = False
    detach: bool = False
    head_bytes: int = field(default=DEFAULT_HEAD_BYTES, validator=_not_negative)
    tail_bytes: int = field(default=DEFAULT_TAIL_BYTES, validator=_positive)
    spill_path: str | PurePath | None = None
    spill_max_bytes: int = field(default=100_000_000, validator=_positive)

    def __attrs_post_init__(self) -> None:
        # An empty first word could not be found by any exec, and the error would name no file.
        if not self.command or (isinstance(self.command, tuple) and not self.command[0]):
            raise InvalidInputError(f"exec: command is {self.command!r}, expected a command or an argument vector")
        self._check_texts()
        # A terminal is one device for both streams, and it hangs up when its other end closes with the host.
        if self.pty and (self.separate_stderr or self.detach):
            raise InvalidInputError("exec: pty excludes separate_stderr (one stream) and detach (it ends with us)")
        if self.detach and (self.separate_stderr or self.stdin_open):
            raise InvalidInputError("exec: detach excludes separate_stderr and stdin_open: no pipe outlives the host")

    def _check_texts(self) -> None:
        env = self.env or {}
        words = (self.command,) if isinstance(self.command, str) else self.command
        for text in (*words, *env, *env.values(), str(self.cwd or "")):
            # Said here, in the caller's frame: the error of a later spawn would name neither the text nor the job.
            if "\0" in text:
                raise InvalidInputError(f"exec: {text!r} contains a NUL, which no argument or variable can hold")
        for name in env:
            # In the block that exec hands on, the first "=" ends the name.
            if not name or "=" in name:
                raise InvalidInputError(f"exec: {name!r} cannot be the name of an environment variable")

    @property
    def argv(self) -> tuple[str, ...]:
        """The argument vector, with the shell in front of a text."""
        # A vector is passed on as it is, so nothing in it has a meaning for a shell.
        return (SHELL, "-c", self.command) if isinstance(self.command, str) else self.command

    @property
    def takes_input(self) -> bool:
        """Whether something can be written to it while it runs."""
        return self.stdin_open or self.pty

    @property
    def title(self) -> str:
        """The command in one line, for people. Text that UTF-8 cannot hold is shown as question marks."""
        # A lone surrogate is accepted in a command (the spawn then fails), but no journal can store one.
        text = self.command if isinstance(self.command, str) else " ".join(self.command)
        line = " ".join(text[:_TITLE_SOURCE_MAX].split()).encode(errors="replace").decode()
        return line if len(line) <= TITLE_LENGTH_MAX else f"{line[: TITLE_LENGTH_MAX - 1]}…"
