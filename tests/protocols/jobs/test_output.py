from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.output import (
    POLL_MAX_BYTES,
    LogPage,
    NewOutput,
    OutputBuffer,
    OutputReader,
    TextView,
    missing_line,
    page_lines,
)
from wakeward.protocols.jobs.terminal_output import TerminalSanitizer, show_controls
from wakeward.protocols.values.ecmascript import utf16_tail


def filled(*pieces: bytes, head: int = 8, tail: int = 8) -> OutputBuffer:
    buffer = OutputBuffer(head, tail)
    for piece in pieces:
        buffer.append(piece, 1)
    return buffer


@given(st.lists(st.binary(max_size=40)), st.integers(0, 30), st.integers(1, 30), st.integers(0, 200))
def test_head_and_tail_are_kept_and_the_rest_is_counted(pieces: list[bytes], head: int, tail: int, start: int) -> None:
    whole = b"".join(pieces)
    buffer = filled(*pieces, head=head, tail=tail)
    kept = whole[:head], whole[head:][-tail:]
    assert buffer.total_bytes == len(whole)
    assert buffer.kept_bytes == len(kept[0]) + len(kept[1]) <= head + tail
    extent = buffer.read(min(start, len(whole)))
    shown = extent.data + extent.rest
    skipped = extent.missing_before + extent.missing_between
    assert len(shown) + skipped == len(whole) - min(start, len(whole))
    assert whole.endswith(shown) if not extent.rest else whole.endswith(extent.rest)


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans())), st.integers(0, 30), st.integers(1, 60))
def test_polls_show_each_byte_at_most_once_and_count_the_others(
    steps: list[tuple[bytes, bool]], head: int, tail: int
) -> None:
    buffer = OutputBuffer(head, tail)
    reader = OutputReader(buffer)
    whole, seen, omitted = b"", "", 0
    for piece, poll in [*steps, (b"", True)]:
        ascii_piece = bytes(byte % 26 + 97 for byte in piece)
        buffer.append(ascii_piece, 0)
        whole += ascii_piece
        if poll:
            new = reader.read_new()
            seen += new.text
            omitted += new.omitted_bytes
    assert len(seen) + omitted == len(whole)
    assert not reader.has_news
    if not omitted:
        assert seen.encode() == whole


def test_one_poll_shows_a_bounded_amount_and_says_what_it_left_out() -> None:
    reader = OutputReader(filled(b"a" * (POLL_MAX_BYTES + 5), head=50_000, tail=50_000))
    assert reader.read_new() == NewOutput("a" * POLL_MAX_BYTES, 5)
    assert reader.read_new() == NewOutput("")


def test_a_character_that_comes_in_two_polls_is_shown_whole() -> None:
    buffer = OutputBuffer(0, 100)
    reader = OutputReader(buffer)
    euro = "€".encode()
    buffer.append(b"a" + euro[:1], 0)
    assert reader.read_new().text == "a"
    buffer.append(euro[1:], 0)
    assert reader.read_new().text == "€"
    buffer.append(euro[:2], 0)
    assert reader.read_new(final=True).text == "�"


def test_a_gap_does_not_tear_a_character() -> None:
    text = filled(("é" * 100).encode(), head=0, tail=9).text()
    assert text == f"{missing_line(191)}\n" + "é" * 4
    reader = OutputReader(filled(("é" * 100).encode(), head=0, tail=9))
    assert reader.read_new() == NewOutput("é" * 4, 191)


def test_a_truncated_text_says_so_between_head_and_tail() -> None:
    assert filled(b"0123456789abcdefghij").text() == "01234567\n[4 bytes of output not kept]\ncdefghij"


def test_the_tail_is_measured_in_utf16_units_of_what_is_readable() -> None:
    buffer = filled(b"one \x1b[31mtwo\x1b[0m ", "😀😀".encode(), head=0, tail=100)
    assert buffer.tail_text(3) == "😀"
    assert buffer.tail_text(8) == "two 😀😀"


def test_a_listener_hears_every_output() -> None:
    buffer = OutputBuffer(1, 1)
    heard: list[int] = []
    buffer.listener = lambda: heard.append(buffer.total_bytes)
    buffer.append(b"ab", 5)
    assert heard == [2]
    assert buffer.last_output_ms == 5


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m plain", "red plain"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b(Btext\x1b7\x1b8\x1b=", "text"),
        ("\x9b31mc1 csi\x9d0;t\x9cx", "c1 csix"),
        ("a\x1b[2\n3mb", "a\nb"),
        ("a\x1b[3\x18b", "ab"),
        ("a\x1b[3\x1b[0mb", "ab"),
        ("a\x00b\x07c\x7f", "a\\x00b\\x07c\\x7f"),
        ("tab\there\r\nline\n", "tab\there\r\nline\n"),
        ("abc\u202edef\u200bghi\ufeff", "abcdefghi"),
        ("unfinished\x1b[3", "unfinished"),
    ],
)
def test_control_sequences_vanish_and_other_controls_become_visible(raw: str, shown: str) -> None:
    assert TerminalSanitizer().feed(raw) == shown


@given(st.text(alphabet="ab\x1b[]3;m\x07\\\x18\x9b\x9d\x9cP(\n", max_size=30), st.integers(0, 30))
def test_where_a_stream_is_cut_makes_no_difference(text: str, cut: int) -> None:
    parts = TerminalSanitizer()
    assert parts.feed(text[:cut]) + parts.feed(text[cut:]) == TerminalSanitizer().feed(text)


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_where_bytes_are_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    view = TextView()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [view.feed(data[a:b]) for a, b in pairwise(edges)]
    whole = TextView()
    assert "".join(pieces) + view.finish() == whole.feed(data) + whole.finish()


@given(st.text())
def test_no_control_and_no_format_character_is_left(text: str) -> None:
    shown = show_controls(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in shown if char not in "\t\r\n")


@pytest.mark.parametrize(
    ("offset", "limit", "page"),
    [
        (None, None, LogPage("a\nb\nc", 0, 3)),
        (None, 2, LogPage("b\nc", 1, 3)),
        (1, 1, LogPage("b", 1, 3)),
        (1, None, LogPage("b\nc", 1, 3)),
        (9, 5, LogPage("", 9, 3)),
        (-4, 1, LogPage("a", 0, 3)),
        (None, 0, LogPage("", 3, 3)),
    ],
)
def test_pages_of_a_log(offset: int | None, limit: int | None, page: LogPage) -> None:
    assert page_lines("a\r\nb\nc\n", offset=offset, limit=limit) == page


COLOURED, WIDE, LONG = b"\x1b[31mred\x1b[0m plain\n", b"caf\xc3\xa9 \xf0\x9f\x98\x80\n", b"x" * 700 + b"\n"
LINES = st.lists(st.sampled_from([COLOURED, WIDE, LONG, b"\r\n", b"\x1b]0;title\x07", b"\x00", b"\xff\x1b[3"]))


@given(LINES, st.integers(1, 400))
def test_the_end_of_a_long_output_reads_as_if_all_of_it_had_been_read(lines: list[bytes], times: int) -> None:
    buffer = OutputBuffer(1_000, 50_000)
    for _ in range(times):
        buffer.append(b"".join(lines), 0)
    assert buffer.tail_text(2_000) == utf16_tail(buffer.text(), 2_000)


def test_a_line_without_end_is_read_in_whole() -> None:
    buffer = OutputBuffer(0, 100_000)
    buffer.append(b"\n" + b"\x1b[31mx" * 10_000, 0)
    assert buffer.tail_text(2_000) == "x" * 2_000
