"""When jobs are due: pure schedules, made from a rate and a seed.

Called by the flood and by whoever draws the plan. Never sleeps and never looks at a clock.
"""

from __future__ import annotations

import itertools
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

MAX_RATE_PER_S = 100_000.0


class ArrivalsError(ValueError):
    """A schedule that cannot be: the message says which value, and what it may be."""


@dataclass(frozen=True)
class Schedule(ABC):
    """Due times of an endless flood; `rate_per_s` is its steady or mean rate in jobs per second."""

    name: ClassVar[str]
    rate_per_s: float
    seed: int = 0

    def __post_init__(self) -> None:
        self._need("rate_per_s", self.rate_per_s, above=0.0, most=MAX_RATE_PER_S)

    @abstractmethod
    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds from the start, never falling, without end."""

    def __str__(self) -> str:
        own = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        shape = ",".join(f"{key}={value:g}" for key, value in own.items())
        return f"{self.name}{':' if shape else ''}{shape} at {self.rate_per_s:g}/s, seed {self.seed}"

    def _need(self, what: str, value: float, above: float, most: float = math.inf) -> None:
        if not math.isfinite(value) or value <= above or value > most:
            limit = "" if most == math.inf else f" and at most {most:g}"
            raise ArrivalsError(f"{self.name}: {what} must be above {above:g}{limit}, not {value!r}")


@dataclass(frozen=True)
class Constant(Schedule):
    """One job every 1/rate seconds, the first at 0."""

    name = "constant"

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds; computed from the number, so that no rounding adds up."""
        return (number / self.rate_per_s for number in itertools.count())


@dataclass(frozen=True)
class Poisson(Schedule):
    """Independent arrivals: exponential gaps with mean 1/rate."""

    name = "poisson"

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds; the same seed gives the same times."""
        rng, at = random.Random(f"poisson:{self.seed}"), 0.0
        while True:
            at += rng.expovariate(self.rate_per_s)
            yield at


@dataclass(frozen=True)
class Ramp(Schedule):
    """A straight climb from `start` (share of the rate, 0-1) to the rate over `over` seconds, then steady."""

    name = "ramp"
    over: float = 10.0
    start: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("over", self.over, above=0.0)
        if not 0.0 <= self.start <= 1.0:
            raise ArrivalsError(f"ramp: start must be from 0 to 1, not {self.start!r}")

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds: the time at which the integral of the rate reaches each number."""
        low, high = self.start * self.rate_per_s, self.rate_per_s
        climb = (high - low) / self.over
        in_ramp = (low + high) / 2 * self.over
        for number in itertools.count():
            if number >= in_ramp:
                yield self.over + (number - in_ramp) / high
            elif climb == 0.0:
                yield number / high
            else:
                yield (math.sqrt(low * low + 2 * climb * number) - low) / climb


@dataclass(frozen=True)
class Burst(Schedule):
    """`size` jobs at one instant, then silence; the mean is the rate."""

    name = "burst"
    size: float = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("size", self.size, above=0.0)
        if self.size != int(self.size):
            raise ArrivalsError(f"burst: size must be a whole number, not {self.size!r}")

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds, each `size` times."""
        size = int(self.size)
        return (number // size * size / self.rate_per_s for number in itertools.count())


@dataclass(frozen=True)
class Wave(Schedule):
    """A rate that swings as a sine around the mean: `depth` 0-1 of it, once every `period` seconds."""

    name = "wave"
    period: float = 20.0
    depth: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("period", self.period, above=0.0)
        if not 0.0 <= self.depth <= 1.0:
            raise ArrivalsError(f"wave: depth must be from 0 to 1, not {self.depth!r}")

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds, by bisection on the number of jobs due until then."""
        lead = self.depth * self.period / (2 * math.pi)
        for number in itertools.count():
            # The swing never puts the count ahead of the mean's by more than this, nor behind it.
            low, high = max(0.0, number / self.rate_per_s - 2 * lead), number / self.rate_per_s
            for _ in range(60):
                middle = (low + high) / 2
                if self._due_until(middle, lead) < number:
                    low = middle
                else:
                    high = middle
            yield high

    def _due_until(self, at: float, lead: float) -> float:
        return self.rate_per_s * (at + lead * (1 - math.cos(2 * math.pi * at / self.period)))


SHAPES: dict[str, type[Schedule]] = {shape.name: shape for shape in (Constant, Poisson, Ramp, Burst, Wave)}


def parse(text: str, rate_per_s: float, seed: int = 0) -> Schedule:
    """Make a schedule from `NAME` or `NAME:KEY=VALUE,...`, for example `ramp:over=30,start=0.1`.

    Raises ArrivalsError with words that name what was wrong and what is known.
    """
    name, _, rest = text.strip().partition(":")
    shape = SHAPES.get(name)
    if shape is None:
        raise ArrivalsError(f"unknown arrivals {name!r}; known: {', '.join(SHAPES)}")
    known = [field.name for field in fields(shape)[2:]]
    values: dict[str, float] = {}
    for pair in filter(None, rest.split(",")):
        key, _, value = pair.partition("=")
        if key not in known:
            raise ArrivalsError(f"{name} has no {key!r}; known: {', '.join(known) or 'nothing'}")
        try:
            values[key] = float(value)
        except ValueError:
            raise ArrivalsError(f"{name}: {key} must be a number, not {value!r}") from None
    return shape(rate_per_s, seed, **values)


def take(schedule: Schedule, for_s: float) -> Iterator[float]:
    """Yield the schedule's due times below `for_s` seconds; 0 means all of them, without end."""
    if for_s < 0 or not math.isfinite(for_s):
        raise ArrivalsError(f"the flood must last 0 (no end) or more seconds, not {for_s!r}")
    offsets = schedule.offsets()
    return itertools.takewhile(lambda due: due < for_s, offsets) if for_s else offsets
