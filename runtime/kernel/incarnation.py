"""One life of an actor: its behaviour between an activation and the next crash, passivation or stop.

It is also the :class:`~wakeward.actors.port.Context` which that behaviour was given. So what a behaviour holds is good
for its own life only: after a restart, a closure that survived it can neither arm a timer nor stop its successor.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, cast, final

from attrs import define
from loguru import logger

from ...protocols.receipt import ACCEPTED, Receipt, Refusal
from . import watch
from .timers import Alarm, Timer

if TYPE_CHECKING:
    from .cell import Cell
    from .handling import Turn


def _not_yet(_message: Any) -> object:
    raise AssertionError("the factory has not returned yet")


@final
@define(eq=False, repr=False, weakref_slot=False)
class Incarnation:
    """See the port for what a behaviour may call; the attributes are the kernel's."""

    cell: Cell
    behaviour: Any = None
    receive: Callable[[Any], object] = _not_yet
    timers: Timer | dict[Hashable, Timer] | None = None
    watching: dict[Cell, None] | None = None
    turn: Turn | None = None
    idle_from_ms: int = 0
    nap: Alarm | None = None
    over: bool = False

    def __repr__(self) -> str:
        return f"<Context of {self.cell.address}>"

    @property
    def address(self) -> str:
        """The actor's own address."""
        return self.cell.address

    def now_ms(self) -> int:
        """The system's timeline."""
        return self.cell.kernel.clock.now_ms()

    def tell(self, to: str, message: object) -> Receipt:
        """Send a message, attributed to this actor."""
        kernel = self.cell.kernel
        cell = kernel.cells.get(to) or kernel.resolve(to)
        if cell is None:
            kernel.bury_unknown(to, message, self.cell)
            return Receipt(Refusal.UNKNOWN, f"{to}: no such actor, and no such kind among {kernel.kind_names()}")
        queue = cell.queue
        if queue is not None and len(queue) < cell.room:
            queue.extend((message, self.cell))
            return ACCEPTED
        return cell.offer(message, self.cell)

    def signal(self, to: str, message: object) -> None:
        """Send a message by the control lane."""
        kernel = self.cell.kernel
        cell = kernel.cells.get(to) or kernel.resolve(to)
        if cell is None:
            kernel.bury_unknown(to, message, self.cell)
        else:
            cell.signal(message, self.cell)

    def save(self, owner: str, record: object) -> None:
        """Hand a record over at once."""
        self.cell.kernel.record(owner, record)

    def emit(self, op: int, a: Any = None, b: Any = None, c: Any = None) -> None:
        """Perform an operation of the host at once."""
        self.cell.kernel.perform[op](self.address, a, b, c)

    def set_timer(self, key: Hashable, at_ms: int, message: object) -> None:
        """Arm, or arm again. Nothing happens when this life is over."""
        if not self.over:
            self.cell.kernel.timers.arm(self, key, at_ms, message)

    def cancel_timer(self, key: Hashable) -> None:
        """Disarm; a tick on its way does not arrive."""
        timer = self.find_timer(key)
        if timer is not None:
            self.release_timer(timer)
            self.cell.kernel.timers.disarm(timer)

    def watch(self, address: str) -> None:
        """Be told of that actor's end."""
        if not self.over:
            watch.watch(self, address)

    def unwatch(self, address: str) -> None:
        """Take that back."""
        watch.unwatch(self, address)

    def stop(self) -> None:
        """Finish what was accepted, then end."""
        if not self.over:
            self.cell.kernel.stop_own(self.cell)

    # The timers by key: most actors have one at most, and a dict of one is 232 bytes.

    def find_timer(self, key: Hashable) -> Timer | None:
        """The timer under ``key``: armed, or with its tick on the way."""
        timers = self.timers
        if timers is None:
            return None
        if isinstance(timers, Timer):
            return timers if timers.key == key else None
        return timers.get(key)

    def hold_timer(self, timer: Timer) -> None:
        """Put a timer under its key."""
        timers = self.timers
        if timers is None:
            self.timers = timer
        elif isinstance(timers, Timer):
            self.timers = timer if timers.key == timer.key else {timers.key: timers, timer.key: timer}
        else:
            timers[timer.key] = timer

    def release_timer(self, timer: Timer) -> bool:
        """Take a timer off its key. False when it is not there (any more)."""
        if self.find_timer(timer.key) is not timer:
            return False
        if isinstance(self.timers, dict):
            del self.timers[timer.key]
        else:
            self.timers = None
        return True

    def all_timers(self) -> list[Timer]:
        """Every timer, in the order of first arming."""
        timers = self.timers
        if timers is None:
            return []
        return [timers] if isinstance(timers, Timer) else list(timers.values())

    def end(self) -> None:
        """Let go of everything that belongs to this life."""
        self.over = True
        kernel = self.cell.kernel
        for timer in self.all_timers():
            kernel.timers.disarm(timer)
        self.timers = None
        if self.nap is not None:
            kernel.timers.disarm(self.nap)
        watch.unwatch_all(self)

    def on_stop(self) -> None:
        """Call the behaviour's ``on_stop``, if it has one. Its failure is logged and changes nothing."""
        hook = cast("Callable[[], None] | None", getattr(self.behaviour, "on_stop", None))
        if hook is None:
            return
        try:
            hook()
        except Exception as error:  # noqa: BLE001  it ends anyway
            logger.opt(exception=error).error("on_stop of {} failed", self.address, actor=self.address)
