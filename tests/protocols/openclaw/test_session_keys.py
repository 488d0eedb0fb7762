from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.openclaw.session_keys import (
    CronRunSplit,
    DeliveryRoute,
    PeerKind,
    ThreadSplit,
    WakeTarget,
    delivery_route,
    is_acp,
    is_cron,
    is_cron_run,
    is_unscoped_sentinel,
    scoped_wake,
    split_cron_run,
    split_thread,
    subagent_depth,
)
from wakeward.protocols.sessions.route import Routing, Scope
from wakeward.protocols.values.ecmascript import es_trim

PER_SENDER = Routing("work")
GLOBAL = Routing("work", Scope.GLOBAL)


@pytest.mark.parametrize(
    ("rest", "cron"),
    [
        ("cron:nightly", True),
        ("cron:nightly:run:", True),
        ("cron:nightly:run:7", True),
        ("cron:nightly:run:7:subagent:x", True),
        ("cron:a:b:run:7", True),
        (" cron:nightly:run:7", True),
        ("x:cron:nightly:run:7", False),
    ],
)
def test_cron(rest: str, cron: bool) -> None:
    assert is_cron(f"agent:ops:{rest}") is cron
    assert not is_cron(rest)


@pytest.mark.parametrize("key", ["agent:ops:acp:x", " ACP:x"])
def test_acp(key: str) -> None:
    assert is_acp(key)


@pytest.mark.parametrize("key", ["agent:ops:subagent:x", "agent:acp:main", "agent::acp:x", "", None])
def test_no_acp(key: str | None) -> None:
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


def test_a_run_of_a_cron_job_has_an_owner() -> None:
    assert is_cron_run("agent:ops:cron:nightly:run:7:subagent:x")
    assert not is_cron_run("agent:ops:cron:nightly")
    assert not is_cron_run("cron:nightly:run:7")


def test_unscoped_sentinel() -> None:
    assert is_unscoped_sentinel(" GLOBAL ")
    assert is_unscoped_sentinel("unknown")
    assert not is_unscoped_sentinel("agent:ops:global")
    assert not is_unscoped_sentinel(None)


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


def test_a_wake_keeps_what_its_key_does_not_decide() -> None:
    before = WakeTarget("pre", "agent:pre:main")
    run = "agent:ops:cron:nightly:run:7"
    assert scoped_wake("agent:ops:x", before, GLOBAL) == WakeTarget("pre", "agent:ops:x")
    assert scoped_wake(run, before, PER_SENDER) == WakeTarget("pre", "agent:ops:work")
    assert scoped_wake(run, before, GLOBAL) == WakeTarget("ops", "agent:pre:main")
    assert scoped_wake("node-7", before, GLOBAL) == before
    assert scoped_wake(None, before, PER_SENDER) == before


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


@given(st.text().map("agent:ops:main:".__add__).map(es_trim), st.sampled_from(["5", "$Ev", "x y"]))
def test_a_thread_can_be_put_back(base_key: str, thread_id: str) -> None:
    key = f"{base_key}:thread:{thread_id}"
    assert split_thread(key) == ThreadSplit(base_key, thread_id)
