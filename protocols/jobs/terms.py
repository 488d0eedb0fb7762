"""Makes the contract of a job, which says where its notice goes. This is decided once, when the job starts.

The notice does not always go to the session that started the job, because an event in a queue that no turn reads would
be lost. The routing function (:func:`~..sessions.locate.locate`) sends the notice of a cron run's job to the agent's
main session, and refuses a session that nobody owns. A reload of the configuration does not redirect running jobs.
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
    """Make the contract of a job that ``owner`` starts. The other fields are those of :class:`~.record.Contract`.

    Args:
        owner: What ``locate`` found for the session that starts it.
        delivery: Where an answer goes. A delivery context that names nothing counts as none.
        source: The source of the notice.
        notify_on_exit: Whether the exit is told at all.
        notify_on_empty_success: Whether a success without output is told.
    """
    return Contract(
        agent_id=owner.agent_id,
        session_key=owner.session_key,
        # The parent of a subagent waits for it already (openclaw#66748).
        wakes=not is_subagent(owner.session_key),
        delivery=delivery or None,
        source=source,
        notify_on_exit=notify_on_exit,
        notify_on_empty_success=notify_on_empty_success,
    )
