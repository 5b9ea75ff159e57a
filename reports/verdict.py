"""Judges a run folder: pass, fail or unknown, from its evidence and nothing else.

Called by the harness after a run, and by `judge` on old runs. The same folder always gives the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import clocks, garbage, stats, timeline
from reports.checks import CHECKS, CheckResult, Status
from reports.history import History
from reports.intake import load
from reports.logs import LogLine, Logs
from reports.plan import NotARun, Plan
from reports.trails import Trail, collect

EXIT_CODES: dict[Status, int] = {"pass": 0, "fail": 1, "unknown": 2}
MAX_EXCERPTS = 10
# Why other checks can decide nothing, the deepest first: these are the reasons to tell.
ROOTS = ("evidence", "offered", "story", "accepted")

__all__ = ["EXIT_CODES", "NotARun", "Verdict", "judge", "judge_history"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evidence says of one run, and everything that a report needs to show it."""

    run_dir: Path
    plan: Plan
    verdict: Status
    reason: str
    checks: tuple[CheckResult, ...]
    counts: dict[str, int]
    faults: list[dict[str, Any]]
    kills: list[dict[str, Any]]
    latency_s: dict[str, float | None]
    trails: dict[str, Trail]
    logs: dict[str, tuple[LogLine, ...]]
    timeline: timeline.Timeline
    began_s: float | None
    """Seconds since 1970 (wall clock) at which the load began."""
    max_late_s: float

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 unknown."""
        return EXIT_CODES[self.verdict]


def judge(run_dir: Path) -> Verdict:
    """Judge a run folder. Raises NotARun without a plan; damaged evidence makes it unknown."""
    with garbage.paused():
        return judge_history(load(run_dir), run_dir)


def judge_history(history: History, run_dir: Path) -> Verdict:
    """Run every check over a loaded run."""
    checks = tuple(check(history) for check in CHECKS)
    verdict = worst([check.verdict for check in checks])
    counts = stats.counts(history)
    trails = collect(history, run_dir, checks)
    return Verdict(
        run_dir=run_dir,
        plan=history.plan,
        verdict=verdict,
        reason=_reason(verdict, checks, counts),
        checks=checks,
        counts=counts,
        faults=clocks.fault_rows(history),
        kills=clocks.kill_rows(history),
        latency_s=stats.latency_s(history),
        trails=trails,
        logs=_logs(history, run_dir, trails),
        timeline=timeline.build(history),
        began_s=_wall_s(history, history.started_ns) if history.started_ns else None,
        max_late_s=history.max_late_s,
    )


def _logs(history: History, run_dir: Path, trails: dict[str, Trail]) -> dict[str, tuple[LogLine, ...]]:
    """Read what the processes said around the moments at which the first mails went wrong."""
    logs = Logs(run_dir, _wall_s(history, history.started_ns))
    found = {}
    for key, trail in list(trails.items())[:MAX_EXCERPTS]:
        wrong = next((line for line in trail.lines if line.wrong), None)
        if wrong is not None:
            moment_s = _wall_s(history, history.started_ns) + wrong.at_s
            job = history.jobs.get(key)
            found[key] = logs.around(moment_s, (key, *(job.ids if job else ())))
    return {key: lines for key, lines in found.items() if lines}


def _wall_s(history: History, mono_ns: int) -> float:
    return (mono_ns + history.wall_minus_mono_ns) / 1e9


def worst(verdicts: Sequence[Status]) -> Status:
    """Fail over unknown over pass; nothing at all is unknown."""
    if "fail" in verdicts:
        return "fail"
    return "unknown" if "unknown" in verdicts or not verdicts else "pass"


def _reason(verdict: Status, checks: Sequence[CheckResult], counts: dict[str, int]) -> str:
    if verdict == "pass":
        total, there = counts["accepted"], counts["delivered"]
        return f"every check passed; of {total} accepted mails {there} were delivered, each once"
    guilty = [check for check in checks if check.verdict == verdict]
    guilty.sort(key=lambda check: ROOTS.index(check.name) if check.name in ROOTS else len(ROOTS))
    shown = "; ".join(f"{check.name}: {check.summary}" for check in guilty[:2])
    rest = len(guilty) - 2
    return shown + (f"; and {rest} more {'check' if rest == 1 else 'checks'}" if rest > 0 else "")
