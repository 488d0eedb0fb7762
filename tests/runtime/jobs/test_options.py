"""The options of a command: which there are, what they take, and what comes of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from wakeward.protocols.errors import InvalidInputError
from wakeward.protocols.jobs.record import Contract
from wakeward.protocols.sessions.locate import Location
from wakeward.protocols.wakes.event import DeliveryContext
from wakeward.protocols.wakes.wake import Source
from wakeward.runtime.jobs.options import JobKeywords, JobOptions, child_environment

OWNER = Location("ops", "agent:ops:main")


def test_each_duration_is_converted_once() -> None:
    options = JobOptions(yield_after="2s", timeout=90, no_output_timeout=timedelta(minutes=1), grace="70ms")
    spec = options.spec("make")
    assert options.wait_ms == 2_000
    assert (spec.timeout_ms, spec.no_output_timeout_ms, spec.silence_notice_ms) == (90_000, 60_000, 300_000)
    assert spec.grace_ms == 70
    assert JobOptions(silence_notice=None).spec("x").silence_notice_ms is None


def test_a_type_checker_sees_the_options_that_there_are() -> None:
    assert set(JobKeywords.__annotations__) == {option.alias for option in fields(JobOptions)}


def test_how_long_a_caller_waits() -> None:
    assert JobOptions().wait_ms == 10_000
    assert JobOptions(yield_after=None).wait_ms is None
    assert JobOptions(background=True, yield_after="5s").wait_ms == 0


@pytest.mark.parametrize("name", ["timeout_ms", "tiemout", "silence_source", "shell"])
def test_an_option_that_does_not_exist_is_an_error_at_the_call(name: str) -> None:
    unknown: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError, match=name):
        JobOptions(**unknown)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"background": "yes"}, "background is 'yes'"),
        ({"notify_on_exit": None}, "notify_on_exit is None"),
        ({"timeout": "soon"}, "'soon'"),
        ({"grace": None}, "None"),
        ({"stdin": "text"}, "stdin is str, expected bytes"),
        ({"cwd": 5}, "5 is not a path"),
        ({"spill": b"x"}, "b'x' is not a path"),
        ({"delivery": "telegram:1"}, "delivery 'telegram:1'"),
    ],
)
def test_a_bad_value_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        JobOptions(**options)
    assert named in str(caught.value)


def test_paths_and_the_contract_are_snapshots() -> None:
    options = JobOptions(cwd=Path("/tmp"), spill=Path("log"), delivery=DeliveryContext("telegram", "1"))
    spec = options.spec(["make", "all"])
    assert (spec.cwd, spec.spill_path, spec.command) == ("/tmp", "log", ("make", "all"))
    contract = options.contract(OWNER, Source.CLI_WATCHDOG)
    assert contract == Contract(
        "ops", "agent:ops:main", delivery=DeliveryContext("telegram", "1"), source=Source.CLI_WATCHDOG
    )


def test_an_environment_with_a_refused_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(InvalidInputError, match="LD_PRELOAD"):
        JobOptions(env={"LD_PRELOAD": "x.so"}).spec("x")
    assert child_environment({"COLOUR": "red"})["COLOUR"] == "red"
