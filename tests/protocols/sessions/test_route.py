from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.sessions.key import normalize_session_key, parse_session_key
from wakeward.protocols.sessions.route import (
    AGENT_ID_LENGTH_MAX,
    EventRoute,
    InvalidSessionKeyError,
    Routing,
    Scope,
    event_route,
    is_valid_agent_id,
    main_session_key,
    normalize_agent_id,
    normalize_main_key,
    optional_agent_id,
    owner_of,
    queue_key,
    representable_agent_id,
    store_key,
)

PER_SENDER = Routing("work")
GLOBAL = Routing("work", Scope.GLOBAL)
CRON_RUNS = [
    "agent:ops:cron:nightly:run:7",
    "agent:ops:cron:nightly:run:7:subagent:x",
    " Agent:Ops:Cron:J:Run:R ",
]

segments = st.sampled_from(["agent", "Ops", "a1", "my agent", "cron", "run", "j", "subagent", "", "é", "x ", "main"])
keys = st.lists(segments, max_size=8).map(":".join) | st.text(max_size=20)
agent_keys = keys.map("agent:Ops:x".__add__) | st.sampled_from(CRON_RUNS)
routings = st.builds(Routing, st.sampled_from(["main", " Desk ", "a:b", ""]), st.sampled_from(Scope))


@pytest.mark.parametrize("key", CRON_RUNS)
def test_a_cron_run_goes_to_the_main_session_of_its_agent(key: str) -> None:
    assert event_route(key, PER_SENDER) == EventRoute("agent:ops:work", None, "agent:ops:work")


@pytest.mark.parametrize("key", CRON_RUNS)
def test_under_global_scope_a_cron_run_keeps_its_agent_as_the_target(key: str) -> None:
    assert event_route(key, GLOBAL) == EventRoute("global", "ops", None)


@pytest.mark.parametrize("key", [" agent:Ops:main ", "agent:ops:cron:nightly", "agent:ops:telegram:direct:1"])
@pytest.mark.parametrize("routing", [PER_SENDER, GLOBAL])
def test_any_other_session_keeps_its_events_and_is_woken_itself(key: str, routing: Routing) -> None:
    assert event_route(key, routing) == EventRoute(key, None, key)


@pytest.mark.parametrize("key", ["global", "node-7", "", "agent::x", "cron:j:run:1"])
@pytest.mark.parametrize("routing", [PER_SENDER, GLOBAL])
def test_a_key_without_an_owner_names_no_target(key: str, routing: Routing) -> None:
    assert event_route(key, routing) == EventRoute(key, None, None)


@given(agent_keys, routings)
def test_a_route_never_changes_the_owner(key: str, routing: Routing) -> None:
    route = event_route(key, routing)
    owner = owner_of(key)
    assert owner_of(route.session_key, route.agent_id) == owner
    assert owner_of(route.event_key, route.agent_id) == owner
    queued = parse_session_key(route.event_key)
    assert queued is None or not queued.is_cron_run


@given(keys, routings)
def test_a_route_is_final(key: str, routing: Routing) -> None:
    event_key = event_route(key, routing).event_key
    assert event_route(event_key, routing).event_key == event_key


def test_routing_is_normal() -> None:
    assert Routing(" Work ") == Routing("work")
    assert Routing(None) == Routing("") == Routing() == Routing("main", Scope.PER_SENDER)


@pytest.mark.parametrize(
    ("key", "agent_id", "queue"),
    [
        ("agent:Ops:Main", None, "agent:ops:main"),
        ("agent:Ops:Main", " OPS ", "agent:ops:main"),
        ("main", "ops", "agent:ops:main"),
        (" Global ", "ops", "agent:ops:global"),
        ("node-7", "My Agent", "agent:my-agent:node-7"),
        ("agent:ops:cron:j:run:1", "", "agent:ops:cron:j:run:1"),
    ],
)
def test_queue_key(key: str, agent_id: str | None, queue: str) -> None:
    assert queue_key(key, agent_id) == queue


@given(keys)
def test_the_queue_of_a_queue_is_itself(key: str) -> None:
    assume(not normalize_session_key(key).startswith(":"))  # recorded so: its queue has a malformed name
    try:
        queue = queue_key(key, "ops")
    except InvalidSessionKeyError:
        return
    assert queue_key(queue, "ops") == queue == queue_key(queue)


@pytest.mark.parametrize(
    ("key", "agent_id", "message"),
    [
        (None, "ops", "session key None is blank"),
        (" \n", "ops", r"session key ' \n' is blank"),
        (
            "agent:Web:main",
            "Ops",
            "session key 'agent:Web:main' belongs to agent 'web', expected a key of agent 'ops'",
        ),
        ("node-7", None, "session key 'node-7' names no owner"),
        ("node-7", " ", "expected 'agent:<agent id>:<rest>'"),
        ("agent::x", "ops", "session key 'agent::x' is malformed: expected 'agent:<agent id>:<rest>'"),
    ],
)
def test_no_queue_takes_it(key: str | None, agent_id: str | None, message: str) -> None:
    with pytest.raises(InvalidSessionKeyError) as caught:
        queue_key(key, agent_id)
    assert message in str(caught.value)
    assert isinstance(caught.value, InvalidInputError)


def test_the_configured_owner_stands_in_only_where_a_key_names_none() -> None:
    assert owner_of("agent:My Agent:x", "ops") == "my-agent"
    assert owner_of("node-7", " Ops ") == "ops"
    assert owner_of(None, "ops") == "ops"
    with pytest.raises(InvalidSessionKeyError, match="malformed"):
        owner_of("agent:ops:", "ops")
    with pytest.raises(InvalidSessionKeyError, match="no default agent"):
        owner_of(None)


@given(keys, st.none() | st.sampled_from(["ops", "", "é"]))
def test_an_owner_is_a_valid_agent_id_or_an_error(key: str, default: str | None) -> None:
    try:
        owner = owner_of(key, default)
    except InvalidSessionKeyError as error:
        assert repr(key) in str(error)  # noqa: PT017 - whether it raises depends on the key
    else:
        assert normalize_agent_id(owner) == owner


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (None, "agent:ops:work"),
        (" MAIN ", "agent:ops:work"),
        ("agent:Web:X", "agent:web:x"),
        ("Agent::X", "agent::x"),
        ("Telegram:1", "agent:ops:telegram:1"),
        ("Matrix:Channel:!AbC", "agent:ops:matrix:channel:!AbC"),
    ],
)
def test_store_key(key: str | None, stored: str) -> None:
    assert store_key(key, "Ops", "Work") == stored


def test_main_session_key() -> None:
    assert main_session_key("My Agent") == "agent:my-agent:main"
    assert main_session_key(None, " Work ") == "agent:main:work"
    assert normalize_main_key(None) == "main"


@pytest.mark.parametrize(
    ("value", "normalized", "valid"),
    [
        ("ops", "ops", True),
        (" Ops_1-a ", "ops_1-a", True),
        ("x" * AGENT_ID_LENGTH_MAX, "x" * AGENT_ID_LENGTH_MAX, True),
        ("x" * (AGENT_ID_LENGTH_MAX + 1), "x" * AGENT_ID_LENGTH_MAX, False),
        ("--my  agent.--", "my-agent", False),
        ("_a", "_a", False),
        ("\u212a", "k", False),
        ("ops\nx", "ops-x", False),
        ("日本", None, False),
        ("---", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_agent_id(value: str | None, normalized: str | None, valid: bool) -> None:
    assert representable_agent_id(value) == normalized
    assert normalize_agent_id(value) == (normalized or "main")
    assert is_valid_agent_id(value) is valid


def test_only_a_blank_agent_id_is_none() -> None:
    assert optional_agent_id("\ufeff ") is None
    assert optional_agent_id("---") == "main"


@given(st.text())
def test_a_normalized_agent_id_is_canonical(value: str) -> None:
    agent_id = normalize_agent_id(value)
    assert normalize_agent_id(agent_id) == agent_id
    assert parse_session_key(main_session_key(value)) == parse_session_key(f"agent:{agent_id}:main")
