"""The checks, in the order in which a reader wants them: what was promised first, the evidence last.

To add one: write a function `History -> CheckResult`, list it here, and write its known-bad history.
"""

from __future__ import annotations

from collections.abc import Callable

from reports.checks.absence import given_up, held, lost, stuck
from reports.checks.base import CheckResult, Status
from reports.checks.completeness import accepted, evidence, offered, story
from reports.checks.counters import metric_drift
from reports.checks.duplicates import duplicate, unavoidable_duplicate
from reports.checks.intruders import corrupted, misdelivered, phantom, unexpected
from reports.checks.leases import lease_recovery
from reports.checks.limits import limits
from reports.checks.recovery import bite, drained, recovery
from reports.checks.status import false_failed, false_sent, one_job_per_key, unfinished
from reports.history import History

Check = Callable[[History], CheckResult]

CHECKS: tuple[Check, ...] = (
    lost,
    duplicate,
    unavoidable_duplicate,
    phantom,
    unexpected,
    corrupted,
    misdelivered,
    false_sent,
    false_failed,
    unfinished,
    one_job_per_key,
    stuck,
    held,
    given_up,
    lease_recovery,
    recovery,
    limits,
    metric_drift,
    drained,
    bite,
    story,
    offered,
    accepted,
    evidence,
)

__all__ = ["CHECKS", "Check", "CheckResult", "Status"]
