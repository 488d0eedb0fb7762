from __future__ import annotations

import pytest
from support.probe import Journal
from wakeward.protocols.actor import Cause, Terminated
from wakeward.protocols.restart import RestartSpec, RestartType
from wakeward.runtime.kernel import ActorSystem, MailboxSpec

ONCE = RestartSpec(restart_type=RestartType.TEMPORARY)


@pytest.mark.parametrize("end", [Cause.STOPPED, Cause.KILLED, Cause.CRASHED])
async def test_a_watcher_is_told_once_and_at_once(system: ActorSystem, journal: Journal, end: Cause) -> None:
    watcher = system.spawn("watcher", journal.probe, mailbox=MailboxSpec(capacity=1))
    child = system.spawn("child", journal.probe, restart=ONCE)
    watcher.tell(lambda me: [me.context.watch("child") for _ in range(2)])
    await system.wait_idle()
    crash = ValueError("boom")
    match end:
        case Cause.STOPPED:
            child.stop()
        case Cause.KILLED:
            child.kill()
        case _:
            child.tell(crash)
    watcher.tell("user")
    await system.wait_idle()
    news = Terminated("child", end, crash if end is Cause.CRASHED else None)
    assert sorted(journal.messages, key=str) == sorted([news, "user"], key=str)


async def test_terminated_overtakes_other_messages(system: ActorSystem, journal: Journal) -> None:
    watcher = system.spawn("watcher", journal.probe)
    child = system.spawn("child", journal.probe)
    watcher.tell(lambda me: me.context.watch("child"))
    await system.wait_idle()
    watcher.tell("user")
    child.kill()
    await system.wait_idle()
    assert journal.messages == [Terminated("child", Cause.KILLED), "user"]


async def test_watching_an_actor_that_has_ended(system: ActorSystem, journal: Journal) -> None:
    system.spawn("child", journal.probe).kill()
    watcher = system.spawn("watcher", journal.probe)
    watcher.tell(lambda me: [me.context.watch(address) for address in ("child", "nobody")])
    await system.wait_idle()
    assert journal.messages == [Terminated("child", Cause.KILLED), Terminated("nobody", Cause.UNKNOWN)]


async def test_a_restart_is_no_end(system: ActorSystem, journal: Journal) -> None:
    watcher = system.spawn("watcher", journal.probe)
    child = system.spawn("child", journal.probe, restart=RestartSpec(backoff_first_ms=0))
    watcher.tell(lambda me: me.context.watch("child"))
    child.tell(ValueError("boom"))
    await system.wait_idle()
    assert journal.messages == []
    child.kill()
    await system.wait_idle()
    assert journal.messages == [Terminated("child", Cause.KILLED)]


async def test_unwatch_takes_back_a_message_on_its_way(system: ActorSystem, journal: Journal) -> None:
    watcher = system.spawn("watcher", journal.probe)
    child = system.spawn("child", journal.probe)
    other = system.spawn("other", journal.probe)
    watcher.tell(lambda me: [me.context.watch(address) for address in ("child", "other")])
    await system.wait_idle()
    watcher.signal(lambda me: [child.kill(), other.kill(), me.context.unwatch("child")])
    await system.wait_idle()
    assert journal.messages == [Terminated("other", Cause.KILLED)]


async def test_unwatch_in_time(system: ActorSystem, journal: Journal) -> None:
    watcher = system.spawn("watcher", journal.probe)
    child = system.spawn("child", journal.probe)
    watcher.tell(lambda me: [me.context.watch("child"), me.context.unwatch("child"), me.context.unwatch("nobody")])
    await system.wait_idle()
    child.kill()
    await system.wait_idle()
    assert journal.messages == []
    assert system.actor_statistics("child").watchers == 0


async def test_a_watch_ends_with_the_life_of_the_watcher(system: ActorSystem, journal: Journal) -> None:
    watcher = system.spawn("watcher", journal.probe, restart=RestartSpec(backoff_first_ms=0))
    child = system.spawn("child", journal.probe)
    watcher.tell(lambda me: me.context.watch("child"))
    watcher.tell(ValueError("boom"))
    await system.wait_idle()
    child.kill()
    await system.wait_idle()
    assert journal.messages == []


async def test_the_watched_actor_is_not_made_for_it(system: ActorSystem, journal: Journal) -> None:
    system.define("probe", journal.probe)
    watcher = system.spawn("watcher", journal.probe)
    watcher.tell(lambda me: me.context.watch("probe:a"))
    await system.wait_idle()
    assert journal.born == ["watcher"]
    system.ref("probe:a").stop()
    await system.wait_idle()
    assert journal.messages == [Terminated("probe:a", Cause.STOPPED)]
