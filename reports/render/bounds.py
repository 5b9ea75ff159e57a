"""How much of a run's stories a page can show, so that it opens at once whatever the run was.

Called by `html`. What is left out is in verdict.json, and the page says so.
"""

from __future__ import annotations

from html import escape

from reports.logs import LogLine
from reports.trails import Trail
from reports.verdict import Verdict

TRAIL_BYTES, LOG_BYTES = 350_000, 200_000
LINE_BYTES = 90  # what a line costs besides its text


def affordable(trails: dict[str, Trail]) -> dict[str, Trail]:
    """Return the first trails, as many as a page of bounded size can show; verdict.json has them all."""
    kept, spent = {}, 0
    for key, trail in trails.items():
        spent += sum(LINE_BYTES + _size(line.text) for line in trail.lines) + _size(trail.said) + 500
        if spent > TRAIL_BYTES:
            break
        kept[key] = trail
    return kept


def excerpts(verdict: Verdict, shown: dict[str, Trail]) -> dict[str, tuple[LogLine, ...]]:
    """Return what the logs say around the trails that are shown, within the page's bounds."""
    kept, spent = {}, 0
    for key, lines in verdict.logs.items():
        spent += sum(LINE_BYTES + _size(line.text) for line in lines)
        if key in shown and spent <= LOG_BYTES:
            kept[key] = lines
    return kept


def _size(text: str) -> int:
    return len(escape(text).encode("utf-8", "backslashreplace"))
