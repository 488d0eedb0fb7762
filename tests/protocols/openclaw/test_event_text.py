from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakeward.protocols.jobs.completion import parse_exec_completion
from wakeward.protocols.openclaw.event_text import (
    is_cron_event,
    is_exec_completion,
    is_noise,
    is_relayable_completion,
)


@pytest.mark.parametrize(
    "text",
    [
        "Exec completed (a, code +1)",
        "Exec completed (a, code \u0661)",  # digits are those of ASCII
        "Exec completed (\u212a9, code 0)",  # and so are letters
        "Exec completed (a, signal )",
        "Exec completed (a,code 0)",
        "Exec completed (a, code 0)\n:: x",
        f"Exec completed ({'a' * 65}, code 0)",
        "so Exec completed (a, code 0)",
    ],
)
def test_what_is_not_quite_a_completion_is_none(text: str) -> None:
    assert parse_exec_completion(text) is None
    assert not is_exec_completion(text)
    assert is_cron_event(text)


@pytest.mark.parametrize("text", ["Exec finished: x", "\ufeffexec FINISHED\u2003\n(node=n1)"])
def test_completions_of_nodes_are_free_in_form(text: str) -> None:
    assert is_exec_completion(text)
    assert is_relayable_completion(text)
    assert parse_exec_completion(text) is None


@pytest.mark.parametrize(
    ("text", "relayable"),
    [
        ("Exec completed (a, code 0)", False),
        ("Exec completed (a, code 00)", True),
        ("Exec failed (a, code 0)", True),
        ("Exec completed (a, code 0) :: out", True),
        ("Exec completed (a, code 1)", True),
        ("anything", False),
    ],
)
def test_only_a_silent_success_is_not_worth_telling(text: str, relayable: bool) -> None:
    assert is_relayable_completion(text) is relayable


@pytest.mark.parametrize(
    "text",
    [
        "NO_REPLY",
        "\u00a0no_reply NO_REPLY\n",
        "«NO_REPLY»…",
        '{"action": " NO_REPLY "}',
        '"NO_REPLY"',
        "<think>use the service</think> NO_REPLY",
        "<think>a</think>\n<thought>b</thought>I'll stay silent here. NO_REPLY",
        "<thinking>hm\nI will not reply.\nNO_REPLY",
        "Reasoning:\nprivate thoughts NO_REPLY",
        "analysis\nnobody asked\nWe have nothing to add. NO_REPLY",
        "HEARTBEAT_OK",
        "heartbeat_ok, all is well",
        "<b>HEARTBEAT_OK</b>",
        "a heartbeat poll",
        "[Heartbeat Wake]",
    ],
)
def test_noise(text: str) -> None:
    assert is_noise(text)
    assert not is_cron_event(text)


@pytest.mark.parametrize(
    "text",
    [
        "NO_REPLY needed",
        "thanks. NO_REPLY",
        '{"action": "NO_REPLY", "why": 1}',
        '["NO_REPLY", 1]',
        '{"action": "NO_REPLY"',
        '{"a":' * 100_000 + '"NO_REPLY"' + "}" * 100_000,
        "<think>hm</think> It is done. NO_REPLY",
        "<think>please try again\nI will stay silent NO_REPLY",
        "thinking: about it NO_REPLY",
        "HEARTBEAT_OKAY",
        "`HEARTBEAT_OK`",
        "status HEARTBEAT_OK",
        "Reminder: stand-up",
        "heartbeat  poll",
    ],
)
def test_what_says_something_is_not_noise(text: str) -> None:
    assert not is_noise(text)
    assert is_cron_event(text)


def test_markup_around_an_acknowledgement_is_nothing_and_punctuation_is_something() -> None:
    assert is_noise("<i>HEARTBEAT_OK&nbsp;HEARTBEAT_OK</i>")
    assert not is_noise("<i>HEARTBEAT_OK</i>.")
    assert not is_noise("**HEARTBEAT_OK****")
    assert is_noise("**HEARTBEAT_OK*****")  # too much to be punctuation, so it is markup
    assert is_noise("*HEARTBEAT_OK<😀😀>")  # four characters, but six units


@pytest.mark.parametrize("hostile", ["<", "HEARTBEAT_OK", "NO_REPLY ", "<think></think>", "<think><"])
def test_the_time_to_classify_grows_with_the_length_and_no_faster(hostile: str) -> None:
    # A quadratic rule would take minutes here and a linear one takes milliseconds, so no clock is needed.
    assert is_cron_event(f"<b> {hostile * 200_000} HEARTBEAT_OK NO_REPLY x")


@given(st.text(alphabet=" \n\u00a0\u2003\ufeff"))
def test_a_blank_is_nothing_at_all(text: str) -> None:
    assert not is_noise(text)
    assert not is_cron_event(text)
    assert not is_exec_completion(text)


@given(st.lists(st.sampled_from(["NO_REPLY", "HEARTBEAT_OK", "<think>", "</think>", " ", "x", "Exec finished:"])))
def test_a_text_that_is_not_blank_has_exactly_one_kind(pieces: list[str]) -> None:
    text = "".join(pieces)
    kinds = [is_exec_completion(text), is_noise(text) and not is_exec_completion(text), is_cron_event(text)]
    assert kinds.count(True) == (1 if text.strip() else 0)
