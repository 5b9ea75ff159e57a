"""Reads the status of some accepted jobs now and then, as a user who waits for his mail would.

Called by the flood for its share of jobs. Never decides anything about a job: it writes what it was told.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.outcomes import Answer
from loadtests.submit import Evidence, Row

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

    def follow(self, key: str, job_id: str) -> None:
        """Read until terminal or the limit. Raises only OSError, when evidence cannot be written."""
        end_ns = self.clock_ns() + int(self.limit_s * 1e9)
        pause = 0.5
        while self.clock_ns() < end_ns:
            self.sleep(pause)
            if self._ask(key, job_id) in TERMINAL:
                return
            pause = min(pause * 2, 8.0)

    def _ask(self, key: str, job_id: str) -> str | None:
        asked_ns = self.clock_ns()
        size, error = 0, ""
        state: str | None = None
        try:
            answer = self.read(job_id)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        else:
            size = len(answer.body or b"")
            state = _state(answer)
            error = "" if state else f"{answer.status} without a state"
        self.row("GET", "/jobs/[id]", (self.clock_ns() - asked_ns) / 1e9, size, error or None)
        if state:
            self.evidence.append("status", key=key, id=job_id, state=state, asked_mono_ns=asked_ns)
        return state


def chosen(seed: int, number: int, share: float) -> bool:
    """Say whether job `number` belongs to the followed share (0-1); the same seed, the same jobs."""
    return random.Random(f"status:{seed}:{number}").random() < share


def _state(answer: Answer) -> str | None:
    if answer.status != 200:
        return None
    try:
        state = json.loads(answer.body or b"")["state"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return state if isinstance(state, str) else None
