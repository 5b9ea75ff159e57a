from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest

from reports.compare import ranks


def brute_force(differences: list[float]) -> float:
    """Every choice of signs, counted one by one."""
    told = [value for value in differences if value]
    sizes = sorted(abs(value) for value in told)
    rank = {size: statistics.mean(i for i, other in enumerate(sizes, 1) if other == size) for size in sizes}
    seen = sum(rank[abs(value)] for value in told if value > 0)
    sums = [
        sum(rank[abs(value)] for value, up in zip(told, ups, strict=True) if up)
        for ups in itertools.product((False, True), repeat=len(told))
    ]
    return sum(one >= seen for one in sums) / len(sums)


@pytest.mark.parametrize("seed", range(12))
def test_the_test_agrees_with_counting_every_sign_ties_and_zeros_too(seed: int) -> None:
    rng = random.Random(seed)
    differences = [rng.choice([-3, -2, -1, 0, 1, 2, 3, 4]) / 2 for _ in range(rng.randint(1, 9))]
    assert ranks.p_greater(differences) == pytest.approx(brute_force(differences))


def test_p_of_the_clearest_outcomes() -> None:
    assert ranks.p_greater([0.1, 0.2, 0.3, 0.4, 0.5]) == 1 / 32
    assert ranks.p_greater([-0.1, -0.2, -0.3]) == 1.0
    assert ranks.p_greater([0.0, 0.0]) == 1.0
    assert ranks.p_greater([]) == 1.0


def test_the_middle_is_the_median_of_the_means_of_all_pairs() -> None:
    assert ranks.middle([1.0, 2.0, 9.0]) == statistics.median([1, 1.5, 5, 2, 5.5, 9])


def test_the_middle_hardly_minds_one_wild_round() -> None:
    assert ranks.middle([0.1] * 9 + [50.0]) == pytest.approx(0.1)


@pytest.mark.parametrize("count", [6, 8])
def test_the_interval_is_what_the_test_does_not_reject(count: int) -> None:
    rng = random.Random(count)
    values = [rng.gauss(0.1, 0.1) for _ in range(count)]
    low, high = ranks.interval(values, 0.9)
    for shift, inside in ((low - 1e-9, False), (low + 1e-9, True), (high - 1e-9, True), (high + 1e-9, False)):
        moved = [value - shift for value in values]
        kept = min(ranks.p_greater(moved), ranks.p_greater([-value for value in moved])) > 0.05
        assert kept is inside


def test_too_few_values_have_no_interval() -> None:
    assert ranks.interval([0.1, 0.2], 0.95) == (-math.inf, math.inf)


def test_share_greater() -> None:
    assert ranks.share_greater([2, 3], [1, 1]) == 1.0
    assert ranks.share_greater([1, 1], [1, 1]) == 0.5
    assert ranks.share_greater([1, 4], [2, 3]) == 0.5
