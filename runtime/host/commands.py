"""Commands for sessions: the owner of the session is found, and its jobs supervisor is asked."""

from __future__ import annotations

from typing import Final, final

from attrs import define

from ...actors.router import Directory
from ...protocols.errors import HostClosedError, InvalidInputError
from ...protocols.receipt import Receipt
from ...protocols.wakes.wake import Source
from ..jobs.handle import JobHandle
from ..jobs.jobs import Jobs
from ..jobs.options import Command, JobOptions
from .sender import HostSender


@final
@define(eq=False)
class Commands:
    """The way of a command into a host. Implements :class:`~.turn.TurnPort`."""

    _directory: Directory
    _sender: HostSender
    _jobs: Jobs

    async def exec(
        self, session_key: str, command: Command, options: JobOptions, source: Source, agent_id: str | None = None
    ) -> JobHandle:
        """See :meth:`Host.exec <wakeward.runtime.host.host.Host.exec>`.

        Raises:
            HostClosedError: The host is draining.
            InvalidInputError: Nobody owns the session.
        """
        if self._sender.closed:
            raise HostClosedError(CLOSED)
        found = self._directory.resolve(session_key, agent_id)
        if isinstance(found, Receipt):
            raise InvalidInputError(found.detail)
        return await self._jobs.exec(found, command, options, source=source)


CLOSED: Final = "the host is draining and takes no more work"
"""What is said of everything that a draining host cannot take."""
