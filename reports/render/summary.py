"""The verdict as Markdown for a job summary or a comment: summary.md, at most 16 KiB.

GitHub takes 65,536 characters for a comment, which several runs may have to share. Called by `write_all`.
Text from evidence is quoted as code or escaped, so that it can neither format nor link.
"""

from __future__ import annotations

import shlex

from reports.checks.base import RANK
from reports.render.document import limit_rows
from reports.render.junit import fault_outcome
from reports.render.markdown import SIGNS, code, limited, plain
from reports.verdict import Verdict

MAX_COMMAND = 2_000
MAX_KEYS = 5
MAX_TRAILS = 3


def as_markdown(verdict: Verdict) -> str:
    """Return summary.md; what does not fit is left out with a word about it."""
    plan = verdict.plan
    totals = [verdict.counts[name] for name in ("accepted", "delivered", "lost", "duplicates", "in_doubt")]
    times = [verdict.latency_s[name] for name in ("p50", "p99")]
    lines = [
        f"## {SIGNS[verdict.verdict]} {code(plan.scenario)}: {verdict.verdict}",
        "",
        plain(verdict.reason),
        "",
        "| accepted | delivered | lost | duplicates | in doubt | p50 s | p99 s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| " + " | ".join((*map(str, totals), *map(_number, times))) + " |",
        *_trails(verdict),
        *_checks(verdict),
        *_limits(verdict),
        *_faults(verdict),
    ]
    words = (
        f"Run {code(plan.run)}, seed {plan.seed}, policy {code(plan.delivery)}, broker {code(plan.broker)}."
    )
    lines += ["", f"{words} Again:", "", code(shlex.join(plan.command), MAX_COMMAND)]
    return limited(lines, "in report.html")


def _checks(verdict: Verdict) -> list[str]:
    rows = []
    for check in sorted(verdict.checks, key=lambda check: RANK[check.verdict]):
        keys = ", ".join(code(key) for key in check.keys[:MAX_KEYS])
        word = f"{SIGNS[check.verdict]} {check.verdict}"
        if check.verdict != "pass":
            rows.append(f"| {check.name} | {word} | {plain(check.summary)} | {keys} |")
    heading = ["", "| check | verdict | finding | first keys |", "| --- | --- | --- | --- |"] if rows else []
    passed = [check.name for check in verdict.checks if check.verdict == "pass"]
    count = "1 check" if len(passed) == 1 else f"{len(passed)} checks"
    last = ["", f"{SIGNS['pass']} {count} passed: {', '.join(passed)}."] if passed else []
    return [*heading, *rows, *last]


def _trails(verdict: Verdict) -> list[str]:
    said = [(key, trail.said) for key, trail in verdict.trails.items() if trail.said][:MAX_TRAILS]
    return ["", *(f"- {code(key)}: {plain(words)}" for key, words in said)] if said else []


def _limits(verdict: Verdict) -> list[str]:
    rows = [
        f"| {code(row['limit'])} | {SIGNS[row['verdict']]} {row['verdict']} | {plain(row['why'])} |"
        for row in limit_rows(verdict)
    ]
    return ["", "| limit | verdict | figure |", "| --- | --- | --- |", *rows] if rows else []


def _faults(verdict: Verdict) -> list[str]:
    rows = []
    for fault in verdict.faults:
        outcome, words = fault_outcome(verdict, fault)
        figures = " | ".join(_number(fault[name]) for name in ("inject_s", "healed_s", "drained_s"))
        rows.append(f"| {code(fault['fault'])} | {SIGNS[outcome]} {plain(words)} | {figures} |")
    heading = ["| fault | outcome | began s | over s | drained s |", "| --- | --- | ---: | ---: | ---: |"]
    return ["", *heading, *rows] if rows else []


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
