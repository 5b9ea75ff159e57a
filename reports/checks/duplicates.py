"""More than one copy of a mail, each extra copy classed by its cause; the unavoidable stand apart.

Called through the registry. A second copy counts whatever the submission's outcome was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from reports.checks.base import FIRST, CheckResult, conclude, passed, plural
from reports.evidence import DELIVERIES
from reports.history import History
from reports.intake.fields import pid_of
from reports.records import Copy

Cause = Literal[
    "unavoidable",
    "sink_error",
    "client_resubmit",
    "broker_redelivery",
    "worker_retry",
    "in_doubt_retry",
    "double_enqueue",
]


def duplicate(history: History) -> CheckResult:
    """Extra copies that the system could have avoided."""
    causes = {
        key: guilty
        for key, found in causes_by_key(history).items()
        if (guilty := [cause for cause in found if cause != "unavoidable"])
    }
    keys = sorted(causes)
    total = Counter(cause for found in causes.values() for cause in found)
    listed = ", ".join(f"{count} by {cause.replace('_', ' ')}" for cause, count in sorted(total.items()))
    extra = total.total()
    return conclude(
        "duplicate",
        keys,
        f"{plural(extra, 'copy', 'copies')} too many of {plural(len(keys), 'mail')}: {listed}",
        "no mail was stored twice",
        to_acquit=history.missing_for_jobs(DELIVERIES),
        count=extra,
        details={
            "causes": dict(sorted(total.items())),
            "keys": {key: [str(cause) for cause in causes[key]] for key in keys[:FIRST]},
        },
    )


def unavoidable_duplicate(history: History) -> CheckResult:
    """Extra copies after a 250 that never left the sink, where there was nobody to ask (RFC 1047)."""
    extra = {key: found.count("unavoidable") for key, found in causes_by_key(history).items()}
    keys = sorted(key for key, count in extra.items() if count)
    total = sum(extra.values())
    of = plural(len(keys), "mail")
    words = f"{plural(total, 'copy', 'copies')} too many of {of}, each after a 250 that never left the sink"
    if keys and history.plan.thresholds.allow_unavoidable:
        return passed("unavoidable_duplicate", f"{words}; this scenario allows it", keys, {"copies": total})
    return conclude(
        "unavoidable_duplicate",
        keys,
        words,
        "no mail was stored twice for want of an answer",
        to_acquit=history.missing_for_jobs(DELIVERIES),
        count=total,
    )


def causes_by_key(history: History) -> dict[str, list[Cause]]:
    """Return, for each key with extra copies, the cause of every copy but the first."""
    killed = {pid for kill in history.kills for pid in kill.pids}
    found: dict[str, list[Cause]] = {}
    for key, job in history.jobs.items():
        if len(job.copies) > 1 and len(good := job.good) > 1:
            found[key] = [cause_of(history, good[:n], good[n], killed) for n in range(1, len(good))]
    return found


def cause_of(  # noqa: PLR0911 -- one return for each cause, the surest sign first
    history: History, earlier: Sequence[Copy], copy: Copy, killed: set[int]
) -> Cause:
    """Name what made the sink store `copy` after the `earlier` ones."""
    previous = earlier[-1]
    if any(one.session == copy.session and one.attempt == copy.attempt for one in earlier):
        return "sink_error"
    if copy.job_id is not None and all(one.job_id != copy.job_id for one in earlier):
        return "client_resubmit"
    if not history.plan.receipts and all(one.flushed is False for one in earlier):
        return "unavoidable"
    if copy.hint.endswith(" redelivered"):
        return "broker_redelivery"
    if pid_of(previous.worker) in killed:
        return "worker_retry"
    if previous.flushed is False:
        return "in_doubt_retry"
    if copy.attempt == previous.attempt and copy.hint != previous.hint:
        return "double_enqueue"
    return "worker_retry"
