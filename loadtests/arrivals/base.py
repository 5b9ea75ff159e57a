"""What every schedule is: due times made from a rate and a seed, and a description that can be read back.

Used by the shapes beside it. Never sleeps and never looks at a clock.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

MAX_RATE_PER_S = 100_000.0


class ArrivalsError(ValueError):
    """A schedule that cannot be: the message says which value, and what it may be."""


@dataclass(frozen=True)
class Schedule(ABC):
    """Due times of a flood; `rate_per_s` is its steady or mean rate in jobs per second."""

    name: ClassVar[str]
    rate_per_s: float
    seed: int = 0

    def __post_init__(self) -> None:
        self._need("rate_per_s", self.rate_per_s, above=0.0, most=MAX_RATE_PER_S)

    @abstractmethod
    def offsets(self) -> Iterator[float]:
        """Yield due times in seconds from the start, never falling; most shapes have no end."""

    def numbered(self) -> Iterator[tuple[int, float]]:
        """Yield each job's number and its due time in seconds."""
        return enumerate(self.offsets())

    @classmethod
    def parameters(cls) -> list[str]:
        """Name what may stand behind the shape's name."""
        return [field.name for field in fields(cls)[2:]]

    @classmethod
    def read(cls, rest: str, rate_per_s: float, seed: int) -> Self:
        """Make a schedule from `KEY=VALUE,...`; raise ArrivalsError with words."""
        values: dict[str, Any] = {}
        for pair in filter(None, rest.split(",")):
            key, _, value = pair.partition("=")
            if key not in cls.parameters():
                known = ", ".join(cls.parameters()) or "nothing"
                raise ArrivalsError(f"{cls.name} has no {key!r}; known: {known}")
            values[key] = cls.number(key, value)
        return cls(rate_per_s, seed, **values)

    @classmethod
    def number(cls, what: str, text: str) -> float:
        """Read one value; raise ArrivalsError when it is no number."""
        try:
            return float(text)
        except ValueError:
            raise ArrivalsError(f"{cls.name}: {what} must be a number, not {text!r}") from None

    def shape(self) -> str:
        """Say the shape as `--arrivals` takes it."""
        pairs = ",".join(f"{key}={short(getattr(self, key))}" for key in self.parameters())
        return f"{self.name}:{pairs}" if pairs else self.name

    def __str__(self) -> str:
        return f"{self.shape()} at {short(self.rate_per_s)}/s, seed {self.seed}"

    def _need(self, what: str, value: float, above: float, most: float = math.inf) -> None:
        if not math.isfinite(value) or value <= above or value > most:
            limit = "" if most == math.inf else f" and at most {most:g}"
            raise ArrivalsError(f"{self.name}: {what} must be above {above:g}{limit}, not {value!r}")

    def _need_share(self, what: str, value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise ArrivalsError(f"{self.name}: {what} must be from 0 to 1, not {value!r}")

    def _need_whole(self, what: str, value: float) -> None:
        self._need(what, value, above=0.0)
        if value != int(value):
            raise ArrivalsError(f"{self.name}: {what} must be a whole number, not {value!r}")


def short(value: float) -> str:
    """Write a number as short as it can be read back whole."""
    text = f"{value:g}"
    return text if float(text) == value else repr(float(value))
