"""Where the bytes of one child go, and where its input comes from.

The process shell writes to the sinks of a child and knows nothing else of the job, so that it can run apart from the
host later.
"""

from __future__ import annotations

from typing import Final, final

from attrs import define

from .input import InputQueue
from .output import OutputBuffer
from .spec import JobSpec

TAIL_UNITS_MAX: Final = 2_000
"""How much of the end of the output a notice is made from, in UTF-16 code units, as in OpenClaw (``tail``)."""


@final
@define(eq=False)
class Sinks:
    """The buffers of one child.

    Attributes:
        errors: stderr, where it is kept apart.
    """

    output: OutputBuffer
    input: InputQueue
    errors: OutputBuffer | None = None

    @property
    def total_bytes(self) -> int:
        """How many bytes the child has written so far, on both streams."""
        return self.output.total_bytes + (self.errors.total_bytes if self.errors else 0)

    @property
    def kept_bytes(self) -> int:
        """How much memory its output takes."""
        return self.output.kept_bytes + (self.errors.kept_bytes if self.errors else 0)

    @property
    def last_output_ms(self) -> int | None:
        """The instant at which the child last wrote something; ``None`` if it never did."""
        # Silence is silence on both streams: a child that writes to stderr only is not silent.
        both = (self.output.last_output_ms, self.errors.last_output_ms if self.errors else None)
        return max((at for at in both if at is not None), default=None)

    def tail_text(self) -> str:
        """The end of the output, fit to be read."""
        tail = self.output.tail_text(TAIL_UNITS_MAX) if self.output.total_bytes else ""
        # stderr last, so that the end of the text, from which a notice is made, shows it.
        if self.errors is not None and self.errors.total_bytes:
            tail = f"{tail}\n{self.errors.tail_text(TAIL_UNITS_MAX)}"
        return tail


def open_sinks(spec: JobSpec) -> Sinks:
    """Make empty buffers for a child, with the sizes that its specification names."""
    return Sinks(
        output=OutputBuffer(spec.head_bytes, spec.tail_bytes),
        # Closed after the first bytes, unless more can come: a child that reads to the end must not wait for ever.
        input=InputQueue(spec.stdin, stay_open=spec.takes_input),
        errors=OutputBuffer(spec.head_bytes, spec.tail_bytes) if spec.separate_stderr else None,
    )
