"""The verdict table for the terminal: one row per run.

Called by the harness when a suite is done. Never decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.verdict import Verdict

COLOURS = {"pass": "green", "fail": "bold red", "unknown": "yellow"}
MIN_WIDTH = 100
HEADINGS = (
    "scenario",
    "verdict",
    "accepted",
    "delivered",
    "lost",
    "duplicates",
    "in doubt",
    "recovery s",
    "p99 s",
)


def render(verdicts: Sequence[Verdict], out: TextIO | None = None, width: int | None = None) -> None:
    """Print the table, then each reason that is no pass and each report's path (to stdout by default)."""
    console = Console(file=out, width=width, highlight=False, markup=False, emoji=False)
    if width is None and console.width < MIN_WIDTH:
        console.width = MIN_WIDTH  # a log file has no width; a table cut into pieces helps nobody
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right", no_wrap=True)
    for verdict in verdicts:
        name, word, *figures = row(verdict)
        table.add_row(Text(name), Text(word.upper(), COLOURS[word]), *map(Text, figures))
    console.print(table)
    for verdict in verdicts:
        if verdict.verdict != "pass":
            console.print(Text(f"{verdict.plan.scenario}: {verdict.reason}"), soft_wrap=True)
        console.print(Text(f"{verdict.plan.scenario}: {verdict.run_dir / 'report.html'}"), soft_wrap=True)


def row(verdict: Verdict) -> tuple[str, ...]:
    """Return one verdict as the cells of its row."""
    counts = verdict.counts
    figures = [str(counts[name]) for name in ("accepted", "delivered", "lost", "duplicates", "in_doubt")]
    return (
        verdict.plan.scenario,
        verdict.verdict,
        *figures,
        _recovery(verdict),
        _seconds(verdict.latency_s["p99"]),
    )


def _recovery(verdict: Verdict) -> str:
    if any(not fault["recovered"] for fault in verdict.faults):
        return "never"
    return _seconds(max((fault["recovery_s"] for fault in verdict.faults), default=None))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
