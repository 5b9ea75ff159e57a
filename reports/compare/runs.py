"""Compares two stored runs: what broke, and, without any claim to significance, what took longer.

Called by `python -m chaos compare`. Refuses unlike runs unless told to look anyway, and then never gates.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from reports.compare import correctness, likeness, ranks, stored
from reports.compare.model import Comparison, Metric, Row
from reports.compare.stored import NotComparable, Stored
from reports.stats import PERCENTILES, percentile

SHOWN = "shown only"
ONE_EACH = "one run each: whether a difference is chance cannot be said; `regress` measures that"
COUNTS = ("accepted", "delivered", "lost", "duplicates", "stuck", "in_doubt")
BLOCK_S = 1.0
MAX_BLOCKS = 600


def compare(base: Path, head: Path, *, anyway: bool = False) -> Comparison:
    """Compare two run folders. Raises NotComparable when they are unlike, or no judged runs."""
    before, now = stored.load(base), stored.load(head)
    unlike = likeness.differences(before.plan, now.plan)
    if unlike and not anyway:
        listed = "\n  ".join(unlike)
        raise NotComparable(
            f"these runs are not alike:\n  {listed}\nWith --anyway they are shown, without a verdict."
        )
    checks = correctness.check_rows(before.checks, now.checks)
    verdict, reason = correctness.conclude(checks)
    if unlike:
        verdict, reason = "unknown", f"only a look: {len(unlike)} differences in how they were tested"
    notes = [*(f"unlike: {words}" for words in unlike), *likeness.remarks(before.plan, now.plan)]
    rows, more = _rows(before, now)
    return Comparison(
        kind="compare",
        verdict=verdict,
        reason=reason,
        base=before.party,
        head=now.party,
        correctness=verdict,
        checks=checks,
        performance="unknown",
        rows=rows,
        notes=(*notes, *more, ONE_EACH),
        machine=now.plan.machine,
    )


def _rows(before: Stored, now: Stored) -> tuple[tuple[Row, ...], list[str]]:
    rows = [
        _row(Metric(name, name.replace("_", " "), "", gates=False), _count(before, name), _count(now, name))
        for name in COUNTS
    ]
    one, other = stored.times(before.folder), stored.times(now.folder)
    notes = []
    for words, was, became in (
        ("due to stored", one.stored, other.stored),
        ("due to 202", one.accepted, other.accepted),
    ):
        rows += _percentiles(words, was, became)
        notes += _effect(words, was, became)
    slowest = Metric("recovery_s", "slowest recovery", "s", gates=False)
    return (*rows, _row(slowest, before.recovery_max_s, now.recovery_max_s)), notes


def _percentiles(words: str, was: Times, became: Times) -> list[Row]:
    found = []
    for name, share in PERCENTILES.items():
        metric = Metric(f"{words.replace(' ', '_')}_{name}", f"{words}, {name}", "s", gates=False)
        found.append(_row(metric, _percentile(was, share), _percentile(became, share)))
    return found


def _percentile(times: Times, share: float) -> float | None:
    return percentile(sorted(took for _, took in times), share) if times else None


def _effect(words: str, was: Times, became: Times) -> list[str]:
    """How the seconds of the two runs compare: one figure for the whole distribution over time."""
    one, other = blocks(was), blocks(became)
    if not one or not other:
        return [f"{words}: no evidence in one of the runs"]
    share = ranks.share_greater(other, one)
    return [f"{words}: of all pairs of a second of either, the head's is slower in {share:.0%} (50%: alike)"]


def blocks(times: Times) -> list[float]:
    """The median of every second in which mails were due; of long runs of every so many seconds."""
    if not times:
        return []
    width = max(BLOCK_S, (times[-1][0] + BLOCK_S) / MAX_BLOCKS)
    found: dict[int, list[float]] = {}
    for at, took in times:
        found.setdefault(int(at / width), []).append(took)
    return [statistics.median(each) for _, each in sorted(found.items())]


def _count(run: Stored, name: str) -> float | None:
    value = run.document.get("counts", {}).get(name)
    return float(value) if isinstance(value, int) else None


def _row(metric: Metric, base: float | None, head: float | None) -> Row:
    change = (head - base) / base if base and head is not None else None
    return Row(metric, base, head, change, SHOWN)


Times = Sequence[tuple[float, float]]
