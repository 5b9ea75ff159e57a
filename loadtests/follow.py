"""Reads the status of some accepted jobs now and then, as a user who waits for his mail would.

Called by the flood for its share of jobs. Never decides anything about a job: it writes what it was told.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loadtests.outcomes import Answer
from loadtests.submit import Evidence, Row
from loadtests.trail import queue_wait_s

TERMINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@dataclass
class Follower:
    """Follows a job until it is terminal, or for `limit_s` seconds; pauses double from 0.5 to 8 seconds."""

    read: Callable[[str], Answer]
    evidence: Evidence
    row: Row
    sleep: Callable[[float], object]
    limit_s: float = 120.0
    clock_ns: Callable[[], int] = time.monotonic_ns
    done: Callable[[str], object] = lambda _key: None
    """Hears the key of every job that it has followed to SUCCESS."""

    def follow(self, key: str, job_id: str) -> None:
        """Read until terminal or the limit. Raises only OSError, when evidence cannot be written."""
        end_ns = self.clock_ns() + int(self.limit_s * 1e9)
        pause, wait_s = 0.5, None
        while self.clock_ns() < end_ns:
            self.sleep(pause)
            job = self.ask(key, job_id)
            if wait_s is None and (wait_s := queue_wait_s(job.get("trail"))) is not None:
                self.row("E2E", "queue wait", wait_s, 0, None)
            if job.get("state") == "SUCCESS":
                self.done(key)
            if job.get("state") in TERMINAL:
                return
            pause = min(pause * 2, 8.0)

    def ask(self, key: str, job_id: str) -> dict[str, Any]:
        """Read once; return what it said, nothing when that had no state. Raises only OSError."""
        asked_ns = self.clock_ns()
        size, error = 0, ""
        job: dict[str, Any] = {}
        try:
            answer = self.read(job_id)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        else:
            size = len(answer.body or b"")
            job = _job(answer)
            error = "" if job else f"{answer.status} without a state"
        self.row("GET", "/jobs/[id]", (self.clock_ns() - asked_ns) / 1e9, size, error or None)
        if job:
            self.evidence.append("status", key=key, id=job_id, state=job["state"], asked_mono_ns=asked_ns)
        return job


def chosen(seed: int, number: int, share: float) -> bool:
    """Say whether job `number` belongs to the followed share (0-1); the same seed, the same jobs."""
    return random.Random(f"status:{seed}:{number}").random() < share


def _job(answer: Answer) -> dict[str, Any]:
    """Return the answer as it is; nothing when it is not that of a job."""
    if answer.status != 200:
        return {}
    try:
        job = json.loads(answer.body or b"")
    except (ValueError, RecursionError):
        return {}
    return job if isinstance(job, dict) and isinstance(job.get("state"), str) else {}
