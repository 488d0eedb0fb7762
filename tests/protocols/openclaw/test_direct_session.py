from __future__ import annotations

import pytest
from wakeward.protocols.openclaw.direct_session import DirectScope, direct_event_route, main_peer
from wakeward.protocols.sessions.route import EventRoute, Routing, Scope


@pytest.mark.parametrize(
    "key",
    [
        "agent:ops:direct:42",
        "agent:ops:telegram:direct:42",
        "agent:ops:telegram:bot1:dm:42",
        "agent:ops:telegram:direct:42:thread:7",
    ],
)
def test_the_direct_session_of_the_one_owner_is_the_main_session(key: str) -> None:
    assert direct_event_route(key, Routing(), "42") == EventRoute("agent:ops:main", None, "agent:ops:main")
    assert direct_event_route(key, Routing(scope=Scope.GLOBAL), "42") == EventRoute("global", "ops", None)
    assert direct_event_route(key, Routing(), None).event_key == key


@pytest.mark.parametrize(
    "key",
    [
        "agent:ops:telegram:direct:43",
        "agent:ops:telegram:group:42",
        "agent:ops:group:direct:42",
        "agent:ops:direct:direct:42",
        "agent:ops:agent:direct:42",
        "agent:ops:a:b:c:direct:42",
        "agent:ops:telegram:direct:",
    ],
)
def test_no_other_session_is_taken_for_it(key: str) -> None:
    assert direct_event_route(key, Routing(), "42").event_key == key


def test_a_key_that_can_be_read_in_two_ways_is_nobodys_direct_session() -> None:
    key = "agent:ops:direct:dm:42"
    for peer in ("42", "dm:42"):
        assert direct_event_route(key, Routing(), peer).event_key == key


@pytest.mark.parametrize(
    ("allow_from", "scope", "peer"),
    [
        (["42"], DirectScope.MAIN, "42"),
        ([" A ", "a", ""], DirectScope.MAIN, "a"),
        (["42"], DirectScope.PER_PEER, None),
        (["42", "43"], DirectScope.MAIN, None),
        (["42", " * "], DirectScope.MAIN, None),
        ([], DirectScope.MAIN, None),
    ],
)
def test_main_peer(allow_from: list[str], scope: DirectScope, peer: str | None) -> None:
    assert main_peer(allow_from, scope) == peer
