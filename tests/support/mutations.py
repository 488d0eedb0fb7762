"""Faults that are planted on purpose: each breaks one thing, and shows that an invariant can fail."""

# The mutations reach into what they break.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from wakeward.actors import router as router_module
from wakeward.actors.agent import session as session_module
from wakeward.actors.agent import turns as turns_module
from wakeward.actors.agent.core import AgentCore
from wakeward.actors.agent.events import SessionEvents
from wakeward.actors.agent.held import HeldWakes
from wakeward.actors.router import Router
from wakeward.protocols.config import RetryPolicy
from wakeward.protocols.sessions.locate import Location
from wakeward.protocols.wakes import cooldown as cooldown_module
from wakeward.protocols.wakes.cooldown import CooldownClock
from wakeward.protocols.wakes.decision import DecisionKind
from wakeward.protocols.wakes.event_queue import EventQueue, FailedTurn
from wakeward.protocols.wakes.messages import Wake
from wakeward.protocols.wakes.turn import Outcome
from wakeward.protocols.wakes.turn_slots import TurnSlots
from wakeward.protocols.wakes.wake import Intent


def fan_out(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Router.receive

    def to_the_next_too(self: Router, message: Any) -> None:
        forward(self, message)
        if isinstance(message, Wake):
            for address in ("agent:a", "agent:b"):
                self._ctx.tell(address, evolve(message, session_key=f"{address}:main"))

    monkeypatch.setattr(Router, "receive", to_the_next_too)


def wrong_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    locate = router_module.locate
    monkeypatch.setattr(router_module, "locate", lambda *args: Location("a", locate(*args).session_key))


def events_lost_on_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        EventQueue,
        "count_failed_turn",
        lambda self, shown, failed_turns_max: FailedTurn((), self.consume(shown)[:0]),
    )


def events_acknowledged_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    consume = EventQueue.consume
    monkeypatch.setattr(EventQueue, "consume", lambda self, _shown, **_more: consume(self, self.peek()))


def stranded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldWakes, "ensure_wake", lambda *_: None)


def deferred_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "RETAINED_INTENTS", frozenset())
    stranded(monkeypatch)


def no_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooldown_module, "_spacing", lambda *_: None)


def no_flood_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooldown_module, "_flood", lambda *_: None)


def no_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    check = CooldownClock.check

    def blind(self: CooldownClock, *args: Any, **kwargs: Any) -> Any:
        return check(evolve(self, running_ms=()), *args, **kwargs)

    monkeypatch.setattr(CooldownClock, "check", blind)


def poisoning(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = CooldownClock.ended
    monkeypatch.setattr(CooldownClock, "ended", lambda self, key, policy, counts: ended(self, key, policy, counts=True))


def unbounded_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = turns_module.after_turn

    def forever(outcome: Outcome, wake: Any, retry: RetryPolicy, **more: Any) -> Any:
        return decide(outcome, wake, evolve(retry, attempts_max=99), **more)

    monkeypatch.setattr(turns_module, "after_turn", forever)


def overlapping_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SERVED", frozenset())


def unbounded_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(self: TurnSlots, address: str, session_key: str, _limit: int | None = None) -> bool:
        self._held[address, session_key] = None
        self._claimed[address] = self._claimed.get(address, 0) + 1
        return True

    monkeypatch.setattr(TurnSlots, "acquire", acquire)


def newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    peek = EventQueue.peek
    monkeypatch.setattr(EventQueue, "peek", lambda self, limit=None: peek(self)[::-1][:limit])


def manual_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    check = CooldownClock.check

    def guarded(self: CooldownClock, policy: Any, intent: Intent, **more: Any) -> Any:
        return check(self, policy, Intent.EVENT if intent is Intent.MANUAL else intent, **more)

    monkeypatch.setattr(CooldownClock, "check", guarded)


def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionEvents, "_dead", lambda *_: None)


def parked_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = AgentCore.decide

    def quiet(self: AgentCore, kind: DecisionKind, *args: Any, **more: Any) -> None:
        if kind is not DecisionKind.PARKED:
            decide(self, kind, *args, **more)

    monkeypatch.setattr(AgentCore, "decide", quiet)


def changes_that_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    put = AgentCore.put

    def forgetful(self: AgentCore, session: Any, record: Any) -> None:
        put(self, session, record)
        if record.turn is not None:
            self._changed = None

    monkeypatch.setattr(AgentCore, "put", forgetful)


MUTATIONS: list[Callable[[pytest.MonkeyPatch], None]] = [
    fan_out,
    wrong_owner,
    events_lost_on_failure,
    events_acknowledged_unseen,
    stranded,
    deferred_is_dropped,
    no_spacing,
    no_flood_guard,
    no_reservation,
    poisoning,
    unbounded_retry,
    overlapping_turns,
    unbounded_turns,
    newest_first,
    manual_is_guarded,
    uncounted,
    parked_in_silence,
    changes_that_are_not_stored,
]
