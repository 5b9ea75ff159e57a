"""Mail that nobody asked for (phantom, unexpected), or that is not as asked (corrupted, misdelivered).

Called through the registry. That something was not submitted is only proven by complete evidence of the load.
"""

from __future__ import annotations

from collections import Counter

from reports.checks.base import CheckResult, conclude, plural
from reports.evidence import DELIVERIES, SUBMISSIONS
from reports.history import History


def phantom(history: History) -> CheckResult:
    """Stored although every submission was refused, or none was ever made."""
    keys = sorted(
        key
        for key, job in history.jobs.items()
        if job.copies and (job.rejected or not (job.invokes or job.oks))
    )
    return conclude(
        "phantom",
        keys,
        f"{plural(len(keys), 'mail')} arrived whose submission was refused or never made",
        "nothing arrived that had been refused",
        to_convict=history.missing(SUBMISSIONS),
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES),
    )


def unexpected(history: History) -> CheckResult:
    """Stored under the key of another run, an unknown key, or none."""
    # Only for an unknown key of this run might a lost line of the load be the innocent reason.
    proven = sorted(name for kind, name in history.strays if kind != "unknown key")
    names = proven + sorted(name for kind, name in history.strays if kind == "unknown key")
    kinds = dict(sorted(Counter(kind for kind, _ in history.strays).items()))
    listed = ", ".join(f"{count} with {kind}" for kind, count in kinds.items())
    return conclude(
        "unexpected",
        names,
        f"{plural(len(names), 'mail')} arrived that this run never planned: {listed}",
        "every stored mail belongs to this run",
        to_convict=[] if proven else history.missing(SUBMISSIONS),
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES),
        details={"kinds": kinds},
    )


def corrupted(history: History) -> CheckResult:
    """A stored copy whose content differs from the plan."""
    keys = sorted(history.damaged)
    return conclude(
        "corrupted",
        keys,
        f"{plural(len(keys), 'mail')} arrived with other content than planned",
        "every stored mail has the content that was planned",
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES),
    )


def misdelivered(history: History) -> CheckResult:
    """A stored copy for other recipients than planned."""
    keys = sorted(history.misrouted)
    return conclude(
        "misdelivered",
        keys,
        f"{plural(len(keys), 'mail')} went to other recipients than planned",
        "every stored mail went to its recipient",
        to_acquit=history.missing_for_jobs(SUBMISSIONS, DELIVERIES),
    )
