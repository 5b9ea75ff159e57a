"""The checks of the evidence itself: is it whole and at one, is there enough of it, was the story told.

Called through the registry. These never fail a run: without evidence there is no verdict, that is all.
"""

from __future__ import annotations

from math import isclose

from reports.checks.base import CheckResult, conclude, passed, plural, unknown
from reports.evidence import EVENTS
from reports.history import History
from reports.intake.deliveries import PROXY_BYTES, SMTP_PROXY
from reports.intake.metrics import matching

MAX_LATE_S = 1.0  # a submission later than this after its due time: the load is not the one that was planned
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
    if not series or history.sessions.encrypted:
        # Under TLS the sink counts what was said, the proxy what was sent.
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
    """The load offered what was planned: this rate and seed, every due job sent, and sent when it was due."""
    due, sent = history.due, sum(1 for job in history.jobs.values() if job.invokes)
    details = {
        "due": due,
        "sent": sent,
        "max_late_s": history.max_late_s,
        "reasons": sorted(set(history.load_reasons)),
    }
    if words := _not_as_planned(history, due, sent):
        return unknown("offered", "; ".join(words[:3]), (), details)
    return passed(
        "offered", f"all {due} due jobs were sent, at most {history.max_late_s:.2f} s late", (), details
    )


def _not_as_planned(history: History, due: int, sent: int) -> list[str]:
    words = [] if due else ["no job was due"]
    words += sorted({reason for reason in history.load_reasons if reason.startswith("load broken")})
    if sent < due or history.said_sent != sent:
        says = "" if history.said_sent == sent else f" (the load says {history.said_sent})"
        words.append(f"{due} jobs were due, {sent} were sent{says}")
    if history.max_late_s > MAX_LATE_S:
        late = f"a job was sent {history.max_late_s:.1f} s late (limit {MAX_LATE_S:g} s)"
        words.append(f"the load generator could not hold its schedule: {late}")
    plan = history.plan
    for rate, seed in sorted(set(history.load_plans)):
        if not isclose(rate, plan.rate_per_s, rel_tol=1e-6) or seed != plan.seed:
            asked = f"the plan asks for {plan.rate_per_s:g}/s with seed {plan.seed}"
            words.append(f"the load ran at {rate:g}/s with seed {seed}, {asked}")
    return words


def story(history: History) -> CheckResult:
    """The scenario was played to its end, by a load that ended well and a harness that did not fail."""
    told, exits, failures = history.story.told, history.story.exits, history.story.failures
    words = [f"the harness failed: {why}" for why in failures]
    if told is None:
        words.append("no record says whether the story was told to its end")
    elif not told:
        words.append(f"the story was not told to its end: {history.story.why or 'nobody says why'}")
    if not exits:
        words.append("no record says how the load ended")
    words += [_load_end(status) for status in exits if status != 0]
    details = {"told": told, "load_exits": list(exits), "harness_failed": failures[:20]}
    if words:
        return CheckResult("story", "unknown", len(words), (), "; ".join(words[:3]), details)
    clear = "the story was told to its end, and the load ended well"
    return conclude("story", (), "", clear, to_acquit=history.missing(EVENTS), details=details)


def _load_end(status: int | None) -> str:
    if status is None:
        return "the load was not seen to end"
    return f"the load ended by signal {-status}" if status < 0 else f"the load ended with status {status}"
