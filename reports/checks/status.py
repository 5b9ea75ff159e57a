"""Did the status API tell the truth: false_sent, false_failed, unfinished, and one job for one key.

Called through the registry. An early SUCCESS is a lie even when the mail arrives later.
"""

from __future__ import annotations

from reports.checks.base import FIRST, CheckResult, conclude, passed, plural
from reports.evidence import DELIVERIES, EVENTS, LEDGER, SUBMISSIONS
from reports.history import History
from reports.records import NOT_SENT, Job


def false_sent(history: History) -> CheckResult:
    """The API said SUCCESS while no copy was stored: at the end, or at the time of the answer."""
    final = [key for key, job in history.jobs.items() if not job.copies and "SUCCESS" in job.states]
    early = [key for key, job in history.jobs.items() if job.success_read_ns and _too_early(job)]
    keys = sorted({*final, *early})
    return conclude(
        "false_sent",
        keys,
        f"{plural(len(keys), 'mail')} called SUCCESS by the API while not stored",
        "the API said SUCCESS of stored mail only",
        to_convict=history.missing(DELIVERIES),
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES, LEDGER),
        details={"at the end": len(final), "too early": len(early)},
    )


def _too_early(job: Job) -> bool:
    return not job.copies or job.success_read_ns < job.first_stored_ns


def false_failed(history: History) -> CheckResult:
    """The API said FAILURE or REVOKED of a mail that was stored."""
    keys = sorted(key for key, job in history.jobs.items() if job.copies and _called_failed(job))
    return conclude(
        "false_failed",
        keys,
        f"{plural(len(keys), 'mail')} called FAILURE or REVOKED by the API although stored",
        "the API said FAILURE or REVOKED of no stored mail",
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES, LEDGER),
    )


def _called_failed(job: Job) -> bool:
    # With two jobs for one key the other one may have been sent: that is another check's finding.
    final = bool(job.states) and NOT_SENT.issuperset(job.states)
    return final or (bool(job.failure_read_ns) and len(job.ids) < 2)


def unfinished(history: History) -> CheckResult:
    """Delivered, at rest, and the API never says so: its last word is no end, and no doubt for a person."""
    open_ended = [key for key, job in history.jobs.items() if job.copies and job.answers and not job.finished]
    keys = sorted(key for key in open_ended if not history.jobs[key].held)
    held = sorted(key for key in open_ended if history.jobs[key].held)
    unsettled = [] if history.quiet else ["the system had not come to rest"]
    waiting = f"; {plural(len(held), 'delivered mail')} held in doubt for an operator" if held else ""
    result = conclude(
        "unfinished",
        keys,
        f"{plural(len(keys), 'mail')} delivered, and the API never says so{waiting}",
        f"the API came to an end with every delivered mail{waiting}",
        to_convict=unsettled + history.missing(EVENTS, DELIVERIES, LEDGER),
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES, LEDGER),
        details={
            "states": {key: " and ".join(history.jobs[key].answers) for key in keys[:FIRST]},
            "held": len(held),
        },
    )
    return result if result.verdict != "pass" else passed(result.name, result.summary, held, result.details)


def one_job_per_key(history: History) -> CheckResult:
    """Submitting a key again must name the same job; a 202 that could not be read is listed."""
    keys = sorted(key for key, job in history.jobs.items() if len(job.ids) > 1)
    unread = sorted(key for key, job in history.jobs.items() if job.unread)
    finding = f"; {plural(len(unread), 'key')} got a 202 that could not be read" if unread else ""
    return conclude(
        "one_job_per_key",
        keys,
        f"two jobs for one key: {plural(len(keys), 'key')}{finding}",
        f"no key was given two jobs{finding}",
        to_acquit=history.missing_for_jobs(SUBMISSIONS),
        details={
            "ids": {key: list(history.jobs[key].ids) for key in keys[:FIRST]},
            "unread_202": len(unread),
            "unread_202_keys": unread[:FIRST],
        },
    )
