"""The verdict for people: report.html, one file that needs no network.

Called by `write_all`. Never trusts a text from evidence: the template engine escapes every one.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.checks import CheckResult
from reports.render.svg import Picture
from reports.trails import Line
from reports.verdict import Verdict

MARKS = {"pass": "✓", "fail": "✗", "unknown": "?"}
ORDER = {"fail": 0, "unknown": 1, "pass": 2}


def as_html(verdict: Verdict) -> str:
    """Return report.html."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["s"] = seconds
    anchors = {key: f"trail-{number}" for number, key in enumerate(verdict.trails, start=1)}
    return environment.get_template("report.html.j2").render(
        v=verdict,
        plan=verdict.plan,
        marks=MARKS,
        checks=sorted(verdict.checks, key=lambda check: ORDER[check.verdict]),
        findings=[check for check in verdict.checks if check.verdict != "pass"],
        figures=figures(verdict),
        anchors=anchors,
        details=details,
        step=step,
        command=shlex.join(verdict.plan.command),
        # Markup: the picture is our own drawing, and escapes the labels itself.
        picture=Markup(Picture(verdict.timeline).draw()),  # noqa: S704
    )


def figures(verdict: Verdict) -> list[tuple[str, str, bool]]:
    """Return the figures of the first screen: name, value, and whether it is bad news."""
    counts, times = verdict.counts, verdict.latency_s
    slowest = max((fault["recovery_s"] for fault in verdict.faults if fault["recovered"]), default=None)
    never = any(not fault["recovered"] for fault in verdict.faults)
    return [
        ("accepted", f"{counts['accepted']:,}", False),
        ("delivered", f"{counts['delivered']:,}", False),
        ("lost", f"{counts['lost']:,}", counts["lost"] > 0),
        ("duplicates", f"{counts['duplicates']:,}", counts["duplicates"] > 0),
        ("stuck", f"{counts['stuck']:,}", counts["stuck"] > 0),
        ("ever in doubt", f"{counts['in_doubt']:,}", False),
        ("slowest recovery", "never" if never else seconds(slowest, " s"), never),
        ("p50 due to stored", seconds(times["p50"], " s"), False),
        ("p99 due to stored", seconds(times["p99"], " s"), False),
    ]


def details(check: CheckResult) -> list[tuple[str, str]]:
    """Return a check's details as plain lines, without what the page shows elsewhere."""
    return [
        (name.replace("_", " "), _words(value))
        for name, value in check.details.items()
        if value not in ({}, [])
    ]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def step(line: Line) -> str:
    """Return the moment of a trail's step as seconds since the mail was due."""
    return "" if line.since_due_s is None else f"{line.since_due_s:+.3f}"


def seconds(value: float | None, unit: str = "") -> str:
    """Show seconds with two decimals, or a dash."""
    return "-" if value is None else f"{value:,.2f}{unit}"
