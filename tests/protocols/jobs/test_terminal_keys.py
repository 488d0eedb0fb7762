from __future__ import annotations

import pytest
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.name import new_job_id
from wakeward.protocols.jobs.terminal_keys import encode_keys, encode_paste


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("enter", b"\r"),
        ("Tab", b"\t"),
        ("S-tab", b"\x1b[Z"),
        ("btab", b"\x1b[Z"),
        ("C-c", b"\x03"),
        ("^D", b"\x04"),
        ("C-?", b"\x7f"),
        ("C-[", b"\x1b"),
        ("M-x", b"\x1bx"),
        ("C-M-x", b"\x1b\x18"),
        ("S-a", b"A"),
        ("M-enter", b"\x1b\r"),
        ("up", b"\x1b[A"),
        ("C-left", b"\x1b[1;5D"),
        ("S-M-right", b"\x1b[1;4C"),
        ("home", b"\x1b[1~"),
        ("C-delete", b"\x1b[3;5~"),
        ("f1", b"\x1bOP"),
        ("f5", b"\x1b[15~"),
        ("f12", b"\x1b[24~"),
        ("x", b"x"),
        ("é", "é".encode()),
        ("-", b"-"),
        ("^", b"^"),
    ],
)
def test_keys(key: str, data: bytes) -> None:
    assert encode_keys((key,)) == data


@pytest.mark.parametrize("key", ["", "nokey", "C-nokey", "C-1", "^1", "f13"])
def test_a_key_that_does_not_exist_is_named(key: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        encode_keys(["enter", key])
    assert repr(key) in str(caught.value)


def test_a_paste_is_marked_as_one() -> None:
    assert encode_paste("a\nb") == b"\x1b[200~a\nb\x1b[201~"


def test_a_job_id_is_free_even_when_all_short_ones_are_taken() -> None:
    drawn = iter(range(10**9))
    job_id = new_job_id(lambda count: next(drawn) % count, lambda name: name.count("-") < 2 or name[-1] != "7")
    assert job_id.endswith("7")
