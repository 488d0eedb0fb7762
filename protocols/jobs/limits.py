"""How many jobs there may be, and how long a finished one stays readable."""

from __future__ import annotations

from typing import final

from attrs import frozen


@final
@frozen
class JobLimits:
    """The bounds of the jobs of one host.

    Attributes:
        live_count_max: Children that one agent may have at a time.
        finished_ttl_ms: How long a finished background job stays readable.
        finished_count_max: How many finished jobs are kept for one agent; the oldest is dropped first.
        finished_bytes_max: How much output of finished jobs is kept, for all agents together.
    """

    live_count_max: int = 1_000
    # The two bounds below hold what ends faster than half an hour lets go of.
    finished_ttl_ms: int = 1_800_000
    finished_count_max: int = 50
    finished_bytes_max: int = 32_000_000
