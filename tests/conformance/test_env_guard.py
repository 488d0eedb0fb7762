"""Which environment variables a command may inherit and set, as OpenClaw has it."""

from __future__ import annotations

from typing import Any

from support.vectors import Row, each_row
from wakeward.protocols.jobs.env_guard import (
    RejectedOverrides,
    env_name,
    inspect_overrides,
    is_blocked,
    is_blocked_inherited,
    is_blocked_override,
    override_env_name,
    sanitize_env,
)
from wakeward.protocols.openclaw.env_name import portable_env_name

_THEIR_MARKER = "OPENCLAW_CLI"


@each_row("env_guard", kind="name")
def test_name(row: Row) -> None:
    name = row["input"]["name"]
    assert {
        "blocked_inherited": is_blocked_inherited(name),
        "blocked_any": is_blocked(name),
        "blocked_override": is_blocked_override(name),
        "normalized": env_name(name),
        "normalized_portable": portable_env_name(name),
        "normalized_override": override_env_name(name),
    } == row["expected"]


@each_row("env_guard", kind="sanitize")
def test_sanitize(row: Row) -> None:
    given = row["input"]
    result = sanitize_env(given["base_env"], given["overrides"], marker=_THEIR_MARKER, **_path_option(given))
    assert {"env": result.env, **_rejected(result.rejected)} == row["expected"]


@each_row("env_guard", kind="inspect_overrides")
def test_inspect_overrides(row: Row) -> None:
    given = row["input"]
    assert _rejected(inspect_overrides(given["overrides"], **_path_option(given))) == row["expected"]


def _path_option(given: dict[str, Any]) -> dict[str, bool]:
    chosen = given["block_path_overrides"]
    return {} if chosen is None else {"block_path_overrides": chosen}


def _rejected(rejected: RejectedOverrides) -> dict[str, list[str]]:
    return {"rejected_blocked": list(rejected.blocked), "rejected_invalid": list(rejected.invalid)}
