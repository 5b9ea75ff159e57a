"""The story of a few keys: a second pass over the evidence that merges every file in order of time.

Called by `reports.verdict` for the keys that checks name. Bounded, whatever the run's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.checks.base import CheckResult
from reports.evidence import DELIVERIES, LEDGER, SUBMISSIONS, Record, stream
from reports.history import History
from reports.intake.fields import pid_of
from reports.story import ledger_line, sink_line, submission_line

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


@dataclass(frozen=True, slots=True)
class Trail:
    """The steps of one key, and what the checks say of it."""

    lines: tuple[Line, ...]
    findings: tuple[str, ...]


def collect(history: History, run_dir: Path, checks: Sequence[CheckResult]) -> dict[str, Trail]:
    """Return the trails of the first keys that the checks name; failing checks come first."""
    findings: dict[str, list[str]] = {}
    rank = {"fail": 0, "unknown": 1, "pass": 2}
    for check in sorted(checks, key=lambda check: rank[check.verdict]):
        for key in check.keys:
            if key in findings or len(findings) < MAX_TRAILS:
                findings.setdefault(key, []).append(f"{check.name} ({check.verdict})")
    steps: dict[str, list[tuple[int, str, str]]] = {key: [] for key in findings}
    if steps:
        _read(history, run_dir, steps)
    return {key: _trail(history, key, found, tuple(findings[key])) for key, found in steps.items()}


Steps = dict[str, list[tuple[int, str, str]]]


def _read(history: History, run_dir: Path, steps: Steps) -> None:
    pids: dict[str, set[int]] = {key: set() for key in steps}
    for key, at_ns, text in _wanted(run_dir / SUBMISSIONS, steps, submission_line):
        steps[key].append((at_ns, "load", text))
    _read_sink(history, run_dir, steps, pids)
    for record in stream(run_dir / LEDGER, []):
        name = record.get("key")
        key = name if isinstance(name, str) else ""
        if key in steps and isinstance(record.get("trail"), list):
            for event in record["trail"]:
                if isinstance(event, dict) and isinstance(event.get("at_ms"), int | float):
                    steps[key].append((history.mono_of_ledger(event["at_ms"]), "system", ledger_line(event)))
                    pids[key].add(pid_of(str(event.get("worker"))) or 0)
    for kill in history.kills:
        for key in steps:
            if kill.pids & pids[key]:
                steps[key].append((kill.at_ns, "harness", f"{kill.name} killed (pids {sorted(kill.pids)})"))


def _wanted(path: Path, steps: Steps, line: Callable[[Record], str]) -> Iterator[tuple[str, int, str]]:
    for record in stream(path, []):
        key = record.get("key")
        if isinstance(key, str) and key in steps and (text := line(record)):
            yield key, record["mono_ns"], text


def _read_sink(history: History, run_dir: Path, steps: Steps, pids: dict[str, set[int]]) -> None:
    mails: dict[tuple[str, str], str] = {}
    sessions: dict[str, set[str]] = {}
    for key in steps:
        for copy in history.jobs[key].copies if key in history.jobs else ():
            sessions.setdefault(copy.session, set()).add(key)
    for record in stream(run_dir / DELIVERIES, []):
        mail, named = (record["writer"], str(record.get("mail"))), record.get("key")
        key = named if isinstance(named, str) else ""
        if record["event"] == "stored":
            key = key or f"(no key) mail {record.get('mail')}"
            if key in steps:
                mails[mail] = key
                pids[key].add(pid_of(str(record.get("worker"))) or 0)
        targets = (
            {key} if key in steps else sessions.get(f"{record['writer']}/{record.get('session')}", set())
        )
        if record["event"] == "reply":
            targets = {mails[mail]} if mail in mails else set()
        if targets and (text := sink_line(record)):
            for target in targets:
                steps[target].append((record["mono_ns"], "sink", text))


def _trail(history: History, key: str, found: list[tuple[int, str, str]], findings: tuple[str, ...]) -> Trail:
    found.sort(key=lambda step: step[0])
    due = history.jobs[key].due_ns if key in history.jobs else 0
    if found:
        first, last = found[0][0], found[-1][0]
        for fault in history.faults.values():
            for at_ns, what in ((fault.inject_ns, "begins"), (fault.healed_ns, "is over")):
                if at_ns is not None and first <= at_ns <= last:
                    found.append((at_ns, "harness", f"fault {fault.name} {what}"))
        found.sort(key=lambda step: step[0])
    lines = [_line(history, due, *step) for step in found]
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        gap = Line(lines[half].at_s, None, "judge", f"{len(lines) - MAX_LINES} steps left out here")
        lines = [*lines[:half], gap, *lines[-half:]]
    return Trail(tuple(lines), findings)


def _line(history: History, due: int, at_ns: int, source: str, text: str) -> Line:
    since = round((at_ns - due) / 1e9, 3) if due else None
    return Line(
        history.seconds(at_ns) or 0.0, since, source, text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    )
