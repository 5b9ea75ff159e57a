"""Carries out a job that is no mail: runs its kind and says how that ended.

Called by deliver.py and by the policies. Never lets an exception out, and never writes to the ledger.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from system.delivery import meters
from system.delivery.states import Lease
from system.kinds import KINDS, Job, JobFailed, LeaseLost
from system.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `result` is what JSON can hold; `words` are for the trail."""

    kind: Literal["done", "failed", "retry", "stale"]
    words: str = ""
    result: Any = None


def run(settings: Settings, lease: Lease, still_mine: Callable[[], bool]) -> Ended:
    """One run of the job's kind."""
    work = lease.work
    ended = _run(settings, lease, still_mine)
    meters.chores.labels(work.kind if work.kind in KINDS else "unknown", ended.kind).inc()
    return ended


def _run(settings: Settings, lease: Lease, still_mine: Callable[[], bool]) -> Ended:
    work = lease.work
    kind = KINDS.get(work.kind)
    if kind is None or kind.run is None:
        return Ended("failed", f"this worker knows no kind {work.kind!r}")
    beat_s = settings.lease_s / 4
    job = Job(work.job_id, lease.fence, work.payload, settings.greet_dir, still_mine, beat_s)
    try:
        return Ended("done", result=kind.run(job))
    except JobFailed as error:
        return Ended("failed", str(error))
    except LeaseLost:
        return Ended("stale", "the lease was lost")
    except OSError as error:
        return Ended("retry", f"{type(error).__name__}: {error}")
    except Exception as error:
        log.exception("job %s: unexpected", work.job_id)
        return Ended("failed", f"{type(error).__name__}: {error}")
