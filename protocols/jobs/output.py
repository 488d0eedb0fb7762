"""The output of a child: kept within a bound, and made readable when somebody reads it.

Bytes are kept raw: the beginning and the end of the stream, each up to its bound, with the count of what was dropped
between them. They are decoded and sanitised only when somebody reads, and then the text is bounded. So a child that
writes a gigabyte costs copies of bytes and no more. Offsets are absolute: they count from the first byte that was
written. So "new since the last poll" is exact even if a part of it was dropped.

Two streams that feed one buffer would lose their order. That is why stderr shares stdout's pipe by default.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final, final

from attrs import frozen

from ..values.ecmascript import utf16_len, utf16_tail
from .terminal_output import TerminalSanitizer

POLL_MAX_BYTES: Final = 30_000
"""How much one poll shows. Older output is only counted in the poll; the log still shows it."""

TAIL_PIECES_BYTES: Final = (4_096, 16_384)
"""How much of the end of the output is sanitised to find its last characters, before all of it is."""

TAIL_MARGIN_UNITS: Final = 1_000


@final
class OutputBuffer:
    """The head and the tail of a byte stream. ``append`` is the hot path."""

    __slots__ = ("_head", "_head_max", "_tail", "_tail_max", "last_output_ms", "listener", "total_bytes")

    def __init__(self, head_max_bytes: int, tail_max_bytes: int) -> None:
        """Keep the first ``head_max_bytes`` and the last ``tail_max_bytes``."""
        self._head = bytearray()
        self._tail = bytearray()
        self._head_max = head_max_bytes
        self._tail_max = tail_max_bytes
        self.total_bytes = 0
        self.last_output_ms: int | None = None
        self.listener: Callable[[], None] | None = None

    def append(self, data: bytes | bytearray | memoryview, now_ms: int) -> None:
        """Add bytes that the child has written. They are copied, so the caller may use ``data`` again."""
        self.total_bytes += len(data)
        self.last_output_ms = now_ms
        # Stored before the listener is called, because a listener may read at once.
        self._store(data)
        if self.listener is not None:
            self.listener()

    def _store(self, data: bytes | bytearray | memoryview) -> None:
        room = self._head_max - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        # One piece can be larger than the whole tail. Its beginning is then never copied.
        if len(data) >= self._tail_max:
            self._tail[:] = data[len(data) - self._tail_max :]
            return
        self._tail += data
        excess = len(self._tail) - self._tail_max
        if excess > 0:
            del self._tail[:excess]

    @property
    def kept_bytes(self) -> int:
        """How much memory the content takes."""
        return len(self._head) + len(self._tail)

    @property
    def dropped_bytes(self) -> int:
        """How much was dropped between head and tail."""
        return self.total_bytes - self.kept_bytes

    def read(self, start: int, max_bytes: int | None = None) -> Extent:
        """The kept bytes from the absolute offset ``start`` on, but no byte further than ``max_bytes`` from the end."""
        # When not all fits, the end is what is shown.
        first = start if max_bytes is None else max(start, self.total_bytes - max_bytes)
        tail_at = self.total_bytes - len(self._tail)
        head_end = len(self._head)
        if first >= head_end or tail_at == head_end:
            return self._contiguous(start, first, tail_at)
        # The gap lies inside what was asked for, so the reader has to start afresh after it.
        data = bytes(self._head[first:]), bytes(self._tail)
        return Extent(data[0], data[1], missing_before=first - start, missing_between=self.dropped_bytes)

    def _contiguous(self, start: int, first: int, tail_at: int) -> Extent:
        # Nothing was dropped: head and tail are one run of bytes, and a character may lie across the two.
        if tail_at == len(self._head):
            data = bytes(self._head[first:]) + bytes(self._tail[max(0, first - tail_at) :])
            return Extent(data, b"", missing_before=first - start, missing_between=0)
        begin = max(first, tail_at)
        return Extent(bytes(self._tail[begin - tail_at :]), b"", missing_before=begin - start, missing_between=0)

    def text(self) -> str:
        """All that is kept, decoded and sanitised, with a line that says what is missing in the middle."""
        extent = self.read(0)
        head, tail = _readable(extent)
        missing = extent.missing_before + extent.missing_between
        if not missing:
            return head
        return f"{head}\n{missing_line(missing)}\n{tail}" if head else f"{missing_line(missing)}\n{tail}"

    def tail_text(self, max_units: int) -> str:
        """The last ``max_units`` UTF-16 code units of the sanitised output, no character split.

        Never more than the kept tail, or, where nothing was lost, all of it.
        """
        # To sanitise all that is kept takes 58 ms for 200 kB with colours, so less is tried first. A control sequence
        # through which the cut goes leaves a remnant at the start of the piece; the margin is for that.
        for size in TAIL_PIECES_BYTES:
            extent = self.read(max(0, self.total_bytes - size))
            if self.total_bytes > size and not extent.missing_between:
                # _whole: the cut may go through a character, whose last bytes alone would be shown as U+FFFD.
                view = TextView()
                text = view.feed(_whole(extent.data)) + view.finish()
                if utf16_len(text) >= max_units + TAIL_MARGIN_UNITS:
                    return utf16_tail(text, max_units)
        head, tail = _readable(self.read(0))
        return utf16_tail(tail or head, max_units)


def _readable(extent: Extent) -> tuple[str, str]:
    """The text before the gap and the text after it. Without a gap, all text is in the first one."""
    before, after = (b"", extent.data) if extent.missing_before else (extent.data, extent.rest)
    view = TextView()
    head = view.feed(before)
    if not extent.missing_before and not extent.missing_between:
        return head + view.finish(), ""
    # A sequence that the gap has cut must not swallow the text after it.
    head += view.restart()
    return head, view.feed(_whole(after)) + view.finish()


@final
@frozen
class Extent:
    """Kept bytes: one run, or two with a gap between them.

    Attributes:
        missing_before: Bytes skipped before ``data``.
        missing_between: Bytes lost between ``data`` and ``rest``.
    """

    data: bytes
    rest: bytes
    missing_before: int
    missing_between: int


@final
class TextView:
    """Turns bytes into readable text, piece by piece. A character or control sequence may span two pieces."""

    def __init__(self) -> None:
        # Incremental, because a poll can end within a character; "replace", because output may be any bytes.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._terminal = TerminalSanitizer()

    def feed(self, data: bytes) -> str:
        """The text of ``data``; an unfinished character or sequence at its end waits for the rest."""
        return self._terminal.feed(self._decoder.decode(data))

    def finish(self) -> str:
        """The text of what still waited. Invalid UTF-8 becomes U+FFFD."""
        return self._terminal.feed(self._decoder.decode(b"", final=True))

    def restart(self) -> str:
        """Like :meth:`finish`, but the view can be used again, for bytes after a gap."""
        rest = self.finish()
        self._decoder.reset()
        self._terminal = TerminalSanitizer()
        return rest


@final
class OutputReader:
    """Reads the new output of a buffer, poll by poll. Each byte is shown at most once."""

    def __init__(self, buffer: OutputBuffer) -> None:
        self._buffer = buffer
        self._offset = 0
        self._view = TextView()

    @property
    def has_news(self) -> bool:
        """Whether bytes have come since the last read."""
        return self._offset < self._buffer.total_bytes

    def read_new(self, *, final: bool = False) -> NewOutput:
        """The output since the last read; if it is longer than :data:`POLL_MAX_BYTES`, the end of it.

        Args:
            final: No more output will come, so an unfinished character is shown as U+FFFD.
        """
        extent = self._buffer.read(self._offset, POLL_MAX_BYTES)
        # To the end, also past what is left out: no later poll shows bytes that are older than these.
        self._offset = self._buffer.total_bytes
        text = ""
        if extent.missing_before:
            text = self._view.restart() + self._view.feed(_whole(extent.data))
        else:
            text = self._view.feed(extent.data)
        if extent.missing_between:
            text += self._view.restart() + self._view.feed(_whole(extent.rest))
        if final:
            text += self._view.finish()
        return NewOutput(text, extent.missing_before + extent.missing_between)


@final
@frozen
class NewOutput:
    """What one poll shows, and how many bytes it had to leave out."""

    text: str
    omitted_bytes: int = 0


@final
@frozen
class LogPage:
    """Some lines of the kept output, and how many there are."""

    text: str
    first_line: int
    line_count: int


def page_lines(text: str, *, offset: int | None = None, limit: int | None = None) -> LogPage:
    """Lines ``offset`` to ``offset + limit``; without an offset the last ``limit`` lines.

    A range outside the text gives an empty page.
    """
    # Not splitlines: it also splits at U+2028 and others, and line numbers would not be those of other tools.
    lines = text.replace("\r\n", "\n").split("\n")
    # A line end closes its line, and does not begin an empty one.
    if lines[-1] == "":
        lines.pop()
    count = len(lines)
    first = max(0, offset) if offset is not None else max(0, count - max(0, limit if limit is not None else count))
    end = count if limit is None else first + max(0, limit)
    return LogPage("\n".join(lines[first:end]), first, count)


def missing_line(count: int) -> str:
    """The line that stands for the gap between head and tail."""
    return f"[{count} bytes of output not kept]"


def _whole(data: bytes) -> bytes:
    """Remove the continuation bytes (at most three) of a character whose beginning is gone."""
    # A character has at most four bytes, of which three continue it. Four in a row are no UTF-8, and stay as they are.
    for index in range(min(4, len(data))):
        if data[index] & 0xC0 != 0x80:
            return data[index:]
    return data
