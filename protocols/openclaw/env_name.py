"""The portable form of an environment variable's name, as OpenClaw has it.

The recorded ``name`` rows show it beside the other two forms of a name. Here nothing else uses it: the overrides of a
command may also have the names of Windows (``override_env_name`` of the environment guard).
"""

from __future__ import annotations

import re
from typing import Final

from ..values.ecmascript import es_trim

# [A-Za-z], not \w: the shell's names are ASCII.
_PORTABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def portable_env_name(raw: str) -> str | None:
    """A name that every POSIX shell can use, else ``None``."""
    return name if _PORTABLE.fullmatch(name := es_trim(raw)) else None
