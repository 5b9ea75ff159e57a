"""A comparison as JSON, Markdown and a page; for `regress` all three are left in its folder.

Called by the commands. Never compares. The schema of the JSON is comparison.schema.json beside this file.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from reports.compare import text
from reports.compare.gate import SHOWN_CONFIDENCE
from reports.compare.model import Comparison
from reports.compare.picture import draw
from reports.render import replace_file
from reports.render.html import MARKS, environment
from reports.render.markdown import SIGNS, code, limited, plain

SCHEMA_VERSION = 1
REGRESS_HTML, REGRESS_JSON, SUMMARY_MD = "regress.html", "regress.json", "summary.md"


def write_regress(folder: Path, comparison: Comparison) -> Path:
    """Write all three forms; the path of the page. Raises OSError."""
    replace_file(folder / REGRESS_JSON, as_json(comparison))
    replace_file(folder / SUMMARY_MD, as_markdown(comparison))
    return replace_file(folder / REGRESS_HTML, as_html(comparison))


def _plain(words: str) -> str:
    return plain(words, unprintable=" ")


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison in the shape of the schema."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(comparison)}
    document["rows"] = [row.pop("metric") | row for row in document["rows"]]
    return document


def as_json(comparison: Comparison) -> str:
    """The comparison as JSON."""
    return json.dumps(as_dict(comparison), indent=1, allow_nan=False) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """The comparison for a comment on a pull request; what does not fit is left out with a word about it."""
    title = "base and head" if comparison.kind == "compare" else "regression"
    lines = [
        f"## {SIGNS[comparison.verdict]} {title}: {comparison.verdict}",
        "",
        _plain(comparison.reason),
        "",
        f"- base {_plain(text.party(comparison.base))}",
        f"- head {_plain(text.party(comparison.head))}",
        f"- correctness: {comparison.correctness}; speed: {text.speed(comparison)}",
        "",
        f"| {' | '.join(text.headings(comparison))} |",
        "|" + "".join(" --- |" if word in text.WORDS else " ---: |" for word in text.headings(comparison)),
        *(f"| {' | '.join(map(_plain, cells))} |" for cells in text.grid(comparison)),
    ]
    worse = [row for row in comparison.checks if row.verdict != "pass"]
    if worse:
        lines += ["", "| check | base | head |", "| --- | --- | --- |"]
        lines += [f"| {code(row.name)} | {row.base} | {SIGNS[row.head]} {row.head} |" for row in worse]
    lines += ["", *(f"- {_plain(note)}" for note in comparison.notes)] if comparison.notes else []
    lines += ["", "Again:", "", code(" ".join(comparison.command))] if comparison.command else []
    return limited(lines, "on the page")


def as_html(comparison: Comparison) -> str:
    """The comparison as one page that needs no network."""
    here = Path(__file__).parent
    gating = [row for row in comparison.rows if row.metric.gates]
    return (
        environment(here)
        .get_template("comparison.html.j2")
        .render(
            c=comparison,
            marks=MARKS,
            tones=text.TONES,
            party=text.party,
            speed=text.speed(comparison),
            headings=text.headings(comparison),
            grid=text.grid(comparison),
            words=text.WORDS,
            gating=gating,
            confidence=SHOWN_CONFIDENCE,
            style=_ours((here / "comparison.css").read_text()),
            pictures=[
                _ours(
                    draw(
                        row, comparison.points[row.metric.name], float(comparison.settings.get("effect", 0.0))
                    )
                )
                for row in comparison.rows
                if row.metric.name in comparison.points
            ],
        )
    )


def _ours(text: str) -> Markup:
    """Our own style sheet or drawing; the latter escapes its labels itself."""
    return Markup(text)  # noqa: S704
