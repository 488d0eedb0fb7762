"""The drain of a host: its turns and children end, in order, within a grace that can be shortened."""

from __future__ import annotations

from typing import Protocol, final

import trio

from .statistics import DrainReport


class Drainable(Protocol):
    """What a drain asks of a host."""

    async def wait_quiet(self) -> None:
        """Wait until no turn and no child runs."""
        ...

    def interrupt_turns(self) -> tuple[str, ...]:
        """Cancel every turn; the sessions whose turn that was."""
        ...

    async def end_children(self) -> int:
        """End every child with its tree, and wait for it; how many there were."""
        ...

    def abandon(self) -> None:
        """Tell everybody who still waits that nothing will come of it."""
        ...

    def events_retained(self) -> dict[str, int]:
        """Events not yet presented, by session."""
        ...


@final
class Drain:
    """One drain. Runs in a task of the host, so it goes on when who asked for it is cancelled."""

    def __init__(self, host: Drainable, nursery: trio.Nursery, grace_ms: int) -> None:
        """Begin."""
        self._host = host
        self._grace = trio.CancelScope(deadline=trio.current_time() + grace_ms / 1000)
        self._done = trio.Event()
        self._report: DrainReport | None = None
        nursery.start_soon(self._run, name="drain of the host")

    def hasten(self, grace_ms: int) -> None:
        """Make the grace end no later than ``grace_ms`` from now."""
        self._grace.deadline = min(self._grace.deadline, trio.current_time() + grace_ms / 1000)

    async def wait(self) -> DrainReport:
        """Wait for the end. Cancellation leaves the drain going."""
        await self._done.wait()
        assert self._report is not None
        return self._report

    async def _run(self) -> None:
        with trio.CancelScope(shield=True):
            with self._grace:
                await self._host.wait_quiet()
            interrupted = self._host.interrupt_turns()
            children = await self._host.end_children()
            self._host.abandon()
            self._report = DrainReport(
                in_time=not interrupted and not children,
                turns_interrupted=interrupted,
                children_ended=children,
                events_retained=self._host.events_retained(),
            )
            self._done.set()
