"""The class decorator of values that are made on the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from attrs import frozen as value_class
else:
    # Immutable by type checker: the hot path makes an event per message, and a frozen instance costs 1.8 us
    # against 0.4 us (measured with ten fields).
    value_class = define(unsafe_hash=True)
