"""A context that records what a behaviour asks for, and lets a test advance time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from wakeward.protocols.actor import Receiver
from wakeward.protocols.receipt import ACCEPTED, Receipt


class RecordingContext:
    """Drives one behaviour by hand: ``told`` collects its messages, ``advance`` fires its timers in order."""

    def __init__(self, address: str = "test:1", *, now_ms: int = 0) -> None:
        self._address = address
        self._now_ms = now_ms
        self._timers: dict[Hashable, tuple[int, int, object]] = {}
        self._armed_count = 0
        self.behaviour: Receiver[Any] | None = None
        self.told: list[tuple[str, Any]] = []
        self.watching: set[str] = set()
        self.is_stopped = False
        self.answer: Callable[[str, object], Receipt] = lambda _to, _message: ACCEPTED
        """What a tell returns; replace it to refuse."""

    @property
    def address(self) -> str:
        return self._address

    def now_ms(self) -> int:
        return self._now_ms

    def tell(self, to: str, message: object) -> Receipt:
        receipt = self.answer(to, message)
        if receipt:
            self.told.append((to, message))
        return receipt

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        self._armed_count += 1
        self._timers[key] = (at_ms, self._armed_count, message)

    def cancel_timer(self, key: Hashable) -> None:
        self._timers.pop(key, None)

    def watch(self, address: str) -> None:
        self.watching.add(address)

    def unwatch(self, address: str) -> None:
        self.watching.discard(address)

    def stop(self) -> None:
        self.is_stopped = True

    @property
    def timers(self) -> dict[Hashable, int]:
        """When each armed timer is due."""
        return {key: at_ms for key, (at_ms, _, _) in self._timers.items()}

    def take(self) -> list[tuple[str, Any]]:
        """What was told since the last take."""
        told, self.told = self.told, []
        return told

    def jump(self, by_ms: int) -> None:
        """Let time pass without firing anything: the host stood still."""
        self._now_ms += by_ms

    def advance(self, by_ms: int = 0) -> None:
        """Let time pass, delivering each timer's message at its instant, in order of being due, then of arming."""
        assert self.behaviour is not None, "set context.behaviour first"
        end_ms = self._now_ms + by_ms
        while due := [(at, order, key) for key, (at, order, _) in self._timers.items() if at <= end_ms]:
            at_ms, _, key = min(due, key=lambda entry: entry[:2])
            message = self._timers.pop(key)[2]
            self._now_ms = max(self._now_ms, at_ms)
            self.behaviour.receive(message)
        self._now_ms = end_ms
