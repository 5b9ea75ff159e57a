"""The shapes whose rate changes: ramp, step, spike and soak are straight pieces, the wave is a sine.

Job n is due when the integral of the rate reaches n: so no rounding adds up, and every rate is kept exactly.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from loadtests.arrivals.base import MAX_RATE_PER_S, Schedule


class Piece(NamedTuple):
    """So many seconds in which the rate goes straight from one value (jobs per second) to another."""

    lasts_s: float
    low: float
    high: float

    @property
    def jobs(self) -> float:
        """The integral of the rate."""
        return (self.low + self.high) / 2 * self.lasts_s

    def when(self, jobs: float) -> float:
        """Return the seconds after which the integral is `jobs`."""
        if self.low == self.high:
            return jobs / self.low
        climb = (self.high - self.low) / self.lasts_s
        # Never below 0 but by rounding, at the end of a way down to rate 0.
        root = math.sqrt(max(0.0, self.low * self.low + 2 * climb * jobs))
        return min(self.lasts_s, 2 * jobs / (self.low + root)) if jobs else 0.0


@dataclass(frozen=True)
class Pieces(Schedule):
    """A rate of straight pieces; without a last one of endless length the schedule has an end."""

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces in order."""

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds: when the integral of the rate reaches each number."""
        begin_s = before = 0.0
        number = 0
        for piece in self.pieces():
            while number - before < piece.jobs:
                yield begin_s + piece.when(number - before)
                number += 1
            begin_s, before = begin_s + piece.lasts_s, before + piece.jobs


@dataclass(frozen=True)
class Ramp(Pieces):
    """A straight climb from `start` (share of the rate, 0-1) to the rate over `over` seconds, then steady."""

    name = "ramp"
    over: float = 10.0
    start: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("over", self.over, above=0.0)
        self._need_share("start", self.start)

    def pieces(self) -> Iterator[Piece]:
        """Yield the climb and the steady rate."""
        yield Piece(self.over, self.start * self.rate_per_s, self.rate_per_s)
        yield Piece(math.inf, self.rate_per_s, self.rate_per_s)


@dataclass(frozen=True)
class Step(Pieces):
    """Stairs: `steps` levels from `start` (share of the rate) to the rate, a new one `every` seconds."""

    name = "step"
    start: float = 0.2
    every: float = 10.0
    steps: float = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("start", self.start, above=0.0, most=1.0)
        self._need("every", self.every, above=0.0)
        self._need_whole("steps", self.steps)

    def pieces(self) -> Iterator[Piece]:
        """Yield the levels."""
        stairs = int(self.steps) - 1
        for stair in range(stairs):
            level = self.rate_per_s * (self.start + (1 - self.start) * stair / stairs)
            yield Piece(self.every, level, level)
        yield Piece(math.inf, self.rate_per_s, self.rate_per_s)


@dataclass(frozen=True)
class Spike(Pieces):
    """The rate, but `height` times as much for `lasts` seconds from second `at` on."""

    name = "spike"
    height: float = 5.0
    at: float = 10.0
    lasts: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("height", self.height, above=0.0, most=MAX_RATE_PER_S / self.rate_per_s)
        self._need("at", self.at, above=0.0)
        self._need("lasts", self.lasts, above=0.0)

    def pieces(self) -> Iterator[Piece]:
        """Yield the time before the spike, the spike, and the rest."""
        top = self.height * self.rate_per_s
        yield Piece(self.at, self.rate_per_s, self.rate_per_s)
        yield Piece(self.lasts, top, top)
        yield Piece(math.inf, self.rate_per_s, self.rate_per_s)


@dataclass(frozen=True)
class Soak(Pieces):
    """A climb from 0 over `up` seconds, the rate for `hold` seconds, a way down over `down`; then it ends.

    Only that end, and the length, make it another thing than a ramp.
    """

    name = "soak"
    up: float = 60.0
    hold: float = 3600.0
    down: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for what in ("up", "hold", "down"):
            self._need(what, getattr(self, what), above=0.0)

    def pieces(self) -> Iterator[Piece]:
        """Yield the way up, the plateau and the way down."""
        yield Piece(self.up, 0.0, self.rate_per_s)
        yield Piece(self.hold, self.rate_per_s, self.rate_per_s)
        yield Piece(self.down, self.rate_per_s, 0.0)


@dataclass(frozen=True)
class Wave(Schedule):
    """A rate that swings as a sine around the mean: `depth` 0-1 of it, once every `period` seconds."""

    name = "wave"
    period: float = 20.0
    depth: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._need("period", self.period, above=0.0)
        self._need_share("depth", self.depth)

    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds, by bisection on the number of jobs due until then."""
        lead = self.depth * self.period / (2 * math.pi)
        for number in itertools.count():
            # The swing never puts the count ahead of the mean's by more than this, nor behind it.
            low, high = max(0.0, number / self.rate_per_s - 2 * lead), number / self.rate_per_s
            for _ in range(60):
                middle = (low + high) / 2
                if self.due_until(middle, lead) < number:
                    low = middle
                else:
                    high = middle
            yield high

    def due_until(self, at_s: float, lead: float) -> float:
        """Return the integral of the rate; `lead` is depth * period / 2 pi, in seconds."""
        return self.rate_per_s * (at_s + lead * (1 - math.cos(2 * math.pi * at_s / self.period)))
