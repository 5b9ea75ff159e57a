"""The kinds of job, by name: what a request for one must hold, and what carrying it out means.

Used by the API to check requests and by the worker to carry jobs out. A new kind is one file and one line
here.
"""

from __future__ import annotations

from system.kinds import add, email, greet, reverse, sentiment, sleep
from system.kinds.base import Job, JobFailed, Kind, LeaseLost

__all__ = ["KINDS", "Job", "JobFailed", "Kind", "LeaseLost"]

KINDS = {
    kind.name: kind for kind in (email.KIND, greet.KIND, sleep.KIND, add.KIND, reverse.KIND, sentiment.KIND)
}
