from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.sessions import key as session_key
from wakeward.protocols.sessions.key import (
    AgentKey,
    KeyShape,
    classify_session_key,
    is_subagent,
    normalize_session_key,
    parse_session_key,
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


@pytest.mark.parametrize("key", ["agent:ops:subagent:x", "Subagent:x", " agent:ops: subagent:x"])
def test_subagent(key: str) -> None:
    assert is_subagent(key)


@pytest.mark.parametrize("key", ["agent:subagent:main", "agent:ops:main:subagent:x", "agent:ops:acp:x", "", None])
def test_no_subagent(key: str | None) -> None:
    assert not is_subagent(key)


@pytest.mark.parametrize(
    ("rest", "run"),
    [
        ("cron:nightly", False),
        ("cron:nightly:run:", False),
        ("cron:nightly:run:7", True),
        ("cron:nightly:run:7:subagent:x", True),
        ("cron:a:b:run:7", False),
        (" cron:nightly:run:7", False),
        ("x:cron:nightly:run:7", False),
    ],
)
def test_cron_run(rest: str, run: bool) -> None:
    assert AgentKey("ops", rest).is_cron_run is run
