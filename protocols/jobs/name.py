"""Makes job ids that people and models can remember, as OpenClaw does: ``amber-reef``, then ``amber-reef-2``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_ADJECTIVES: Final = """
    amber azure bold brave brisk bright calm clear cool coral crisp dawn deep early fair fast fine fleet fresh
    glad gold grand green keen kind late light lucky mild misty neat noble open pale plain proud quick quiet
    rapid ready rosy salty sharp silver sleek soft solid still sunny swift tidy true vivid warm wild wise young
""".split()  # noqa: SIM905 - 60 quoted words read worse
_NOUNS: Final = """
    anchor arbor atoll bay beacon birch breeze brook buoy cape cedar cliff cloud comet cove creek delta dune
    eddy falcon fern field fjord gale glade grove gull harbor haven heron hill inlet isle kelp lagoon lake lark
    maple marsh meadow moor oak ocean orbit otter pearl pier pine pond reef ridge river sail shoal shore spring
    star stone stream swan thicket tide trail vale wave willow wind
""".split()  # noqa: SIM905 - 70 quoted words read worse

_TRIES_MAX: Final = 12
_COUNT_MAX: Final = 99


def new_job_id(choose: Callable[[int], int], is_taken: Callable[[str], bool]) -> str:
    """Make a job id that is not in use.

    Args:
        choose: Gives a random index below its argument.
        is_taken: Says whether a name is in use.
    """
    for _ in range(_TRIES_MAX):
        name = _pair(choose)
        for count in range(1, _COUNT_MAX + 1):
            candidate = name if count == 1 else f"{name}-{count}"
            if not is_taken(candidate):
                return candidate
    # Ends in practice at the first try: 32 random bits beside the words.
    while is_taken(name := f"{_pair(choose)}-{choose(2**32):08x}"):
        pass
    return name


def _pair(choose: Callable[[int], int]) -> str:
    return f"{_ADJECTIVES[choose(len(_ADJECTIVES))]}-{_NOUNS[choose(len(_NOUNS))]}"
