"""The checks over accepted mail that never arrived: lost, stuck, held, given up.

Called through the registry. Absence is only proven by complete evidence of the sink.
"""

from __future__ import annotations

from reports.checks.base import FIRST, CheckResult, conclude, failed, plural, unknown
from reports.checks.fate import absent, last_seen
from reports.evidence import DELIVERIES, LEDGER, SUBMISSIONS
from reports.history import History

DRAIN_SLACK_S = 1.0


def lost(history: History) -> CheckResult:
    """Accepted, never stored, and the system is quiet or says that it is done."""
    fates = absent(history)
    keys = sorted(key for key, _, fate in fates if fate == "lost")
    undecided = sum(1 for _, _, fate in fates if fate == "undecided")
    accepted = sum(1 for _ in history.accepted())
    open_question = [f"{plural(undecided, 'mail')} may have been refused for good"] if undecided else []
    return conclude(
        "lost",
        keys,
        f"{len(keys)} of {plural(accepted, 'accepted mail')} never arrived and nothing is left to deliver",
        f"each of {plural(accepted, 'accepted mail')} arrived or is accounted for",
        to_convict=history.missing(DELIVERIES),
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES) + open_question,
        details={"last_seen": {key: last_seen(history.jobs[key]) for key in keys[:FIRST]}},
    )


def stuck(history: History) -> CheckResult:
    """Accepted, never stored, and the system was still at work when the run ended."""
    keys = sorted(key for key, _, fate in absent(history) if fate == "stuck")
    if not keys:
        needs = history.missing_for_jobs(SUBMISSIONS, DELIVERIES)
        return conclude("stuck", (), "", "no accepted mail was still on its way at the end", to_acquit=needs)
    limit, drain = history.plan.thresholds.drain_limit_s, history.drain
    details = {"last_seen": {key: last_seen(history.jobs[key]) for key in keys[:FIRST]}}
    words = f"{plural(len(keys), 'accepted mail')} had not arrived when the run ended"
    if missing := history.missing(DELIVERIES):
        return unknown("stuck", f"{words}; not proven: {missing[0]}", keys, details)
    if limit is not None and drain is not None and drain.seen and drain.after_s + DRAIN_SLACK_S >= limit:
        return failed(
            "stuck", f"{words}, {drain.after_s:g} s into the drain (limit {limit:g} s)", keys, details
        )
    return unknown("stuck", f"{words}: neither lost nor delivered", keys, details)


def held(history: History) -> CheckResult:
    """Accepted, perhaps never stored, and left to a person: the honest end where nobody can be asked."""
    keys = sorted(key for key, _, fate in absent(history) if fate == "held")
    if keys:
        words = f"{plural(len(keys), 'accepted mail')} never arrived and waits in doubt for an operator"
        return unknown("held", words, keys)
    needs = history.missing_for_jobs(SUBMISSIONS, DELIVERIES, LEDGER)
    return conclude("held", (), "", "no undelivered mail waits in doubt for an operator", to_acquit=needs)


def given_up(history: History) -> CheckResult:
    """Accepted and refused by the receiver for good: lawful, and listed."""
    keys = sorted(key for key, _, fate in absent(history) if fate == "given_up")
    details = {"reasons": {key: history.jobs[key].reason for key in keys[:FIRST]}}
    result = conclude(
        "given_up",
        (),
        "",
        f"{plural(len(keys), 'mail')} given up after the receiver refused it for good",
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES, LEDGER),
        details=details,
    )
    return CheckResult(result.name, result.verdict, len(keys), tuple(keys[:FIRST]), result.summary, details)
