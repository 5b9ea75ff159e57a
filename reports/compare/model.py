"""What a comparison says, as data: everything that its JSON, text, Markdown and page show.

Made by `runs` (two stored runs) and `regression` (two sides of one measurement). Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reports.checks.base import Status

Kind = Literal["compare", "regress"]


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two: which revision, its run, and what the judge said of it."""

    run: str
    revision: str
    verdict: Status
    reason: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """What one check said of either, and what that means for the head."""

    name: str
    base: Status
    head: Status
    verdict: Status


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured; of every one less is better unless it says otherwise."""

    name: str
    words: str
    unit: str
    gates: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of either. `change` and the interval are shares of the base: 0.1 is 10 % more."""

    metric: Metric
    base: float | None
    head: float | None
    change: float | None
    finding: str
    low: float | None = None
    high: float | None = None
    p: float | None = None
    found_from: float | None = None
    """The smallest slowdown that such a measurement would probably have found."""


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one round."""

    base: float
    head: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Base and head, side by side."""

    kind: Kind
    verdict: Status
    reason: str
    base: Party
    head: Party
    correctness: Status
    checks: tuple[CheckRow, ...]
    performance: Status
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know before believing it: differences, what was cut short."""
    points: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    settings: dict[str, float | int | str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
