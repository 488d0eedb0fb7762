#!/usr/bin/env python3
"""Looks at an installed wakeward from outside: nothing but the package, with its types, and nothing missing."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import files
from pathlib import Path

import wakeward

OPTIONAL = {"hypothesis", "pytest"}  # who imports the test kit has them

ours = {file.parts[0] for file in files("wakeward") or () if file.parts[0] != ".."}
assert ours == {"wakeward", *(name for name in ours if name.endswith(".dist-info"))}, f"installs {sorted(ours)}"
assert Path(wakeward.__file__).with_name("py.typed").is_file(), "the types are not shipped"
for module in pkgutil.walk_packages(wakeward.__path__, "wakeward."):
    try:
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
