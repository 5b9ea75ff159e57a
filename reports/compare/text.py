"""A comparison as a table for the terminal, and the words that all other forms share.

Called by the commands and by the other forms. Never decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.compare.gate import FASTER, NOISY, SAME, SLOWER, SMALL
from reports.compare.model import Comparison, Party, Row

HEADINGS = ("metric", "base", "head", "change", "95 % interval", "found from", "finding")
DESCRIBED = 4  # columns that describe, and claim nothing
WORDS = (HEADINGS[0], HEADINGS[-1])
TONES = {SLOWER: "fail", NOISY: "unknown", SMALL: "unknown", FASTER: "pass", SAME: "pass"}


def as_text(comparison: Comparison) -> str:
    """The comparison in plain lines, verdict first."""
    lines = [
        f"{comparison.verdict.upper()}: {comparison.reason}",
        f"base {party(comparison.base)}",
        f"head {party(comparison.head)}",
        f"correctness {comparison.correctness}; speed {speed(comparison)}",
        "",
    ]
    lines += table([headings(comparison), *grid(comparison)]) if comparison.rows else []
    changed = [
        f"{row.name}: {row.base} before, {row.head} now" for row in comparison.checks if row.base != row.head
    ]
    lines += ["", *changed] if changed else []
    lines += ["", *comparison.notes] if comparison.notes else []
    return "\n".join(lines)


def speed(comparison: Comparison) -> str:
    """The verdict on speed, in a word or two."""
    return comparison.performance if comparison.kind == "regress" else "not judged"


def party(one: Party) -> str:
    """Who one of the two is."""
    known = " ".join(filter(None, (one.words, one.revision and f"revision {one.revision}")))
    return f"{known or 'revision not on record'}: {one.verdict} (run {one.run})"


def headings(comparison: Comparison) -> tuple[str, ...]:
    """The heads of the table's columns; of two stored runs nothing is known behind the change."""
    return HEADINGS if comparison.kind == "regress" else HEADINGS[:DESCRIBED]


def grid(comparison: Comparison) -> list[tuple[str, ...]]:
    """The rows of the table, as cells."""
    return [_cells(row)[: len(headings(comparison))] for row in comparison.rows]


def _cells(row: Row) -> tuple[str, ...]:
    metric = row.metric
    name = f"{metric.words}, {metric.unit}" if metric.unit else metric.words
    note = "" if metric.gates or row.p is None else " (does not gate)"
    return (
        name,
        number(row.base, metric.unit),
        number(row.head, metric.unit),
        share(row.change),
        f"{share(row.low)} to {share(row.high)}" if row.low is not None and row.high is not None else "-",
        share(row.found_from),
        row.finding + note,
    )


def number(value: float | None, unit: str) -> str:
    """A figure with as many digits as it needs; counts have none behind the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if not unit else f"{value:,.3f}" if unit == "s" else f"{value:,.2f}"


def share(value: float | None) -> str:
    """A change as signed percent."""
    return "-" if value is None else f"{value:+.1%}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns of one width: words are flush left, figures flush right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if rows[0][place] in WORDS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
