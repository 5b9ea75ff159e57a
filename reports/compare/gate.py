"""Is the head slower? The soft half of `regress`: from pairs of rounds to one finding for each metric.

Slower means both: not to be had by chance (exact rank test, all gating metrics together at most `alpha`), and
by more than `effect`. A metric too noisy to see an effect of that size is unknown, never a pass; it accuses
only when even the low end of its interval is over the limit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from reports.checks.base import Status
from reports.compare import ranks
from reports.compare.model import Metric, Point, Row

METRICS = (
    Metric("cpu_ms", "CPU time per mail", "ms"),
    Metric("bursts_ms", "time per mail in a burst", "ms"),
    Metric("alone_ms", "due to stored, one mail at a time", "ms"),
    Metric("accept_ms", "answer to one POST", "ms", gates=False),
)
SHOWN_CONFIDENCE = 0.95
NORMAL = statistics.NormalDist()
POWER = 0.8
MIN_ROUNDS = 6

SLOWER, FASTER, SMALL, NOISY, SAME = (
    "slower",
    "faster",
    "slower, below the limit",
    "too noisy to say",
    "no change seen",
)


@dataclass(frozen=True)
class Limits:
    """The gate: how often it may cry wolf, and from which slowdown on (share of the base) it shall cry."""

    alpha: float = 0.01
    effect: float = 0.05


@dataclass(frozen=True)
class Measured:
    """One metric's pairs as logarithms of head / base, and what they say."""

    metric: Metric
    points: tuple[Point, ...]
    logs: tuple[float, ...]
    p: float
    middle: float


def measure(metric: Metric, points: Sequence[Point]) -> Measured:
    """Test one metric."""
    logs = tuple(math.log(point.head / point.base) for point in points)
    return Measured(metric, tuple(points), logs, ranks.p_greater(logs), ranks.middle(logs))


def rows(points: dict[str, tuple[Point, ...]], limits: Limits) -> tuple[Row, ...]:
    """One row for each metric, in their order; none without enough rounds."""
    measured = [measure(metric, points[metric.name]) for metric in METRICS if points.get(metric.name)]
    if not measured or len(measured[0].points) < MIN_ROUNDS:
        return ()
    gating = {one.metric.name: one.p for one in measured if one.metric.gates}
    guilty = holm(gating, limits.alpha)
    level = limits.alpha / max(1, len(gating))
    return tuple(_row(one, limits, level, significant=one.metric.name in guilty) for one in measured)


def holm(p_values: dict[str, float], alpha: float) -> set[str]:
    """The names that stay significant when all are asked at once (Holm): a false one at most in `alpha`."""
    found: set[str] = set()
    for name, p in sorted(p_values.items(), key=lambda pair: pair[1]):
        if p > alpha / (len(p_values) - len(found)):
            break
        found.add(name)
    return found


def conclude(found: Sequence[Row], limits: Limits) -> tuple[Status, str]:
    """One verdict for all gating metrics, and why."""
    gating = [row for row in found if row.metric.gates]
    if not gating:
        return "unknown", f"fewer than {MIN_ROUNDS} rounds could be used"
    ends: tuple[tuple[str, Status], ...] = ((SLOWER, "fail"), (NOISY, "unknown"))
    for finding, verdict in ends:
        guilty = [row for row in gating if row.finding == finding]
        if guilty:
            return verdict, "; ".join(_words(row, limits) for row in guilty)
    return "pass", f"nothing is slower by more than {limits.effect:.0%}"


def _words(row: Row, limits: Limits) -> str:
    if row.finding == SLOWER:
        return f"slower: {row.metric.words} {row.change:+.1%} (p = {row.p:.2g})"
    seen = "" if row.found_from is None else f", found would be one from {row.found_from:.0%} on"
    return f"too noisy to see {limits.effect:.0%}: {row.metric.words}{seen}"


def _row(one: Measured, limits: Limits, level: float, *, significant: bool) -> Row:
    shown = ranks.interval(one.logs, SHOWN_CONFIDENCE)
    noise = _noise(shown)
    # As large as this an estimate must be to be significant on the strictest step.
    needed, limit = NORMAL.inv_cdf(1 - level) * noise, math.log1p(limits.effect)
    blind = 2.0 ** -len(one.logs) > level or needed > limit
    least = limit + NORMAL.inv_cdf(0.5 + SHOWN_CONFIDENCE / 2) * noise if blind else limit
    clear = shown.low > limit if blind else one.middle > limit
    return Row(
        metric=one.metric,
        base=statistics.median(point.base for point in one.points),
        head=statistics.median(point.head for point in one.points),
        change=_share(one.middle),
        low=_share(shown.low),
        high=_share(shown.high),
        p=one.p,
        found_from=_share(max(least, needed) + NORMAL.inv_cdf(POWER) * noise),
        finding=_finding(one, level, significant=significant or _shown(one, level), clear=clear, blind=blind),
    )


def _shown(one: Measured, level: float) -> bool:
    """Whether a metric that does not gate is called slower all the same, for who reads it."""
    return not one.metric.gates and one.p <= level


def _finding(one: Measured, level: float, *, significant: bool, clear: bool, blind: bool) -> str:
    if significant and clear:
        return SLOWER
    if blind:
        # Two equal sides can differ by the luck of a process, and a noisy machine makes such luck large.
        return NOISY
    if significant:
        return SMALL
    return FASTER if ranks.p_greater([-log for log in one.logs]) <= level else SAME


def _noise(shown: ranks.Interval) -> float:
    """The standard error of the estimate, read off the test's own interval: it minds no single bad round."""
    return (shown.high - shown.low) / (2 * NORMAL.inv_cdf(0.5 + SHOWN_CONFIDENCE / 2))


def _share(log: float) -> float | None:
    return math.expm1(log) if math.isfinite(log) else None
