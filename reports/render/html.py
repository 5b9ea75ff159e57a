"""The verdict for people: report.html, one file that needs no network.

Called by `write_all`. Never trusts a text from evidence: the template engine escapes every one.
"""

from __future__ import annotations

import shlex
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports.checks.base import RANK
from reports.render.bounds import affordable, excerpts
from reports.render.clockbar import bar
from reports.render.document import began, limit_rows
from reports.render.junit import fault_outcome
from reports.render.numbers import HEADINGS, rows
from reports.render.svg import NARROW, Picture
from reports.render.words import details, figures, revision, seconds, short, step
from reports.trails import Trail
from reports.verdict import Verdict

HERE = Path(__file__).parent
MARKS = {"pass": "✓", "fail": "✗", "unknown": "?"}
OPEN_TRAILS = 3
MAX_ROWS = 60  # of faults, and of kills; verdict.json has them all
MAX_NUMBERS = 40  # rows of the picture as a table


@cache
def environment(folder: Path = HERE) -> Environment:
    """Return the template engine of a folder's pages; it escapes whatever is not our own drawing."""
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["s"] = seconds
    found.filters["revision"] = revision
    return found


def as_html(verdict: Verdict) -> str:
    """Return report.html."""
    span_s, trails = verdict.timeline.span_s, affordable(verdict.trails)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            v=verdict,
            plan=verdict.plan,
            began=began(verdict),
            marks=MARKS,
            checks=sorted(verdict.checks, key=lambda check: RANK[check.verdict]),
            findings=sorted(
                (check for check in verdict.checks if check.verdict != "pass"),
                key=lambda check: RANK[check.verdict],
            ),
            example=example(verdict, trails),
            figures=figures(verdict),
            limits=limit_rows(verdict),
            trails=trails,
            logs=excerpts(verdict, trails),
            anchors={key: f"trail-{number}" for number, key in enumerate(trails, start=1)},
            open_trails=OPEN_TRAILS,
            details=details,
            short=partial(short, f"{verdict.plan.run}-"),
            step=step,
            # Markup: these are our own drawings, and escape the labels themselves.
            faults=[
                (fault, *fault_outcome(verdict, fault), Markup(bar(fault, span_s)))  # noqa: S704
                for fault in verdict.faults[:MAX_ROWS]
            ],
            kills=verdict.kills[:MAX_ROWS],
            command=shlex.join(verdict.plan.command),
            wide=Markup(Picture(verdict.timeline).draw()),  # noqa: S704
            narrow=Markup(Picture(verdict.timeline, NARROW, "narrow").draw()),  # noqa: S704
            headings=HEADINGS,
            rows=rows(verdict.timeline, MAX_NUMBERS),
        )
    )


def example(verdict: Verdict, trails: dict[str, Trail]) -> str:
    """Return the first key that a check of this verdict names and whose story says where it went wrong."""
    if verdict.verdict == "pass":
        return ""
    guilty = {key for check in verdict.checks if check.verdict == verdict.verdict for key in check.keys}
    return next((key for key, trail in trails.items() if key in guilty and trail.said), "")
