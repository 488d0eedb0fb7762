"""Configuration files for tests, with modules of handlers beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from wakeward import ConfigError
from wakeward.runtime.config.file import load_config

HANDLERS = """
async def handle(turn): ...
async def other(turn): ...
def sync(turn): ...
class Callable:
    async def __call__(self, turn): ...
    async def method(self, turn): ...
called = Callable()
"""

EVERYTHING = """
main_key = "Home"
scope = "global"
default_agent = "Ops"
turns_max = 7
without_heartbeat = "listed"
heartbeat_origin = "external"
seed = "s"
drain_grace = "1m30s"
ledger_size = 99

[defaults]
turn_timeout = 90
turns_max = 3
cooldown = { min_spacing = "500ms", flood_window = 0, flood_threshold = 8, events_wait_for_due = false }
retry = { attempts_max = 2, busy = 0.5, idle = "10s", backoff = { base = "2s", cap = "1m", factor = 3, jitter = 0 } }
queue = { capacity = 10, overflow = "drop-oldest", shown_max = 5, failed_turns_max = 2 }
heartbeat = { every = "1h30m" }

[[agents]]
id = "Ops"
handler = "HANDLERS:handle"
turn_timeout = "250ms"

[agents.heartbeat]
every = 90
active_hours = { start = "08:00", end = "17:30", timezone = "Europe/Berlin" }

[[agents]]
id = "dev"
command = ["sh", "-c", "exit 0"]
turns_max = 1
"""


def write(folder: Path, text: str) -> Path:
    """Write ``host.toml``. HANDLERS in its text becomes the name of the module in that folder."""
    path = folder / "host.toml"
    path.write_text(text.replace("HANDLERS", (folder / "HANDLERS").read_text()))
    return path


def problems(folder: Path, text: str) -> list[str]:
    """The mistakes that are reported for a file of this text."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    assert caught.value.origin == str(folder / "host.toml")
    return caught.value.problems
