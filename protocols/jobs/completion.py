"""A completion text read back into its parts: ``Exec completed (amber-re, code 0) :: 148 tests passed``.

:mod:`~wakeward.protocols.jobs.notice` writes this text when a job ends. Nothing in this project decides by it; a notice
carries its source. A handler reads it back if it wants to know more of an event than its text.

The pattern is written for hostile input: it runs over its text once. White space is that of ECMAScript, and
case-insensitive means the letters of ASCII.
"""

from __future__ import annotations

import re
from typing import Final, final

from attrs import frozen

from ..values.ecmascript import es_trim

# 64 characters of an id at most, so that a long row of them is given up early; (?s:.*) lets output have lines.
COMPLETION: Final = re.compile(
    r"exec (completed|failed) \(([a-z0-9_-]{1,64}), (code -?[0-9]+|signal [^)]+)\)(?: :: ((?s:.*)))?",
    re.ASCII | re.IGNORECASE,
)
"""The form of the text. Its groups are the fields of :class:`ExecCompletion`."""


@final
@frozen
class ExecCompletion:
    """The parts of a completion text, each spelled as it was found.

    Attributes:
        action: ``completed`` or ``failed``.
        id: The first characters of the job's id.
        result: ``code 0``, ``signal SIGKILL``.
        output: The part of the output that the text shows; empty if it shows none.
    """

    action: str
    id: str
    result: str
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether the command ended by itself with exit code 0."""
        # Both: "completed" alone says that it ended by itself, with whatever code.
        return self.action.lower() == "completed" and self.result.lower() == "code 0"


def parse_exec_completion(text: str) -> ExecCompletion | None:
    """Read a completion text of our own form; ``None`` when it is not one."""
    match = COMPLETION.fullmatch(es_trim(text))
    if match is None:
        return None
    action, job_id, result, output = match.groups(default="")
    return ExecCompletion(action, job_id, result, es_trim(output))
