"""limits: the thresholds of the plan, each held against the run's figures.

Called through the registry. A figure that is not on record breaks no limit and keeps none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reports import stats
from reports.checks.base import CheckResult, Status, plural
from reports.checks.fate import absent
from reports.evidence import DELIVERIES, EVENTS, LEDGER, SUBMISSIONS
from reports.history import History
from reports.limits import COUNTS, TRENDS, Limit, LimitError, parse

NAME = "limits"
FILES = (SUBMISSIONS, DELIVERIES, LEDGER, EVENTS)


def limits(history: History) -> CheckResult:
    """Every threshold of the plan holds; one without a figure is unknown."""
    if not history.plan.limits:
        return CheckResult(NAME, "pass", 0, (), "no limits are set", {"limits": []})
    figures = Figures(history)
    rows = [_row(figures, text) for text in history.plan.limits]
    total, details = plural(len(rows), "limit"), {"limits": rows}
    for verdict, words in (("fail", "broken"), ("unknown", "undecided")):
        if guilty := [row for row in rows if row["verdict"] == verdict]:
            shown = "; ".join(f"{row['limit']}: {row['why']}" for row in guilty[:3])
            summary = f"{len(guilty)} of {total} {words}: {shown}"
            return CheckResult(NAME, _status(verdict), len(guilty), (), summary, details)
    return CheckResult(NAME, "pass", 0, (), f"{total} kept", details)


def _status(word: str) -> Status:
    return "fail" if word == "fail" else "unknown"


def _row(figures: Figures, text: str) -> dict[str, Any]:
    try:
        limit = parse(text)
    except LimitError as error:
        return {"limit": text, "verdict": "unknown", "value": None, "why": str(error)}
    verdict, value, why = judge(figures, limit)
    return {"limit": limit.text, "verdict": verdict, "value": value, "why": why}


def judge(figures: Figures, limit: Limit) -> tuple[Status, float | None, str]:
    """Hold one limit against the run: the outcome, the figure, and words."""
    if gaps := figures.history.missing_for_jobs(*FILES):
        return "unknown", None, f"cannot be decided: {gaps[0]}"
    found = figures.of(limit)
    if found is None:
        return "unknown", None, "there is no figure for it on record"
    low, high, open_words = found
    value = round(low, 6) if math.isfinite(low) else None
    if limit.holds(low) != limit.holds(high):
        return "unknown", value, f"{_number(low)}, and {open_words}"
    return ("pass" if limit.holds(low) else "fail"), value, f"it is {_number(low)}"


Range = tuple[
    float, float, str
]  # the figure without what is still open, the figure with it, and what that is


class Figures:
    """The run's figures, each worked out once, when a limit asks for it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._samples: dict[str, tuple[list[float], int, str]] = {}
        self._counts: dict[str, int] = {}

    def of(self, limit: Limit) -> Range | None:
        """Return what this limit speaks of; None: nothing is on record."""
        if limit.metric in TRENDS:
            return self._trend(limit)
        if limit.metric not in COUNTS:
            value = self._gauge(limit.metric)
            return None if value is None else (value, value, "")
        if limit.statistic == "rate":
            rate = self._rate(limit.metric)
            return None if rate is None else (rate, rate, "")
        return self._count(limit.metric)

    def _trend(self, limit: Limit) -> Range | None:
        if limit.metric not in self._samples:
            values, missing, words = _samples(self.history, limit.metric)
            self._samples[limit.metric] = sorted(values), missing, words
        values, missing, words = self._samples[limit.metric]
        if not values and not missing:
            return None
        # What never came took for ever, as far as anybody knows.
        full = [*values, *[math.inf] * missing]
        return _statistic(limit, values or full), _statistic(limit, full), words

    def _count(self, metric: str) -> Range:
        self._counts = self._counts or stats.counts(self.history)
        count = float(self._counts[metric])
        if metric != "lost":
            return count, count, ""
        fates = [fate for _, _, fate in absent(self.history)]
        still = sum(1 for fate in fates if fate in ("stuck", "held", "undecided"))
        return count, count + still, f"{plural(still, 'mail')} more may be"

    def _rate(self, metric: str) -> float | None:
        """Mails per second from the load's begin to the last of them."""
        jobs = self.history.jobs.values()
        match metric:
            case "due":
                times = [job.due_ns for job in jobs if job.due_ns]
            case "accepted":
                times = [job.ok_ns for job in jobs if job.ok_ns]
            case _:
                times = [job.first_stored_ns for job in jobs if job.first_stored_ns]
        span_s = (max(times, default=0) - self.history.started_ns) / 1e9
        return len(times) / span_s if span_s > 0 else None

    def _gauge(self, metric: str) -> float | None:
        if metric == "late_seconds":
            return self.history.max_late_s if self.history.load_reasons else None
        drain = self.history.drain
        return drain.after_s if drain is not None and drain.quiet and drain.seen else None


def _samples(history: History, metric: str) -> tuple[list[float], int, str]:
    jobs = history.jobs.values()
    if metric == "recovery_seconds":
        times = [fault.recovery_s for fault in history.faults.values() if fault.recovery_s is not None]
        never = len(history.faults) - len(times)
        return times, never, f"{plural(never, 'fault')} without a recovery"
    if metric == "accept_seconds":
        found = [(job.ok_ns - job.due_ns) / 1e9 for job in jobs if job.ok_ns and job.due_ns]
        never = history.due - len(found)
        return found, never, f"{plural(never, 'due mail')} without a 202"
    stored = [(job.first_stored_ns - job.due_ns) / 1e9 for job in jobs if job.first_stored_ns and job.due_ns]
    missing = sum(1 for job in jobs if job.accepted and not job.first_stored_ns)
    return stored, missing, f"{plural(missing, 'accepted mail')} never arrived"


def _statistic(limit: Limit, ordered: Sequence[float]) -> float:
    match limit.statistic:
        case "avg":
            return math.fsum(ordered) / len(ordered)
        case "min":
            return ordered[0]
        case "max":
            return ordered[-1]
        case _:
            return stats.percentile(ordered, 0.5 if limit.share is None else limit.share)


def _number(value: float) -> str:
    return f"{value:,.6g}" if math.isfinite(value) else "without end"
