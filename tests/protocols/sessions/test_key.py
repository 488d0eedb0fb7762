from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.sessions import key as session_key
from wakeward.protocols.sessions.key import (
    AgentKey,
    CronRunSplit,
    DeliveryRoute,
    KeyShape,
    PeerKind,
    ThreadSplit,
    classify_session_key,
    delivery_route,
    is_acp,
    is_cron,
    is_cron_run,
    is_subagent,
    is_unscoped_sentinel,
    normalize_session_key,
    parse_session_key,
    split_cron_run,
    split_thread,
    subagent_depth,
)

WORDS = [
    "agent",
    "Agent",
    "a1",
    "cron",
    "run",
    "RUN",
    "subagent",
    "acp",
    "Thread",
    "matrix",
    "Signal",
    "signal",
]
ODDITIES = ["group", "channel", "direct", "dm", "!AbC", " x ", "", "é", "ΑΣ", "\u00a0", "global", "main"]
keys = st.lists(st.sampled_from(WORDS + ODDITIES), max_size=9).map(":".join)
agent_keys = keys.map("agent:ops:main:".__add__)


@pytest.mark.parametrize(
    ("key", "parsed"),
    [
        ("agent:ops:main", AgentKey("ops", "main")),
        (" AGENT:Ops:Main\n", AgentKey("ops", "main")),
        ("agent: ops :x", AgentKey("ops", "x")),
        ("agent:a:agent:b:main", AgentKey("a", "agent:b:main")),
        ("agent:ops:x:", AgentKey("ops", "x:")),
        ("agent:ops:", None),
        ("agent::main", None),
        ("agent: :main", None),
        ("agent:ops::main", None),
        ("agent:ops", None),
        ("agents:ops:main", None),
        ("global", None),
        ("", None),
        (None, None),
    ],
)
def test_parse(key: str | None, parsed: AgentKey | None) -> None:
    assert parse_session_key(key) == parsed


def test_white_space_is_that_of_ecmascript() -> None:
    assert parse_session_key("\ufeffagent:ops:main\u00a0") == AgentKey("ops", "main")
    assert parse_session_key("\x85agent:ops:main") is None


@given(keys)
def test_a_parsed_key_is_its_own_normal_form(key: str) -> None:
    parsed = parse_session_key(key)
    if parsed is not None:
        assert parse_session_key(str(parsed)) == parsed
        assert parsed.rest
        assert not parsed.rest.startswith(":")


@given(keys | st.text())
def test_parsing_says_what_the_shape_says(key: str) -> None:
    assert (classify_session_key(key) is KeyShape.AGENT) == (parse_session_key(key) is not None)


def test_only_keys_of_ordinary_length_are_remembered() -> None:
    key = "agent:ops:" + "x" * session_key.REMEMBERED_KEY_LENGTH_MAX
    first, second = parse_session_key(key), parse_session_key(key)
    assert first == second
    assert first is not second
    assert parse_session_key("agent:ops:short") is parse_session_key("agent:ops:short")


@pytest.mark.parametrize(
    ("key", "normalized"),
    [
        (None, ""),
        (" Agent:Ops:Main ", "agent:ops:main"),
        ("agent:a:Signal:GROUP:AbC==:Tail", "agent:a:signal:group:AbC==:tail"),
        ("agent:a:signal:group: AbC :x", "agent:a:signal:group:AbC:x"),
        ("agent:a:signal:direct:AbC", "agent:a:signal:direct:abc"),
        ("Agent:A:Matrix:Channel:!AbC:Srv.Org", "agent:a:matrix:channel:!AbC:Srv.Org"),
        ("agent:A:matrix:group:!AbC:THREAD:$Ev", "agent:a:matrix:group:!AbC:thread:$Ev"),
        ("agent:A:matrix:group:!A:Thread:$B:Thread:$C", "agent:a:matrix:group:!A:Thread:$B:thread:$C"),
        ("agent:a:agent:B::Matrix:channel:!AbC", "agent:a:agent:b::matrix:channel:!AbC"),
        ("matrix:channel:signal:group:X:Y", "matrix:channel:signal:group:X:Y"),
        ("agent:a:x:matrix:channel:!AbC", "agent:a:x:matrix:channel:!abc"),
        ("signal:x:\u017fignal:group:AbC", "signal:x:\u017fignal:group:abc"),
    ],
)
def test_normalize(key: str | None, normalized: str) -> None:
    assert normalize_session_key(key) == normalized


@given(keys)
def test_normalizing_twice_changes_nothing(key: str) -> None:
    once = normalize_session_key(key)
    assert normalize_session_key(once) == once
    assert once.lower() == normalize_session_key(key.lower())


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (None, KeyShape.MISSING),
        (" \n", KeyShape.MISSING),
        ("agent:ops:main", KeyShape.AGENT),
        ("Agent::main", KeyShape.MALFORMED_AGENT),
        ("agent", KeyShape.LEGACY_OR_ALIAS),
        ("global", KeyShape.LEGACY_OR_ALIAS),
    ],
)
def test_classify(key: str | None, shape: KeyShape) -> None:
    assert classify_session_key(key) is shape


@pytest.mark.parametrize(
    ("rest", "cron", "run"),
    [
        ("cron:nightly", True, False),
        ("cron:nightly:run:", True, False),
        ("cron:nightly:run:7", True, True),
        ("cron:nightly:run:7:subagent:x", True, True),
        ("cron:a:b:run:7", True, False),
        (" cron:nightly:run:7", True, False),
        ("x:cron:nightly:run:7", False, False),
    ],
)
def test_cron(rest: str, cron: bool, run: bool) -> None:
    assert (is_cron(f"agent:ops:{rest}"), is_cron_run(f"agent:ops:{rest}")) == (cron, run)
    assert not is_cron(rest)
    assert not is_cron_run(rest)


@pytest.mark.parametrize("key", ["agent:ops:subagent:x", "Subagent:x", " agent:ops: subagent:x"])
def test_subagent(key: str) -> None:
    assert is_subagent(key)
    assert not is_acp(key)


@pytest.mark.parametrize("key", ["agent:ops:acp:x", " ACP:x"])
def test_acp(key: str) -> None:
    assert is_acp(key)
    assert not is_subagent(key)


@pytest.mark.parametrize("key", ["agent:subagent:main", "agent:ops:main:subagent:x", "agent::acp:x", "", None])
def test_neither_subagent_nor_acp(key: str | None) -> None:
    assert not is_subagent(key)
    assert not is_acp(key)


@pytest.mark.parametrize(
    ("key", "depth"),
    [
        (None, 0),
        ("agent:ops:main", 0),
        ("agent:subagent:main", 0),
        ("agent:ops:main:Subagent:x", 1),
        ("agent:ops:subagent:x:subagent:y", 2),
        ("subagent:x", 1),
        ("agent:ops:mysubagent:x", 0),
    ],
)
def test_subagent_depth(key: str | None, depth: int) -> None:
    assert subagent_depth(key) == depth


def test_unscoped_sentinel() -> None:
    assert is_unscoped_sentinel(" GLOBAL ")
    assert is_unscoped_sentinel("unknown")
    assert not is_unscoped_sentinel("agent:ops:global")
    assert not is_unscoped_sentinel(None)


@pytest.mark.parametrize(
    ("key", "base_key", "thread_id"),
    [
        (" ", None, None),
        (" agent:Ops:x ", "agent:Ops:x", None),
        ("agent:Ops:x:THREAD:Ev7", "agent:Ops:x", "Ev7"),
        ("agent:ops:x:thread:", "agent:ops:x", None),
        ("a:thread:b:thread:c", "a:thread:b", "c"),
        (":thread:5", "", "5"),
    ],
)
def test_split_thread(key: str, base_key: str | None, thread_id: str | None) -> None:
    assert split_thread(key) == ThreadSplit(base_key, thread_id)


@pytest.mark.parametrize(
    ("key", "base_key", "run_id"),
    [
        ("", None, None),
        (" agent:Ops:Cron:J:Run:R7 ", "agent:Ops:Cron:J", "R7"),
        ("agent:ops:cron:j:run:7:x", "agent:ops:cron:j:run:7:x", None),
        ("agent:ops:telegram:group:run:7", "agent:ops:telegram:group:run:7", None),
        ("cron:j:run:7", "cron:j:run:7", None),
    ],
)
def test_split_cron_run(key: str, base_key: str | None, run_id: str | None) -> None:
    assert split_cron_run(key) == CronRunSplit(base_key, run_id)


@given(agent_keys, st.sampled_from(["5", "$Ev", "x y"]))
def test_a_thread_can_be_put_back(base_key: str, thread_id: str) -> None:
    key = f"{base_key}:thread:{thread_id}"
    assert split_thread(key) == ThreadSplit(base_key, thread_id)


@pytest.mark.parametrize(
    ("rest", "route"),
    [
        ("telegram:group:-100:topic:7", DeliveryRoute("telegram", PeerKind.GROUP, "-100:topic:7")),
        ("Slack:channel:C1:thread:9", DeliveryRoute("slack", PeerKind.CHANNEL, "c1", thread_id="9")),
        ("telegram:acct:dm:42:43", DeliveryRoute("telegram", PeerKind.DM, "42:43", account_id="acct")),
        ("telegram:direct:42", DeliveryRoute("telegram", PeerKind.DIRECT, "42")),
        ("telegram:direct:dm:42", DeliveryRoute("telegram", PeerKind.DM, "42", account_id="direct")),
        ("telegram:acct:group:42", None),
        ("telegram: :dm:42", None),
        ("telegram:group: :42", None),
        (" :group:42", None),
        ("telegram:group", None),
        ("agent:group:42", None),
        ("main", None),
    ],
)
def test_delivery_route(rest: str, route: DeliveryRoute | None) -> None:
    assert delivery_route(f"agent:ops:{rest}") == route
    assert delivery_route(rest) is None
