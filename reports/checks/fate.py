"""What became of a job that was accepted and never arrived: lost, stuck, held, given up, or undecided.

Used by the checks `lost`, `stuck`, `held` and `given_up`, which must agree. Never looks at jobs that arrived.
"""

from __future__ import annotations

import re
from typing import Literal

from reports.history import History
from reports.records import Job

Fate = Literal["lost", "stuck", "held", "given_up", "undecided"]
_CODE = re.compile(r"(?<![\d.])5\d\d(?!\d)")
# Refusals of the login or the session: no mail may be given up for these.
NOT_THIS_MAIL = frozenset({500, 502, 503, 504, 521, 530, 534, 535, 538})


def absent(history: History) -> list[tuple[str, Job, Fate]]:
    """Every accepted key of which no copy of any shape was stored, with its fate."""
    return [(key, job, fate(history, key, job)) for key, job in history.accepted() if not job.copies]


def fate(history: History, key: str, job: Job) -> Fate:
    """Say what became of an accepted job without a copy."""
    concerned: tuple[str | None, ...] = (key, job.to, None)
    refused = set().union(*(history.refusals.get(whom, ()) for whom in concerned)) - NOT_THIS_MAIL
    if "FAILURE" in job.states and "SUCCESS" not in job.states:
        named = {int(code) for code in _CODE.findall(job.reason)}
        return "given_up" if named & refused else "lost"
    if job.states and job.finished:
        return "lost"
    if not history.quiet:
        return "stuck"
    if job.held:
        return "held"
    return "undecided" if not job.states and refused else "lost"


def last_seen(job: Job) -> str:
    """Say where a job without a copy was seen last, in words."""
    if not job.answers:
        return "accepted by the API; its state is not on record"
    if job.chore is not None:
        of_mail = " and ".join(job.states) or "nothing"
        of_chore = f"{' and '.join(job.chore.states) or 'nothing'} of the job ({job.chore.kind})"
        return f"the system says {of_chore}, {of_mail} of the mail that tells its end"
    return f"the system says {' and '.join(job.states)}" + (f" ({job.reason})" if job.reason else "")
