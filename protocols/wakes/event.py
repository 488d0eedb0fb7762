"""An event: a line of text for one session. Also where its answer goes, and how a turn is shown it.

Text from outside is data. A prompt tells our own lines from the lines of others by how they begin. So the defence has
two parts (OpenClaw issues 21656, 30448, 62659, 94524):

- :func:`render_events` treats as a line end whatever any reader might treat as one, and puts a prefix before *every*
  line. So a text cannot begin a line of its own, whatever it contains. No text can get round this part.
- :func:`sanitize` changes what imitates a marker within the text: ``System:`` first in a line, ``[System Message]``,
  ``<|im_start|>`` and so on, also in full-width or accented letters or with invisible characters between them. This
  part is for readers who join texts without the prefixes. Look-alike letters of other alphabets are left alone; against
  them, only the prefixes protect.

A text that imitates nothing stays as it is, except for control characters. The patterns in :mod:`.untrusted` use
possessive quantifiers, so that a hostile text costs linear time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, final

from attrs import field, frozen

from ..values.ecmascript import es_trim
from ..values.value_class import value_class
from .untrusted import LINE_END, sanitize


def _optional_text(value: str | None) -> str | None:
    return (es_trim(value) or None) if value else None


_CHANNEL_ALIASES: Final = {
    # Recorded: two names of one channel must not look like two channels when routes are merged.
    "gchat": "googlechat",
    "google-chat": "googlechat",
    "imsg": "imessage",
    "internet-relay-chat": "irc",
    "lark": "feishu",
    "nc": "nextcloud-talk",
    "nc-talk": "nextcloud-talk",
    "teams": "msteams",
    "twitch-chat": "twitch",
    "zl": "zalo",
    "zlu": "zalouser",
}
"""Other names of the channels that OpenClaw ships. An unknown channel keeps its name."""


def _channel(value: str | None) -> str | None:
    name = _optional_text(value)
    return None if name is None else _CHANNEL_ALIASES.get(name.lower(), name.lower())


_ACCOUNT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII | re.IGNORECASE)
_UNUSABLE_ACCOUNT_IDS: Final = frozenset({"__proto__", "prototype", "constructor"})
"""OpenClaw keeps accounts in JavaScript objects, where these names have a meaning, and refuses them."""


def _account_id(value: str | None) -> str | None:
    name = _optional_text(value)
    if name is None:
        return None
    account_id = name.lower()
    if not _ACCOUNT_ID.fullmatch(name):
        account_id = re.sub(r"[^a-z0-9_-]+", "-", account_id).strip("-")[:64]
        if not _ACCOUNT_ID.fullmatch(account_id):
            # The cut at 64 characters can leave a dash at the end, and normalising twice must change nothing.
            account_id = account_id.rstrip("-")
    return None if account_id in _UNUSABLE_ACCOUNT_IDS else account_id or None


def _thread_id(value: float | str | None) -> int | str | None:
    if isinstance(value, str):
        return _optional_text(value)
    # Cut to a whole number, as JavaScript's Math.trunc; NaN and infinity name no thread.
    return math.trunc(value) if value is not None and math.isfinite(value) else None


def _thread_text(value: int | str | None) -> str:
    return "" if value is None else str(value)


@final
@frozen
class DeliveryContext:
    """Where an answer goes. It is normalised when it is made, and falsy when it names nothing.

    Attributes:
        channel: The channel (``telegram``), in lower case; an alias is replaced by the channel's name.
        to: The peer, by the channel's own name for it. Only white space around it is removed.
        account_id: Which of our accounts on that channel: lower case, ``a-z 0-9 _ -``, at most 64 characters.
        thread_id: The thread, a number or a text as it came; 5 and ``"5"`` are the same thread.
    """

    channel: str | None = field(default=None, converter=_channel)
    to: str | None = field(default=None, converter=_optional_text)
    account_id: str | None = field(default=None, converter=_account_id)
    # Kept as it came, a number or a text; compared as text, because 5 and "5" are one thread.
    thread_id: int | str | None = field(default=None, converter=_thread_id, eq=_thread_text)

    def __bool__(self) -> bool:
        return not (self.channel is self.to is self.account_id is self.thread_id is None)


def merge_delivery(first: DeliveryContext | None, fallback: DeliveryContext | None) -> DeliveryContext | None:
    """Fill the gaps of one route from another.

    If the two name different channels, or different accounts, nothing is taken over: a peer or a thread of one channel
    means nothing on another. Returns ``None`` if neither names anything.
    """
    if not first or not fallback:
        return first or fallback or None
    if _differ(first.channel, fallback.channel) or _differ(first.account_id, fallback.account_id):
        return first
    return DeliveryContext(
        channel=first.channel or fallback.channel,
        to=first.to or fallback.to,
        account_id=first.account_id or fallback.account_id,
        # Not `or`: 0 is a thread.
        thread_id=fallback.thread_id if first.thread_id is None else first.thread_id,
    )


def _differ(left: str | None, right: str | None) -> bool:
    return left is not None and right is not None and left != right


@final
@value_class
class Event:
    """A line of text for the queue of one session. The queue makes it, and trims and normalises its parts.

    Attributes:
        id: A number that its agent gives; a session's events are shown in this order.
        session_key: The session in whose queue it is.
        context_key: What it is about (``exec:1``), trimmed and in lower case. The queue looks for repeats within it.
        source: Who says it (``exec-event``).
        trusted: Whether the text may appear as our own. Text from outside may not.
        accepted_at_ms: The instant of acceptance, on the host's timeline.
        delivery: Where an answer to it goes.
        redelivered: Whether an earlier turn may have been shown it and did not complete.
        failed_turns: How many turns that were shown it have failed.
        job_id: The job whose exit it tells, where it does.
    """

    id: int
    session_key: str
    text: str
    context_key: str | None
    source: str
    trusted: bool
    accepted_at_ms: int
    delivery: DeliveryContext | None
    redelivered: bool = False
    failed_turns: int = 0
    job_id: str | None = None

    @property
    def safe_text(self) -> str:
        """The text in the form that a prompt may show: sanitized, unless it is our own."""
        return self.text if self.trusted else sanitize(self.text)


def resolve_delivery(events: Iterable[Event]) -> DeliveryContext | None:
    """Where the answer to these events goes: the route of the last one, with gaps filled from those before it."""
    resolved: DeliveryContext | None = None
    for event in events:
        # The later event goes first: where the two differ in channel or account it wins whole, as recorded.
        resolved = merge_delivery(event.delivery, resolved)
    return resolved


def render_events(events: Iterable[Event], *, dropped_count: int = 0, waiting_count: int = 0) -> str:
    """The lines that show a turn its events. Every line has a prefix, so that no text can imitate one.

    Args:
        events: The events in the order in which they are shown.
        dropped_count: How many earlier events the session dropped at its bound, without showing them to a turn.
        waiting_count: How many more events wait for the next turn.
    """
    lines: list[str] = []
    if dropped_count:
        lines.append(f"{_OURS}{_counted(dropped_count, 'earlier event')} dropped: the queue was full")
    for event in events:
        # By the mark of the event and never by its text, which can claim anything.
        prefix = _OURS if event.trusted else _THEIRS
        mark = "[shown before] " if event.redelivered else ""
        # Our own text is not sanitized, so every kind of line end can still be in it.
        first, *more = LINE_END.split(event.safe_text)
        lines.append(prefix + mark + first)
        lines.extend(prefix + line for line in more)
    if waiting_count:
        lines.append(f"{_OURS}{_counted(waiting_count, 'more event')} left for the next turn")
    return "\n".join(lines)


_OURS: Final = "System: "
_THEIRS: Final = "System (untrusted): "


def _counted(count: int, noun: str) -> str:
    return f"1 {noun} was" if count == 1 else f"{count} {noun}s were"
