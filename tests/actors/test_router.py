"""The router alone: who is told what, without an event loop."""

from __future__ import annotations

from typing import Any

import pytest
from support.driver import Driver
from wakeward.actors.router import ROUTER_ADDRESS, Directory, Routed, Router
from wakeward.protocols import effects
from wakeward.protocols.receipt import Receipt, Refusal
from wakeward.protocols.sessions.locate import Location
from wakeward.protocols.wakes.decision import Decision, DecisionKind
from wakeward.protocols.wakes.messages import Notice, NoticeSeen, Ticket, Wake
from wakeward.protocols.wakes.wake import Intent, Source

AGENTS = ("ops", "dev")
MAIN = "agent:ops:main"
TICKET = Ticket("boot", 1)


class World:
    """A router, two listeners in the place of agents, and what the router asked the host for."""

    def __init__(self, unowned: str | None = None) -> None:
        self.directory = Directory(unowned=unowned)
        self.driver = Driver(now_ms=5_000)
        self.inboxes: dict[str, list[Any]] = {}
        self.decisions: list[Decision] = []
        self.answers: list[tuple[Ticket, Receipt]] = []
        self.driver.perform[effects.DECIDE] = lambda _address, decision, _b, _c: self.decisions.append(decision)
        self.driver.perform[effects.ANSWER] = self._answer
        for agent_id in AGENTS:
            self.directory.enter(agent_id, f"agent:{agent_id}")
            self.inboxes[agent_id] = self.driver.listen(f"agent:{agent_id}")
        self.driver.spawn(ROUTER_ADDRESS, lambda ctx: Router(ctx, self.directory))

    def _answer(self, _address: str, ticket: Ticket, receipt: Receipt, _c: object) -> None:
        self.answers.append((ticket, receipt))

    def send(self, *messages: Routed) -> None:
        for message in messages:
            self.driver.tell(ROUTER_ADDRESS, message)
        self.driver.run()

    @property
    def told(self) -> dict[str, list[Any]]:
        return {agent_id: inbox for agent_id, inbox in self.inboxes.items() if inbox}


def a_wake(session_key: str | None = MAIN, **options: Any) -> Wake:
    return Wake(session_key, Source.HOOK, Intent.EVENT, "why", **options)


def a_notice(session_key: str = MAIN, **options: Any) -> Notice:
    return Notice(session_key, "text", Source.HOOK, Intent.EVENT, **options)


def seen(session_key: str = MAIN, **options: Any) -> NoticeSeen:
    return NoticeSeen(session_key, "exec:1", **options)


@pytest.mark.parametrize("make", [a_wake, a_notice, seen])
def test_only_the_owner_is_told(make: Any) -> None:
    world = World()
    message = make(MAIN)
    world.send(message)
    assert world.told == {"ops": [message]}
    assert (message.located, message.agent_id) == (True, "ops")
    assert (world.decisions, world.answers) == ([], [])


@pytest.mark.parametrize(
    ("session_key", "agent_id", "owner", "kept"),
    [
        ("agent:DEV:Main", None, "dev", "agent:dev:main"),
        ("agent:dev:cron:nightly:run:7", None, "dev", "agent:dev:main"),
        (None, "dev", "dev", None),  # the agent knows its own main session
        ("global", "ops", "ops", "agent:ops:global"),
    ],
)
def test_a_key_is_resolved_on_its_way(
    session_key: str | None, agent_id: str | None, owner: str, kept: str | None
) -> None:
    world = World()
    wake = a_wake(session_key, agent_id=agent_id)
    world.send(wake)
    assert world.told == {owner: [wake]}
    assert (wake.agent_id, wake.session_key) == (owner, kept)


def test_a_key_without_an_owner_goes_to_the_agent_that_owns_such_keys() -> None:
    world = World(unowned="dev")
    world.send(a_wake("legacy"))
    assert list(world.told) == ["dev"]


@pytest.mark.parametrize(
    ("session_key", "agent_id", "detail"),
    [
        ("agent:ghost:main", None, "no agent 'ghost' here; agents: ops, dev"),
        ("legacy", None, "session key 'legacy' names no agent"),
        (None, None, "neither a session key nor an agent is named"),
        (MAIN, "dev", "belongs to agent 'ops', not to 'dev'"),
    ],
)
def test_a_refusal_is_decided_and_answered(session_key: str | None, agent_id: str | None, detail: str) -> None:
    world = World()
    world.send(a_wake(session_key, agent_id=agent_id, ticket=TICKET))
    assert world.told == {}
    (decision,) = world.decisions
    assert (decision.kind, decision.at_ms, decision.session_key) == (DecisionKind.REFUSED, 5_000, session_key)
    assert detail in decision.reason
    assert world.answers == [(TICKET, Receipt(Refusal.UNKNOWN, decision.reason))]


def test_a_refused_notice_is_in_the_books_with_its_text_also_when_nobody_waits() -> None:
    world = World()
    world.send(a_notice("agent:ghost:main"))
    assert [decision.text for decision in world.decisions] == ["text"]
    assert world.answers == []


@pytest.mark.parametrize("make", [a_wake, a_notice])
def test_an_agent_that_leaves_while_a_message_is_on_its_way_is_not_told(make: Any) -> None:
    world = World()
    world.send(a_wake())  # from now on the owner of the key is remembered
    world.inboxes["ops"].clear()
    message = make(MAIN, ticket=TICKET, agent_id="ops", located=True)
    world.driver.tell(ROUTER_ADDRESS, message)
    world.directory.leave("ops")
    world.driver.run()
    assert world.told == {}
    assert world.answers == [(TICKET, Receipt(Refusal.UNKNOWN, "no agent 'ops' here; agents: dev"))]
    world.send(make(MAIN, ticket=TICKET))
    assert world.told == {}
    assert [decision.kind for decision in world.decisions] == [DecisionKind.REFUSED] * 2


def test_an_agent_that_comes_is_told_what_was_refused_before() -> None:
    world = World()
    inbox = world.driver.listen("agent:late")
    world.send(a_wake("agent:late:main"))
    world.directory.enter("late", "agent:late")
    wake = a_wake("agent:late:main")
    world.send(wake)
    assert inbox == [wake]


@pytest.mark.parametrize("gone", [seen("agent:ghost:main"), seen(agent_id="ghost", located=True), seen("legacy")])
def test_nobody_hears_that_a_notice_was_seen_when_its_agent_has_gone(gone: NoticeSeen) -> None:
    world = World()
    world.send(gone)
    assert (world.told, world.decisions, world.answers) == ({}, [], [])
    assert (world.driver.dead_letters, world.driver.crashes) == ([], [])


def test_what_is_located_is_not_resolved_again() -> None:
    world = World()
    wake = a_wake("whatever the host has found", agent_id="dev", located=True)
    world.send(wake)
    assert world.told == {"dev": [wake]}
    assert wake.session_key == "whatever the host has found"


def test_a_refusal_names_a_few_agents_only() -> None:
    directory = Directory()
    for number in range(20):
        directory.enter(f"a{number}", f"agent:a{number}")
    assert directory.unknown("ghost").detail == "no agent 'ghost' here; agents: a0, a1, a2, a3, a4, a5, a6, a7, ..."
    assert Directory().unknown("ghost").detail == "no agent 'ghost' here; agents: none"


def test_another_configuration_forgets_whose_a_key_was() -> None:
    directory = Directory(unowned="ops")
    for agent_id in AGENTS:
        directory.enter(agent_id, f"agent:{agent_id}")
    owners: list[str | None] = []
    for unowned in ("ops", "dev"):
        directory.configure(directory.routing, unowned)
        found = directory.resolve("legacy", None)
        owners.append(None if isinstance(found, Receipt) else found.agent_id)
    assert owners == ["ops", "dev"]


def test_whose_a_key_was_is_forgotten_with_the_agent() -> None:
    directory = Directory()
    directory.enter("ops", "agent:ops")
    assert isinstance(directory.resolve(MAIN, None), Location)
    assert directory.leave("ops")
    assert isinstance(directory.resolve(MAIN, None), Receipt)


def test_one_key_of_two_agents_is_found_for_each() -> None:
    directory = Directory(unowned="ops")
    for agent_id in AGENTS:
        directory.enter(agent_id, f"agent:{agent_id}")
    found = [directory.resolve("legacy", agent_id) for agent_id in (None, "dev", None)]
    assert [at.agent_id for at in found if isinstance(at, Location)] == ["ops", "dev", "ops"]


def test_the_keys_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wakeward.actors.router._ROUTES_MAX", 3)
    directory = Directory()
    directory.enter("ops", "agent:ops")
    for number in range(10):
        found = directory.resolve(f"{MAIN}{number}", None)
        assert isinstance(found, Location)
        assert len(vars(directory)["_found"]) <= 3  # there is no other way to see it
