"""What OpenClaw makes of session keys, agent ids and wake targets, and what we make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import asdict
from support.vectors import Row, each_row
from wakeward.protocols.openclaw import session_keys as recorded
from wakeward.protocols.sessions import key as keys
from wakeward.protocols.sessions import route as routes


@each_row("session_keys", kind="key")
def test_key(row: Row) -> None:
    key: str | None = row["input"]["key"]
    parsed = keys.parse_session_key(key)
    delivery = recorded.delivery_route(key)
    ours = {
        "parse": parsed and asdict(parsed),
        "shape": keys.classify_session_key(key).value,
        "normalized": keys.normalize_session_key(key),
        "is_cron": recorded.is_cron(key),
        "is_cron_run": recorded.is_cron_run(key),
        "is_subagent": keys.is_subagent(key),
        "is_acp": recorded.is_acp(key),
        "is_unscoped_sentinel": recorded.is_unscoped_sentinel(key),
        "subagent_depth": recorded.subagent_depth(key),
        "thread": asdict(recorded.split_thread(key)),
        "cron_run_scope": asdict(recorded.split_cron_run(key)),
        "delivery_route": delivery and {**asdict(delivery), "peer_kind": delivery.peer_kind.value},
        "agent_id": _outcome(routes.owner_of, key),
        "agent_id_default_ops": _outcome(routes.owner_of, key, "Ops"),
        "queue_key": _outcome(routes.queue_key, key),
        "queue_key_agent_ops": _outcome(routes.queue_key, key, "Ops"),
        "event_routes": [_event_route(key, case) for case in row["expected"]["event_routes"]],
    }
    assert ours == {name: _without_wording(value) for name, value in row["expected"].items()}


@each_row("session_keys", kind="store_key")
def test_store_key(row: Row) -> None:
    agent_id, main_key = row["input"]["agent_id"], row["input"]["main_key"]
    assert row["expected"] == {
        "store_key": routes.store_key(row["input"]["key"], agent_id, main_key),
        "agent_main_key": routes.main_session_key(agent_id, main_key),
    }


@each_row("session_keys", kind="agent_id")
def test_agent_id(row: Row) -> None:
    value = row["input"]["value"]
    assert row["expected"] == {
        "normalized": routes.normalize_agent_id(value),
        "strict": routes.representable_agent_id(value),
        "valid": routes.is_valid_agent_id(value),
        "optional": routes.optional_agent_id(value),
    }


@each_row("session_keys", kind="main_key")
def test_main_key(row: Row) -> None:
    assert row["expected"]["normalized"] == routes.normalize_main_key(row["input"]["value"])


@each_row("session_keys", kind="scoped_wake")
def test_scoped_wake(row: Row) -> None:
    wake: dict[str, Any] = row["input"]["wake"]
    target = recorded.WakeTarget(wake["agent_id"], wake["session_key"])
    scoped = recorded.scoped_wake(row["input"]["key"], target, _routing(row["input"]))
    assert row["expected"] == wake | asdict(scoped)


def _event_route(key: str | None, case: Row) -> Row:
    """Of a key that is absent there is nothing to route: our function takes a text."""
    route = asdict(routes.event_route(key, _routing(case))) if key is not None else {}
    return {
        "main_key": case["main_key"],
        "scope": case["scope"],
        "event_key": route.get("event_key"),
        "wake": {"agent_id": route.get("agent_id"), "session_key": route.get("session_key")},
    }


def _routing(case: Row) -> routes.Routing:
    scope = routes.Scope.PER_SENDER if case["scope"] is None else routes.Scope(case["scope"])
    return routes.Routing(case["main_key"], scope)


def _outcome(ask: Callable[..., str], *arguments: str | None) -> object:
    try:
        return ask(*arguments)
    except routes.InvalidSessionKeyError:
        return {"error": True}


def _without_wording(value: Row | str | None) -> object:
    """That it is an error must match, the wording need not."""
    return {"error": True} if isinstance(value, dict) and "error" in value else value
