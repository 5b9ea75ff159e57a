"""Readers of status: people who look at the list of jobs, or at one that was accepted a moment ago.

Called by the flood. Writes what it was told of a job of this run; a list is only a row of Locust's.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

from loadtests.follow import Follower
from loadtests.outcomes import Answer
from loadtests.submit import Row

RECENT = 200


class Reader:
    """Reads through `follower`, or the list through `listing`; each of the two every other time by `seed`."""

    def __init__(self, follower: Follower, listing: Callable[[], Answer], row: Row, seed: int) -> None:
        self._follower, self._listing, self._row = follower, listing, row
        self._rng = random.Random(f"reader:{seed}")
        self._recent: deque[tuple[str, str]] = deque(maxlen=RECENT)

    def remember(self, key: str, job_id: str) -> None:
        """Hear of an accepted job."""
        self._recent.append((key, job_id))

    def look(self) -> None:
        """Read once. Raises only OSError, when evidence cannot be written."""
        if self._recent and self._rng.random() < 0.5:
            self._follower.ask(*self._rng.choice(self._recent))
        else:
            self._look_at_list()

    def _look_at_list(self) -> None:
        asked_ns = time.monotonic_ns()
        size, error = 0, ""
        try:
            answer = self._listing()
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        else:
            size = len(answer.body or b"")
            error = (
                "" if answer.status == 200 and answer.body is not None else f"{answer.status} without a list"
            )
        self._row("GET", "/jobs", (time.monotonic_ns() - asked_ns) / 1e9, size, error or None)
