"""How a command is run, as people say it, and the specification and contract that come of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, TypedDict, final

from attrs import Attribute, field, frozen

from ...protocols.errors import InvalidInputError
from ...protocols.jobs.env_guard import check_overrides, sanitize_env
from ...protocols.jobs.record import Contract
from ...protocols.jobs.spec import DEFAULT_GRACE_MS, DEFAULT_SILENCE_NOTICE_MS, DEFAULT_YIELD_AFTER_MS, JobSpec
from ...protocols.jobs.terms import contract_for
from ...protocols.sessions.locate import Location
from ...protocols.values.duration import Duration, duration_ms
from ...protocols.values.validators import is_a
from ...protocols.wakes.event import DeliveryContext
from ...protocols.wakes.wake import Source

Command = str | Sequence[str]
"""A shell command, or a program and its arguments."""


def _ms_or_none(value: Duration | None) -> int | None:
    return None if value is None else duration_ms(value)


def _ms(value: Duration) -> int:
    return duration_ms(value)


def _path_or_none(value: str | os.PathLike[str] | None) -> str | None:
    if value is None or isinstance(value, str | PurePath):
        return None if value is None else str(value)
    raise InvalidInputError(f"exec: {value!r} is not a path")


def _is_bool(_instance: object, attribute: Attribute[Any], value: object) -> None:
    # Nothing is taken for true or false: a text such as "no" would switch the option on.
    if not isinstance(value, bool):
        raise InvalidInputError(f"exec: {attribute.alias} is {value!r}, expected True or False")


def _is_bytes(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bytes):
        raise InvalidInputError(f"exec: {attribute.alias} is {type(value).__name__}, expected bytes")


def _flag(*, default: bool = False) -> Any:
    return field(default=default, validator=_is_bool)


@final
@frozen(kw_only=True)
class JobOptions:
    """The options of ``Host.exec`` and ``Turn.exec``: the one place that names, checks and converts them.

    Durations are given as ``"30s"``, seconds or a timedelta. An option that does not exist is a :exc:`TypeError`.

    Attributes:
        background: Return at once; the exit is told to the session.
        yield_after_ms: Otherwise (``yield_after``): how long to wait before the command goes on in the background;
            ``None`` for ever. 10 s.
        cwd: Working directory.
        env: Variables to set, on top of the host's own. Those that could subvert the child are refused.
        stdin: What the child reads.
        stdin_open: Keep standard input open for ``handle.write``.
        timeout_ms: ``timeout``: end the child after so long.
        no_output_timeout_ms: ``no_output_timeout``: end the child after so long without output.
        silence_notice_ms: ``silence_notice``: tell the session after so long without output; ``None`` never. 5 min.
        grace_ms: ``grace``: between SIGTERM and SIGKILL. 5 s.
        pty: Give the child a terminal.
        separate_stderr: Keep standard error apart.
        detach: Let the child outlive the host.
        spill: A file that gets the whole output, bounded.
        notify_on_exit: Tell the session of the exit at all. Yes.
        notify_on_empty_success: Tell also of a success without output. No.
        delivery: Where an answer to the notice goes.
    """

    background: bool = _flag()
    yield_after_ms: int | None = field(default=DEFAULT_YIELD_AFTER_MS, alias="yield_after", converter=_ms_or_none)
    cwd: str | None = field(default=None, converter=_path_or_none)
    env: Mapping[str, str] | None = None
    stdin: bytes = field(default=b"", validator=_is_bytes)
    stdin_open: bool = _flag()
    timeout_ms: int | None = field(default=None, alias="timeout", converter=_ms_or_none)
    no_output_timeout_ms: int | None = field(default=None, alias="no_output_timeout", converter=_ms_or_none)
    # Named by its unit, as everywhere; the alias is what a caller writes, because the value carries its own unit.
    silence_notice_ms: int | None = field(
        default=DEFAULT_SILENCE_NOTICE_MS, alias="silence_notice", converter=_ms_or_none
    )
    grace_ms: int = field(default=DEFAULT_GRACE_MS, alias="grace", converter=_ms)
    pty: bool = _flag()
    separate_stderr: bool = _flag()
    detach: bool = _flag()
    spill: str | None = field(default=None, converter=_path_or_none)
    notify_on_exit: bool = _flag(default=True)
    notify_on_empty_success: bool = _flag()
    delivery: DeliveryContext | None = field(default=None, validator=is_a(DeliveryContext))

    @property
    def wait_ms(self) -> int | None:
        """How long to wait for the child; 0: not at all, ``None``: for ever."""
        # background wins: yield_after has a default, so it is always set.
        return 0 if self.background else self.yield_after_ms

    def spec(self, command: Command) -> JobSpec:
        """The specification of the child, with its environment.

        Raises:
            InvalidInputError: The command, an option or an environment variable cannot be used.
        """
        return JobSpec(
            # A copy, because the caller may change its list before the child is started.
            command if isinstance(command, str) else list(command),
            cwd=self.cwd,
            env=child_environment(self.env),
            stdin=self.stdin,
            stdin_open=self.stdin_open,
            timeout_ms=self.timeout_ms,
            no_output_timeout_ms=self.no_output_timeout_ms,
            silence_notice_ms=self.silence_notice_ms,
            grace_ms=self.grace_ms,
            pty=self.pty,
            separate_stderr=self.separate_stderr,
            detach=self.detach,
            spill_path=self.spill,
        )

    def contract(self, owner: Location, source: Source) -> Contract:
        """The terms under which the child starts: a snapshot."""
        return contract_for(
            owner,
            delivery=self.delivery,
            source=source,
            notify_on_exit=self.notify_on_exit,
            notify_on_empty_success=self.notify_on_empty_success,
        )


# Written out once more, because no type checker sees the aliases of the fields above. A test keeps the two equal.
class JobKeywords(TypedDict, total=False):
    """The options of :class:`JobOptions` as keyword parameters, for type checkers. What is checked is the class."""

    background: bool
    yield_after: Duration | None
    cwd: str | os.PathLike[str] | None
    env: Mapping[str, str] | None
    stdin: bytes
    stdin_open: bool
    timeout: Duration | None
    no_output_timeout: Duration | None
    silence_notice: Duration | None
    grace: Duration
    pty: bool
    separate_stderr: bool
    detach: bool
    spill: str | os.PathLike[str] | None
    notify_on_exit: bool
    notify_on_empty_success: bool
    delivery: DeliveryContext | None


NO_OPTIONS: Final = JobOptions()


def child_environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: the host's, as far as it may be inherited, then the overrides.

    Raises:
        InvalidInputError: An override is refused. The message names the variable.
    """
    # An override is refused loudly, while an inherited variable of the same name is left out without a word.
    check_overrides(overrides)
    # Read at each start: a program may have changed its environment since the last one.
    return dict(sanitize_env(os.environ, overrides).env)
