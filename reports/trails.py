"""The story of a few keys: a second pass over the evidence that merges every file in order of time.

Called by `reports.verdict` for the keys that checks name. Bounded, whatever the run's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.case import Diagnosis, Step
from reports.checks.base import RANK, CheckResult
from reports.collector import Collector
from reports.diagnosis import explain
from reports.history import History

MAX_TRAILS = 100
MAX_LINES = 80
MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Line:
    """One step: seconds since the load began, since the key was due, who says it, and what."""

    at_s: float
    since_due_s: float | None
    source: str
    text: str
    wrong: bool = False
    """Here it went wrong."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The steps of one key, what the checks say of it, and where it went wrong in one sentence."""

    lines: tuple[Line, ...]
    findings: tuple[str, ...]
    said: str = ""


def collect(history: History, run_dir: Path, checks: Sequence[CheckResult]) -> dict[str, Trail]:
    """Return the trails of the first keys that the checks name; failing checks come first."""
    findings: dict[str, list[CheckResult]] = {}
    for check in sorted(checks, key=lambda check: RANK[check.verdict]):
        for key in check.keys:
            if key in findings or len(findings) < MAX_TRAILS:
                findings.setdefault(key, []).append(check)
    collector = Collector(history, findings)
    if findings:
        collector.read(run_dir)
    return {key: _trail(collector, key, found) for key, found in findings.items()}


def _trail(collector: Collector, key: str, checks: Sequence[CheckResult]) -> Trail:
    steps = collector.told(key)
    diagnosis = explain(collector.history, key, [check.name for check in checks], steps)
    return Trail(
        _lines(collector.history, key, steps, diagnosis),
        tuple(_finding(one, key) for one in checks),
        diagnosis.said,
    )


def _finding(check: CheckResult, key: str) -> str:
    for part in check.details.values():
        if isinstance(part, dict) and key in part:
            note = part[key] if isinstance(part[key], str) else ", ".join(part[key])
            return f"{check.name} ({check.verdict}): {note[:MAX_TEXT]}"
    return f"{check.name} ({check.verdict})"


def _lines(history: History, key: str, steps: Sequence[Step], diagnosis: Diagnosis) -> tuple[Line, ...]:
    """Return the steps as lines, those in the middle left out when there are too many."""
    due = history.jobs[key].due_ns if key in history.jobs else 0
    lines = [_line(history, due, step, step is diagnosis.step) for step in steps]
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        kept = [line for line in lines[half:-half] if line.wrong]
        out = len(lines) - 2 * half - len(kept)
        gap = Line(lines[half].at_s, None, "judge", f"{out} steps are left out here")
        lines = [*lines[:half], gap, *kept, *lines[-half:]]
    return tuple(lines)


def _line(history: History, due: int, step: Step, wrong: bool) -> Line:
    since = round((step.at_ns - due) / 1e9, 3) if due else None
    text = step.text if len(step.text) <= MAX_TEXT else step.text[:MAX_TEXT] + "…"
    return Line(history.seconds(step.at_ns) or 0.0, since, step.source, text, wrong)
