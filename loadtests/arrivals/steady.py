"""The shapes whose mean never changes: evenly spaced, by chance, in bursts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.arrivals.base import Schedule


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
class Burst(Schedule):
    """`size` jobs at one instant, then silence; the mean is the rate."""

    name = "burst"
    size: float = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need_whole("size", self.size)

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds, each `size` times."""
        size = int(self.size)
        return (number // size * size / self.rate_per_s for number in itertools.count())
