"""Makes the contract of a job: where its notice will go, decided once, when the job starts.

An event that nobody will drain is a lost event. So the session is not always the one that started the job: the one
routing function (:func:`~..sessions.locate.locate`) puts a cron run's on its agent's main session, and refuses a
session that nobody owns. A reload of the configuration does not redirect running jobs.
"""

from __future__ import annotations

from ..sessions.key import is_subagent
from ..sessions.locate import Location
from ..wakes.event import DeliveryContext
from ..wakes.wake import Source
from .record import Contract


def contract_for(
    owner: Location,
    *,
    delivery: DeliveryContext | None = None,
    source: Source = Source.EXEC_EVENT,
    notify_on_exit: bool = True,
    notify_on_empty_success: bool = False,
) -> Contract:
    """The terms of a job that ``owner`` starts; see :class:`~.record.Contract` for the rest.

    Args:
        owner: What ``locate`` found for the session that starts it.
        delivery: Where an answer goes; one that names nothing is none.
        source: Who says it.
        notify_on_exit: Whether the exit is told at all.
        notify_on_empty_success: Whether a success without output is told.
    """
    return Contract(
        agent_id=owner.agent_id,
        session_key=owner.session_key,
        wakes=not is_subagent(owner.session_key),
        delivery=delivery or None,
        source=source,
        notify_on_exit=notify_on_exit,
        notify_on_empty_success=notify_on_empty_success,
    )
