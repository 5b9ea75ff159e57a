"""The figures of a run: what they are called, and how those of several processes become one.

Used by the tally, which counts for one process, and by the session, which answers for all. Never judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SUMS = (
    "due",
    "sent",
    "accepted",
    "refused",
    "unknown",
    "delivered",
    "duplicates",
    "waiting",
    "processes",
    "blind",
)
"""`waiting`: accepted and not delivered. `blind`: of how many `processes` nobody knows what was delivered."""

LARGEST = ("oldest_waiting_s", "max_late_s")
"""Seconds; the first from when the oldest job was due that is waited for."""

Figures = dict[str, float]
_NAME = "mailstorm"


def together(parts: Iterable[Figures]) -> Figures:
    """Return the figures of several processes as one: sums, and the largest of the times."""
    each = list(parts)
    sums = {name: sum((part[name] for part in each), 0.0) for name in SUMS}
    return sums | {name: max((part[name] for part in each), default=0.0) for name in LARGEST}


class Collected:
    """What the workers of a master have said last, in Locust's own reports every 3 s and at the end."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Any]] = {}

    def take(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Take one worker's report (worker_report)."""
        if _NAME in data:
            self._last[client_id] = data[_NAME]

    def of(self, run: str) -> Figures:
        """Return the figures of a run; of a worker that died, the last ones."""
        return together(each["figures"] for each in self._last.values() if each["run"] == run)


def put(data: dict[str, Any], run: str, figures: Figures) -> None:
    """Add a worker's figures to its report (report_to_master)."""
    data[_NAME] = {"run": run, "figures": figures}
