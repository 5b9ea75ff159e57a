"""An exact rank test for pairs, and how large the difference is. Pure arithmetic, no tables, no normal curve.

Used by the gate. The test is Wilcoxon's signed-rank test: under "the side makes no difference" every
difference is as likely positive as negative, so all 2^n signs are counted, ties and all.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """From where to where a value lies, at a stated confidence."""

    low: float
    high: float


def p_greater(differences: Sequence[float]) -> float:
    """How likely so large a rank sum of positive differences is by chance alone (one-sided, exact).

    Zeros say nothing and are left out; 1.0 when nothing is left.
    """
    told = [value for value in differences if value]
    ranks = _double_ranks([abs(value) for value in told])
    seen = sum(rank for rank, value in zip(ranks, told, strict=True) if value > 0)
    ways = _ways(ranks)
    return sum(ways[seen:]) / float(2 ** len(told))


def middle(differences: Sequence[float]) -> float:
    """The Hodges-Lehmann estimate: the median of the means of all pairs, each with itself included."""
    return statistics.median(_means(differences))


def interval(differences: Sequence[float], confidence: float) -> Interval:
    """The interval for `middle` that belongs to the test; infinite when there are too few differences."""
    means = _means(differences)
    ways = _ways([2 * rank for rank in range(1, len(differences) + 1)])
    tail, below, cut = (1 - confidence) / 2 * 2 ** len(differences), 0, 0
    for rank_sum in range(0, len(ways), 2):
        below += ways[rank_sum]
        if below > tail:
            break
        cut += 1
    if not cut:
        return Interval(-math.inf, math.inf)
    return Interval(means[cut - 1], means[-cut])


def share_greater(ones: Sequence[float], others: Sequence[float]) -> float:
    """How often one of `ones` is above one of `others` (a tie is half): 0.5 means no difference."""
    wins = sum((one > other) + 0.5 * (one == other) for one in ones for other in others)
    return wins / (len(ones) * len(others))


def _means(differences: Sequence[float]) -> list[float]:
    count = len(differences)
    return sorted((differences[i] + differences[j]) / 2 for i in range(count) for j in range(i, count))


def _double_ranks(sizes: Sequence[float]) -> list[int]:
    """Twice the rank of each, so that the mean rank of ties is a whole number."""
    ordered = sorted(sizes)
    first: dict[float, int] = {}
    count: dict[float, int] = {}
    for place, size in enumerate(ordered, start=1):
        first.setdefault(size, place)
        count[size] = count.get(size, 0) + 1
    return [2 * first[size] + count[size] - 1 for size in sizes]


def _ways(ranks: Sequence[int]) -> list[int]:
    """In how many of the 2^n choices of signs the positive ranks sum up to 0, 1, 2, ..."""
    ways = [1] + [0] * sum(ranks)
    reached = 0
    for rank in ranks:
        for total in range(reached, -1, -1):
            if ways[total]:
                ways[total + rank] += ways[total]
        reached += rank
    return ways
