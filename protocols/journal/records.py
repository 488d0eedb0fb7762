"""The records of an agent: what a message changed, as immutable values.

The new value of a job is its record (:class:`~..jobs.record.JobRecord`) itself, stored under the id of the job.
"""

from __future__ import annotations

from typing import final

from ..values.value_class import value_class


@final
@value_class
class JobForgotten:
    """A job that has ended is no longer kept."""

    job_id: str
