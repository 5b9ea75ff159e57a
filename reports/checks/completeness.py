"""The checks of the evidence itself: is it whole, does it agree with itself, and is there enough of it.

Called through the registry. These never fail a run: without evidence there is no verdict, that is all.
"""

from __future__ import annotations

from reports.checks.base import CheckResult, passed, plural, unknown
from reports.history import History
from reports.intake.deliveries import PROXY_BYTES, SMTP_PROXY
from reports.intake.metrics import matching

READ_AHEAD = 2048  # bytes a sink may leave unread in a session that did not end with QUIT


def evidence(history: History) -> CheckResult:
    """No gap, no torn line, every end mark, every session ended, and the files agree with each other."""
    found = [problem for problems in history.problems.values() for problem in problems]
    found += proxy_bytes(history)
    details = {"records": dict(history.records), "problems": found[:40]}
    if found:
        more = f" (and {len(found) - 2} more)" if len(found) > 2 else ""
        words = f"the evidence is not whole: {'; '.join(found[:2])}{more}"
        return CheckResult("evidence", "unknown", len(found), (), words, details)
    return passed("evidence", f"{sum(history.records.values())} records, without a gap", (), details)


def proxy_bytes(history: History) -> list[str]:
    """Compare what the sink read with what the proxy in front of it sent; bytes.

    Toxiproxy counts a connection only when it has ended without a write error: each side has its own bound.
    """
    series = [one for some in matching(history, PROXY_BYTES, **SMTP_PROXY).values() for one in some]
    if not series:
        return []
    sent, sessions = sum(one.total for one in series), history.sessions
    if sessions.settled_bytes > sent:
        read = sessions.settled_bytes
        return [f"the sink read {read} bytes in sessions that ended with QUIT, its proxy sent {sent:.0f}"]
    allowed = sessions.bytes_in + READ_AHEAD * (sessions.abnormal + sessions.begun - sessions.ended)
    if sent > allowed:
        return [f"the proxy sent {sent:.0f} bytes to the sink, which read {sessions.bytes_in}"]
    return []


def accepted(history: History) -> CheckResult:
    """Enough jobs were accepted for the verdict to mean something."""
    count, least = sum(1 for _ in history.accepted()), max(1, history.plan.thresholds.min_accepted)
    details = {"accepted": count, "min_accepted": least}
    if count < least:
        words = f"{plural(count, 'job')} accepted, at least {least} are needed"
        return CheckResult("accepted", "unknown", count, (), words, details)
    return CheckResult("accepted", "pass", count, (), f"{plural(count, 'job')} accepted", details)


def offered(history: History) -> CheckResult:
    """The load offered what was planned: every due job was sent."""
    due, sent = history.due, sum(1 for job in history.jobs.values() if job.invokes)
    details = {"due": due, "sent": sent, "reasons": sorted(set(history.load_reasons))}
    if not due:
        return unknown("offered", "no job was due", (), details)
    if sent < due or history.said_sent != sent:
        says = "" if history.said_sent == sent else f" (the load says {history.said_sent})"
        return unknown("offered", f"{due} jobs were due, {sent} were sent{says}", (), details)
    return passed("offered", f"all {due} due jobs were sent", (), details)
