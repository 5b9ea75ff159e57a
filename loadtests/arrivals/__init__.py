"""When jobs are due: pure schedules, made from a rate and a seed.

Called by the flood and by whoever draws the plan. Never sleeps and never looks at a clock. A new shape is one
class and one word in SHAPES.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

from loadtests.arrivals.base import MAX_RATE_PER_S, ArrivalsError, Schedule
from loadtests.arrivals.changing import Ramp, Soak, Spike, Step, Wave
from loadtests.arrivals.replay import Replay
from loadtests.arrivals.steady import Burst, Constant, Poisson

__all__ = [
    "MAX_RATE_PER_S",
    "SHAPES",
    "ArrivalsError",
    "Replay",
    "Schedule",
    "described",
    "numbered",
    "parse",
    "take",
]

SHAPES: dict[str, type[Schedule]] = {
    shape.name: shape for shape in (Constant, Poisson, Burst, Ramp, Step, Spike, Wave, Soak, Replay)
}
_DESCRIPTION = re.compile(r"(?P<shape>.+) at (?P<rate>[0-9.e+-]+)/s, seed (?P<seed>-?\d+)")


def parse(text: str, rate_per_s: float, seed: int = 0) -> Schedule:
    """Make a schedule from `NAME` or `NAME:KEY=VALUE,...`, for example `ramp:over=30,start=0.1`.

    Raises ArrivalsError with words that name what was wrong and what is known.
    """
    name, _, rest = text.strip().partition(":")
    shape = SHAPES.get(name)
    if shape is None:
        raise ArrivalsError(f"unknown arrivals {name!r}; known: {', '.join(SHAPES)}")
    return shape.read(rest, rate_per_s, seed)


def described(text: str) -> Schedule:
    """Make the schedule that `str(schedule)` describes. Raises ArrivalsError for any other text."""
    found = _DESCRIPTION.fullmatch(text)
    if not found:
        raise ArrivalsError(f"{text!r} describes no schedule; such as: constant at 10/s, seed 1")
    return parse(found["shape"], float(found["rate"]), int(found["seed"]))


def numbered(schedule: Schedule, for_s: float) -> Iterator[tuple[int, float]]:
    """Yield number and due time of the jobs due below `for_s` seconds; 0 means all of them."""
    if for_s < 0 or not math.isfinite(for_s):
        raise ArrivalsError(f"the flood must last 0 (no end) or more seconds, not {for_s!r}")
    jobs = schedule.numbered()
    return itertools.takewhile(lambda job: job[1] < for_s, jobs) if for_s else jobs


def take(schedule: Schedule, for_s: float) -> Iterator[float]:
    """Yield the schedule's due times below `for_s` seconds; 0 means all of them."""
    return (due_s for _, due_s in numbered(schedule, for_s))
