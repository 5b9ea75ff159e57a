"""What a `regress` measurement means: correctness hard, speed by the gate, three-valued.

Called by `python -m chaos regress` when both sides are judged; the same folder gives the same answer again.
Reads rounds.jsonl and what each side left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reports.compare import correctness, gate, stored
from reports.compare.model import Comparison, Point
from reports.evidence import stream
from reports.verdict import worst

ROUNDS = "rounds.jsonl"


@dataclass(frozen=True)
class Measurement:
    """What rounds.jsonl says."""

    about: dict[str, Any]
    points: dict[str, tuple[Point, ...]]
    notes: tuple[str, ...]


def conclude(folder: Path, limits: gate.Limits) -> Comparison:
    """Compare the two sides in a folder of `regress`. Raises NotComparable when a side was not judged."""
    measured = read(folder / ROUNDS)
    base, head = stored.load(folder / "base"), stored.load(folder / "head")
    checks = correctness.check_rows(base.checks, head.checks)
    right, broken = correctness.conclude(checks)
    rows = gate.rows(measured.points, limits)
    fast, slow = gate.conclude(rows, limits)
    about = measured.about
    return Comparison(
        kind="regress",
        verdict=worst([right, fast]),
        reason=broken if right == "fail" else slow if right == "pass" else f"{broken}; {slow}",
        base=replace(base.party, words=about.get("base", "")),
        head=replace(head.party, words=about.get("head", "")),
        correctness=right,
        checks=checks,
        performance=fast,
        rows=rows,
        notes=measured.notes,
        points=measured.points,
        settings={"effect": limits.effect, "alpha": limits.alpha, **about.get("settings", {})},
        machine=head.plan.machine,
        command=tuple(about.get("command", ())),
    )


def read(path: Path) -> Measurement:
    """Read rounds.jsonl; rounds that only warmed up or were spoilt give no points."""
    about: dict[str, Any] = {}
    notes: list[str] = []
    found: dict[str, list[Point]] = {metric.name: [] for metric in gate.METRICS}
    for record in stream(path, notes):
        if record["event"] == "measurement":
            about = record
        elif record["event"] == "spoilt":
            notes.append(f"round {record['round']} says nothing: {record['why']}")
        elif record["event"] == "round" and not record["warm_up"]:
            base, head = record["base"]["values"], record["head"]["values"]
            for name, points in found.items():
                points.append(Point(base[name], head[name]))
    return Measurement(about, {name: tuple(points) for name, points in found.items()}, tuple(notes))
