"""Figures, moments and details of a verdict in the words of the report page.

Called by `html` and by its template. Never escapes: the template engine does.
"""

from __future__ import annotations

from typing import Any

from reports.checks import CheckResult
from reports.render.document import limit_rows
from reports.trails import Line
from reports.verdict import Verdict

MAX_DETAIL = 2_000  # characters of one detail of a check


def figures(verdict: Verdict) -> list[tuple[str, str, bool]]:
    """Return the figures of the first screen: name, value, and whether it is bad news."""
    counts, times = verdict.counts, verdict.latency_s
    slowest = max((fault["recovery_s"] for fault in verdict.faults if fault["recovered"]), default=None)
    never = any(not fault["recovered"] for fault in verdict.faults)
    found = [
        ("accepted", f"{counts['accepted']:,}", False),
        ("delivered", f"{counts['delivered']:,}", counts["delivered"] < counts["accepted"]),
        ("lost", f"{counts['lost']:,}", counts["lost"] > 0),
        ("duplicates", f"{counts['duplicates']:,}", counts["duplicates"] > 0),
        ("stuck", f"{counts['stuck']:,}", counts["stuck"] > 0),
        ("ever in doubt", f"{counts['in_doubt']:,}", False),
        ("slowest recovery", "never" if never else seconds(slowest, " s"), never),
        ("p50 due→stored", seconds(times["p50"], " s"), False),
        ("p99 due→stored", seconds(times["p99"], " s"), False),
    ]
    if limits := limit_rows(verdict):
        kept = sum(1 for row in limits if row["verdict"] == "pass")
        found.append(("limits kept", f"{kept} of {len(limits)}", kept < len(limits)))
    return found


def details(check: CheckResult) -> list[tuple[str, str]]:
    """Return a check's details as plain lines, without what the page shows elsewhere."""
    return [
        (name.replace("_", " "), _words(value)[:MAX_DETAIL])
        for name, value in check.details.items()
        if value not in ({}, []) and not _shown(check, name, value)
    ]


def _shown(check: CheckResult, name: str, value: Any) -> bool:
    """Say whether the page shows this elsewhere: the limits in a table, a word on each key with its story."""
    by_key = isinstance(value, dict) and all(key in check.keys for key in value)
    return by_key or (check.name == "limits" and name == "limits")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def short(prefix: str, key: str) -> str:
    """Return a key without the run's name, which all keys of a run share."""
    return key.removeprefix(prefix) or key


def step(line: Line) -> str:
    """Return the moment of a trail's step as seconds since the mail was due."""
    return "" if line.since_due_s is None else f"{line.since_due_s:+.3f}"


def seconds(value: float | None, unit: str = "") -> str:
    """Show seconds with two decimals, or a dash."""
    return "-" if value is None else f"{value:,.2f}{unit}"


def revision(text: str) -> str:
    """Show the first 12 digits of a git revision, and whether there were changes on top of it."""
    digits, plus, changes = text.partition("+")
    return digits[:12] + plus + changes[:10]
