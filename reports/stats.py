"""Figures of a run: percentiles of the delivery time, and the counts that a verdict quotes.

Called by `reports.verdict`. Never judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.checks.duplicates import causes_by_key
from reports.checks.fate import absent
from reports.history import History

PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile (share 0-1) of sorted values; never an interpolated one."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency_s(history: History) -> dict[str, float | None]:
    """Seconds from the due time to the first stored copy: p50, p95, p99 and max; null without a delivery."""
    times = sorted(
        (job.first_stored_ns - job.due_ns) / 1e9 for job in history.jobs.values() if job.copies and job.due_ns
    )
    if not times:
        return dict.fromkeys((*PERCENTILES, "max"))
    found = {name: round(percentile(times, share), 6) for name, share in PERCENTILES.items()}
    return {**found, "max": round(times[-1], 6)}


def counts(history: History) -> dict[str, int]:
    """Count jobs by what became of them; `copies` are stored mails that match the plan."""
    jobs = list(history.jobs.values())
    fates = [fate for _, _, fate in absent(history)]
    causes = [cause for found in causes_by_key(history).values() for cause in found]
    unclear = [job for job in jobs if not job.accepted and job.unresolved]
    good = [len(job.good) for job in jobs]
    return {
        "due": history.due,
        "sent": sum(1 for job in jobs if job.invokes),
        "accepted": sum(1 for job in jobs if job.accepted),
        "rejected": sum(1 for job in jobs if job.rejected),
        "unknown": len(unclear),
        "recovered": sum(1 for job in unclear if len(job.copies) == 1),
        "delivered": sum(1 for count in good if count),
        "copies": sum(good),
        "duplicates": sum(1 for cause in causes if cause != "unavoidable"),
        "unavoidable_duplicates": sum(1 for cause in causes if cause == "unavoidable"),
        "lost": fates.count("lost"),
        "stuck": fates.count("stuck"),
        "given_up": fates.count("given_up"),
        "in_doubt": sum(1 for job in jobs if job.in_doubt),
        "in_flight_at_kill": len({key for kill in history.kills for key in kill.in_flight}),
    }
