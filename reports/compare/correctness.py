"""Did the head break a promise that the base keeps? The hard half of a comparison.

Used for stored runs and for `regress`. Says nothing about speed.
"""

from __future__ import annotations

from collections.abc import Mapping

from reports.checks.base import Status
from reports.compare.model import CheckRow
from reports.verdict import worst


def check_rows(base: Mapping[str, Status], head: Mapping[str, Status]) -> tuple[CheckRow, ...]:
    """Every check that either had, by name; one that only one of them had is unknown for the other."""
    rows = []
    for name in [*head, *(name for name in base if name not in head)]:
        before, now = base.get(name, "unknown"), head.get(name, "unknown")
        rows.append(CheckRow(name, before, now, _row(before, now)))
    return tuple(rows)


def _row(base: Status, head: Status) -> Status:
    if head == "pass":
        return "pass"
    # A base that was broken or blind itself cannot say that the head is to blame.
    return "fail" if head == "fail" and base == "pass" else "unknown"


def conclude(rows: tuple[CheckRow, ...]) -> tuple[Status, str]:
    """One verdict for all checks, and why."""
    verdict = worst([row.verdict for row in rows])
    if verdict == "pass":
        return verdict, "every check of the head passed"
    guilty = [row for row in rows if row.verdict == verdict]
    said = "; ".join(_words(row) for row in guilty[:3])
    rest = len(guilty) - 3
    return verdict, said + (f"; and {rest} more" if rest > 0 else "")


def _words(row: CheckRow) -> str:
    if row.verdict == "fail":
        return f"{row.name} fails, and passed before"
    if row.base == row.head == "fail":
        return f"{row.name} fails in both"
    return f"{row.name} is {row.head}, and was {row.base} before"
