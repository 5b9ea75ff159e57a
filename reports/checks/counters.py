"""metric_drift: a counter of the dashboard must agree with the evidence of what it claims to count.

Called through the registry. Counters that were not scraped around the whole run decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.checks.base import CheckResult, passed, unknown
from reports.evidence import DELIVERIES, LEDGER, METRICS, SUBMISSIONS
from reports.history import History
from reports.intake.metrics import matching

EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Claim:
    """A counter and the range that the evidence allows for its rise over the run."""

    counter: str
    labels: dict[str, str]
    low: int
    high: int
    shared: bool
    """Every target shows the same store's figure (else each counts for itself, and they are added)."""
    until_ns: int
    gaps: list[str]


def metric_drift(history: History) -> CheckResult:
    """Compare three counters with the submissions, the ledger and the deliveries."""
    drifted, open_questions, details = [], [], {}
    for claim in _claims(history):
        rise, why = _rise(history, claim)
        wanted = str(claim.low) if claim.low == claim.high else f"{claim.low} to {claim.high}"
        details[claim.counter] = {"rise": rise, "evidence": wanted}
        if why or claim.gaps or rise is None:
            open_questions.append(f"{claim.counter}: {why or claim.gaps[0]}")
        elif not claim.low - EPSILON <= rise <= claim.high + EPSILON:
            drifted.append(f"{claim.counter} rose by {rise:g}, the evidence says {wanted}")
    if drifted:
        return CheckResult("metric_drift", "fail", len(drifted), (), "; ".join(drifted), details)
    if open_questions:
        return unknown("metric_drift", "cannot be decided: " + "; ".join(open_questions), (), details)
    return passed("metric_drift", "the counters agree with the evidence", (), details)


def _claims(history: History) -> list[Claim]:
    jobs = history.jobs.values()
    accepted = sum(max(1, len(job.ids)) for job in jobs if job.oks)
    unclear = [job for job in jobs if not job.oks and job.unresolved]
    perhaps = len(unclear)
    last_ok = max((job.ok_ns for job in jobs), default=0)
    last_copy = max((job.copies[-1].at_ns for job in jobs if job.copies), default=0)
    told, untold = _told_ends(history)
    # The mail that tells the end of a chore is a job of its own: accepted when the chore ends.
    unclear_ends = sum(1 for job in unclear if job.chore is not None)
    last_accepted = last_copy if history.chores else last_ok
    unsettled = [] if history.quiet else ["the system had not come to rest"]
    nothing = history.missing_for_jobs()
    return [
        Claim(
            "mail_jobs_accepted_total",
            {},
            accepted + told,
            accepted + told + untold + perhaps + unclear_ends,
            True,
            max(last_ok, last_accepted),
            nothing + history.missing(SUBMISSIONS, METRICS),
        ),
        Claim(
            "mail_jobs_terminal_total",
            {"state": "sent"},
            history.successes,
            history.successes + perhaps + untold + sum(1 for job in jobs if job.unread and not job.ids),
            True,
            last_copy,
            nothing + history.missing(SUBMISSIONS, LEDGER, METRICS) + unsettled,
        ),
        Claim(
            "sink_messages_stored_total",
            {},
            history.stored,
            history.stored,
            False,
            last_copy,
            nothing + history.missing(DELIVERIES, METRICS),
        ),
    ]


def _told_ends(history: History) -> tuple[int, int]:
    """How many mails that tell the end of a chore are on the ledger, and how many more there may be."""
    chores = [history.jobs[key] for key in history.chores.values()]
    told = sum(len(job.states) for job in chores)
    return told, sum(max(0, max(1, len(job.ids)) - len(job.states)) for job in chores if job.oks)


def _rise(history: History, claim: Claim) -> tuple[float | None, str]:
    found = matching(history, claim.counter, **claim.labels)
    if not found:
        return None, "never scraped"
    rises = {target: sum(one.increase for one in some) for target, some in found.items()}
    rise = max(rises.values()) if claim.shared else sum(rises.values())
    first = max(min(one.first_ns for one in some) for some in found.values())
    last = max(max(one.last_ns for one in some) for some in found.values())
    if history.first_try_ns and first > history.first_try_ns:
        return rise, "first scraped after the load had begun"
    if last < claim.until_ns:
        return rise, "not scraped after the last event that it counts"
    return rise, ""
