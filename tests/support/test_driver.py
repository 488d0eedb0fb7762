"""The driver keeps the promises of the port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field
from support.driver import STEPS_MAX, Driver
from support.driver_context import DeadLetter
from wakeward.protocols.actor import HOST_OPS, STOP, TELL, Cause, Context, Terminated
from wakeward.protocols.journal.port import CommitOutcome
from wakeward.protocols.receipt import Refusal


class Calls(tuple[tuple[Any, ...], ...]):
    """A message: the methods of the context that are to be called, with their arguments."""

    __slots__ = ()


@define(eq=False)
class Scripted:
    """Calls what it is told to call, and notes every other message."""

    context: Context
    seen: list[Any] = field(factory=list[Any])

    def receive(self, message: object) -> None:
        if not isinstance(message, Calls):
            self.seen.append(message)
            return
        for name, *arguments in message:
            getattr(self.context, name)(*arguments)

    def on_stop(self) -> None:
        self.context.tell("log", f"{self.context.address} stopped")


@define(eq=False)
class Counter:
    """Its state is the sum of its records."""

    context: Context
    total: int

    def receive(self, message: int) -> None:
        self.total += message
        self.context.save("counter", message)
        self.context.tell("log", self.total)
        assert self.total < 10, "too much"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def spawn(driver: Driver, *addresses: str) -> list[Any]:
    """Scripted actors that share one list of what they saw."""
    seen: list[Any] = []
    for address in addresses:
        driver.spawn(address, lambda context: Scripted(context, seen))
    return seen


def call(driver: Driver, to: str, *calls: tuple[Any, ...]) -> None:
    """Let an actor call these methods of its context, in one message."""
    driver.tell(to, Calls(calls))
    driver.run()


def counter(driver: Driver) -> list[Any]:
    driver.spawn("counter", lambda context: Counter(context, sum(driver.records["counter"])))
    return driver.listen("log")


def test_messages_are_handled_in_the_order_in_which_they_were_sent(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    assert all(driver.tell(to, message) for to, message in (("a", 1), ("b", 2), ("a", 3), ("b", 4)))
    driver.run()
    assert seen == [1, 2, 3, 4]


def test_the_control_lane_goes_ahead_within_one_actor(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    driver.tell("a", 1)
    driver.signal("a", "news")
    driver.tell("b", 3)
    driver.run()
    assert seen == ["news", 1, 3]


def test_a_message_that_raises_has_done_nothing() -> None:
    driver = Driver(contains_crashes=True)
    log = counter(driver)
    for number in (4, 7, 5):
        driver.tell("counter", number)
    driver.run()
    assert driver.records["counter"] == [4, 5]
    assert log == [4, 9]
    assert [(crash.address, crash.message) for crash in driver.crashes] == [("counter", 7)]
    assert driver.dead_letters == [DeadLetter("counter", 7, "crashed", "")]


def test_a_crash_leaves_run_unless_it_is_contained(driver: Driver) -> None:
    log = counter(driver)
    driver.tell("counter", 11)
    driver.tell("counter", 2)
    with pytest.raises(AssertionError, match="too much"):
        driver.run()
    driver.run()
    assert log == [2]


def test_records_are_committed_before_the_effects(driver: Driver) -> None:
    log = counter(driver)
    committed: list[tuple[str, list[object], list[Any]]] = []
    driver.on_commit = lambda owner, records: committed.append((owner, list(records), list(log)))
    driver.tell("counter", 3)
    driver.run()
    assert committed == [("counter", [3], [])]
    assert log == [3]
    assert driver.effects == [("counter", (TELL, "log", 3, None))]


def test_a_host_that_dies_between_commit_and_effects_has_its_records(driver: Driver) -> None:
    log = counter(driver)

    def die(_owner: str, _records: Sequence[object]) -> None:
        raise KeyboardInterrupt

    driver.on_commit = die
    driver.tell("counter", 3)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert log == []
    after = Driver(driver.now_ms, records=driver.records)
    counter(after)
    assert after.behaviour("counter").total == 3
    after.records["counter"].append(1)
    assert driver.records["counter"] == [3]


def test_what_is_not_committed_is_taken_back(driver: Driver) -> None:
    log = counter(driver)
    answers = [CommitOutcome.UNAVAILABLE, CommitOutcome.COMMITTED]
    driver.commit = lambda _owner, _records: answers.pop(0)
    driver.tell("counter", 3)
    driver.tell("counter", 2)
    driver.run()
    assert log == [2]
    assert driver.dead_letters == [DeadLetter("counter", 3, "unavailable", "")]


def test_one_message_saves_for_one_owner(driver: Driver) -> None:
    spawn(driver, "a")
    with pytest.raises(AssertionError, match="records of two owners"):
        call(driver, "a", ("save", "one", 1), ("save", "two", 2))
    assert driver.records == {}


def test_what_a_factory_asks_for_happens(driver: Driver) -> None:
    log = driver.listen("log")

    def factory(context: Context) -> Scripted:
        context.save("a", "born")
        context.tell("log", "hello")
        assert (driver.records["a"], log) == ([], [])
        return Scripted(context)

    driver.spawn("a", factory)
    assert (driver.records["a"], log) == (["born"], ["hello"])


def test_outside_a_message_things_happen_at_once(driver: Driver) -> None:
    spawn(driver, "a")
    log = driver.listen("log")
    driver.behaviour("a").receive(Calls([("save", "a", 1), ("tell", "log", "now")]))
    assert (driver.records["a"], log) == ([1], ["now"])


def test_operations_of_the_host_are_performed_in_order(driver: Driver) -> None:
    spawn(driver, "a")
    performed: list[tuple[Any, ...]] = []
    driver.perform[HOST_OPS] = lambda address, a, b, c: performed.append((address, a, b, c))
    call(driver, "a", ("emit", HOST_OPS, 1, 2, 3), ("emit", HOST_OPS + 1, "only noted"), ("emit", HOST_OPS, 4))
    assert performed == [("a", 1, 2, 3), ("a", 4, None, None)]
    assert [effect[0] for _, effect in driver.take_effects()] == [HOST_OPS, HOST_OPS + 1, HOST_OPS]
    assert driver.take_effects() == []


def test_an_operation_that_the_kernel_does_not_know_is_an_error(driver: Driver) -> None:
    spawn(driver, "a")
    with pytest.raises(AssertionError, match="unknown operation 7"):
        call(driver, "a", ("emit", STOP + 1))


def test_timers_fire_at_their_instant_in_the_order_of_arming(driver: Driver) -> None:
    seen = spawn(driver, "a")
    instants: list[int] = []
    armed = [("set_timer", key, at_ms, key) for key, at_ms in (("late", 20), ("x", 10), ("y", 10), ("gone", 5))]
    call(driver, "a", *armed, ("set_timer", "x", 10, "x again"), ("cancel_timer", "gone"))
    assert driver.timers("a") == {"late": 20, "x": 10, "y": 10}
    driver.at(10, lambda: instants.append(driver.now_ms))
    driver.advance(15)
    assert (seen, instants, driver.now_ms) == (["y", "x again"], [10], 15)
    driver.jump(30)
    driver.at(5, lambda: instants.append(driver.now_ms))
    driver.advance(0)
    assert instants == [10, 45]
    assert (seen, driver.now_ms) == (["y", "x again", "late"], 45)


def test_all_timers_that_are_due_fire_before_the_first_message(driver: Driver) -> None:
    seen = spawn(driver, "a")
    call(driver, "a", ("set_timer", "x", 10, Calls([("tell", "a", "z")])), ("set_timer", "y", 10, "y"))
    driver.advance(10)
    assert seen == ["y", "z"]


def test_a_timer_on_its_way_does_not_arrive_after_it_was_cancelled_or_armed_again(driver: Driver) -> None:
    seen = spawn(driver, "a")
    take_back = Calls((("cancel_timer", "cancelled"), ("set_timer", "again", 20, "fresh")))
    timers = (("first", take_back), ("cancelled", "cancelled"), ("again", "stale"))
    call(driver, "a", *(("set_timer", key, 10, message) for key, message in timers))
    driver.jump(10)
    driver.run()
    driver.advance(10)
    assert seen == ["fresh"]


def test_a_restart_keeps_the_mailbox_and_loses_timers_and_watches(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    call(driver, "a", ("set_timer", "t", 10, "lost"), ("watch", "b"))
    old = driver.behaviour("a")
    driver.tell("a", "kept")
    driver.restart("a")
    old.context.set_timer("late", 5, "of an earlier life")
    old.context.stop()
    driver.kill("b")
    driver.advance(20)
    assert driver.behaviour("a") is not old
    assert seen == ["kept"]
    assert driver.tell("a", "still taken")


def test_a_watcher_hears_of_an_end_once_ahead_of_other_messages(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    call(driver, "a", ("watch", "b"))
    driver.tell("a", "later")
    driver.kill("b")
    driver.run()
    assert seen == [Terminated("b", Cause.KILLED), "later"]
    spawn(driver, "b")
    driver.kill("b")
    driver.run()
    assert len(seen) == 2


@pytest.mark.parametrize(("ended", "cause"), [(True, Cause.KILLED), (False, Cause.UNKNOWN)])
def test_a_watcher_of_the_dead_hears_at_once(driver: Driver, cause: Cause, *, ended: bool) -> None:
    seen = spawn(driver, "a", "b")
    if ended:
        driver.kill("b")
    address = "b" if ended else "nobody"
    call(driver, "a", ("watch", address))
    assert seen == [Terminated(address, cause)]


def test_unwatch_takes_back_what_was_not_handled(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    call(driver, "a", ("watch", "b"))
    driver.kill("b")
    driver.behaviour("a").context.unwatch("b")
    driver.run()
    assert seen == []


def test_an_actor_that_stops_finishes_what_it_accepted(driver: Driver) -> None:
    seen = spawn(driver, "a")
    log = driver.listen("log")
    driver.tell("a", Calls([("stop",)]))
    driver.tell("a", "accepted")
    driver.run()
    assert (seen, log) == (["accepted"], ["a stopped"])
    assert driver.tell("a", "late").refusal is Refusal.STOPPED
    spawn(driver, "a")
    assert driver.tell("a", "to the next one")


def test_an_idle_actor_stops_at_once(driver: Driver) -> None:
    spawn(driver, "a")
    log = driver.listen("log")
    driver.stop("a")
    driver.run()
    assert log == ["a stopped"]


def test_what_waits_for_a_killed_actor_becomes_dead_letters(driver: Driver) -> None:
    spawn(driver, "a", "b")
    log = driver.listen("log")
    call(driver, "a", ("set_timer", "t", 10, "lost with its actor"), ("watch", "b"))
    driver.kill("b")
    driver.tell("a", 1)
    driver.signal("a", 2)
    driver.kill("a")
    driver.advance(20)
    assert [(letter.message, letter.reason) for letter in driver.dead_letters] == [(2, "killed"), (1, "killed")]
    assert log == []


def test_what_is_refused_becomes_a_dead_letter_that_names_the_sender(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")
    driver.refuse = lambda to, _message: Refusal.FULL if to == "b" else None
    call(driver, "a", ("tell", "b", 1), ("signal", "b", 2), ("tell", "nobody", 3))
    assert driver.dead_letters == [DeadLetter("b", 1, "full", "a"), DeadLetter("nobody", 3, "unknown", "a")]
    assert seen == [2]


def test_run_within_a_message_leaves_the_work_to_the_outer_one(driver: Driver) -> None:
    seen = spawn(driver, "a", "b")

    def tell_on(*_arguments: object) -> None:
        driver.tell("b", 2)
        driver.run()
        seen.append(1)

    driver.perform[HOST_OPS] = tell_on
    call(driver, "a", ("emit", HOST_OPS))
    assert seen == [1, 2]


def test_actors_that_never_rest_fail_the_test(driver: Driver) -> None:
    spawn(driver, "a")
    driver.perform[HOST_OPS] = lambda address, _a, _b, _c: driver.tell(address, Calls([("emit", HOST_OPS)]))
    with pytest.raises(AssertionError, match=f"still busy after {STEPS_MAX} messages"):
        call(driver, "a", ("emit", HOST_OPS))


def test_only_synchronous_actors_run_here(driver: Driver) -> None:
    class Wrong:
        def receive(self, message: object) -> object:
            return message

    driver.spawn("a", lambda _context: Wrong())
    driver.tell("a", 1)
    with pytest.raises(AssertionError, match="only synchronous actors"):
        driver.run()
