"""The story of a few keys: a second pass over the evidence that merges every file in order of time.

Called by `reports.verdict` for the keys that checks name. Bounded, whatever the run's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.checks.base import CheckResult
from reports.evidence import DELIVERIES, LEDGER, SUBMISSIONS, Record, stream
from reports.history import History
from reports.intake.fields import pid_of
from reports.records import Kill
from reports.story import ledger_line, sink_line, submission_line

MAX_TRAILS = 100
MAX_LINES = 80
MAX_TEXT = 300
Step = tuple[int, str, str]


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
                findings.setdefault(key, []).append(_finding(check, key))
    collector = Collector(history, findings)
    if findings:
        collector.read(run_dir)
    return {key: Trail(collector.lines(key), tuple(found)) for key, found in findings.items()}


def _finding(check: CheckResult, key: str) -> str:
    for part in check.details.values():
        if isinstance(part, dict) and key in part:
            note = part[key] if isinstance(part[key], str) else ", ".join(part[key])
            return f"{check.name} ({check.verdict}): {note[:MAX_TEXT]}"
    return f"{check.name} ({check.verdict})"


class Collector:
    """Gathers the steps of some keys from each file in turn."""

    def __init__(self, history: History, keys: Iterable[str]) -> None:
        self.history = history
        self.steps: dict[str, list[Step]] = {key: [] for key in keys}
        self.workers: dict[str, dict[int, int]] = {key: {} for key in self.steps}
        """When each process was first seen with a key: process id -> monotonic ns."""
        self.mails: dict[tuple[str, str], str] = {}
        self.sessions: dict[str, set[str]] = {}
        for key in self.steps:
            for copy in history.jobs[key].copies if key in history.jobs else ():
                self.sessions.setdefault(copy.session, set()).add(key)

    def read(self, run_dir: Path) -> None:
        """Read what the keys did; what is wrong with the files was said in the first pass."""
        for record in stream(run_dir / SUBMISSIONS, []):
            self._add(_key(record), record["mono_ns"], "load", submission_line(record))
        for record in stream(run_dir / DELIVERIES, []):
            for key in self._told(record):
                self._add(key, record["mono_ns"], "sink", sink_line(record))
        for record in stream(run_dir / LEDGER, []):
            if _key(record) in self.steps and isinstance(record.get("trail"), list):
                self._ledger(_key(record), record["trail"])
        for kill in sorted(self.history.kills, key=lambda kill: kill.at_ns):
            for key in self.steps:
                self._kill(key, kill)

    def _told(self, record: Record) -> set[str]:
        """Return the keys that a record of the sink is about."""
        mail = (record["writer"], str(record.get("mail")))
        if record["event"] == "reply":
            return {self.mails[mail]} if mail in self.mails else set()
        if record["event"] == "stored":
            key = _key(record) or f"(no key) mail {record.get('mail')}"
            if key in self.steps:
                self.mails[mail] = key
                self._seen(key, record.get("worker"), record["mono_ns"])
            return {key}
        if _key(record):
            return {_key(record)}
        return self.sessions.get(f"{record['writer']}/{record.get('session')}", set())

    def _ledger(self, key: str, trail: list[object]) -> None:
        for event in trail:
            if isinstance(event, dict) and isinstance(event.get("at_ms"), int):
                at_ns = self.history.mono_of_ledger(event["at_ms"])
                self._add(key, at_ns, "system", ledger_line(event))
                self._seen(key, event.get("worker"), at_ns)

    def _kill(self, key: str, kill: Kill) -> None:
        seen = self.workers[key]
        if any(seen.get(pid, kill.at_ns) < kill.at_ns for pid in kill.pids):
            held = " while it held this mail" if key in kill.in_flight else ""
            text = f"{kill.name} killed (pids {', '.join(map(str, sorted(kill.pids)))}){held}"
            self._add(key, kill.at_ns, "harness", text)
            for pid in kill.pids:
                seen.pop(pid, None)

    def _seen(self, key: str, worker: object, at_ns: int) -> None:
        pid = pid_of(worker) if isinstance(worker, str) else None
        if pid is not None:
            self.workers[key][pid] = min(at_ns, self.workers[key].get(pid, at_ns))

    def _add(self, key: str, at_ns: int, source: str, text: str) -> None:
        if text and key in self.steps:
            self.steps[key].append((at_ns, source, text))

    def lines(self, key: str) -> tuple[Line, ...]:
        """Return the key's steps in order of time, with the faults that fell between them."""
        steps = sorted([*self.steps[key], *self._faults(self.steps[key])], key=lambda step: step[0])
        due = self.history.jobs[key].due_ns if key in self.history.jobs else 0
        lines = [self._line(due, *step) for step in steps]
        if len(lines) > MAX_LINES:
            half = MAX_LINES // 2
            gap = Line(lines[half].at_s, None, "judge", f"{len(lines) - 2 * half} steps are left out here")
            lines = [*lines[:half], gap, *lines[-half:]]
        return tuple(lines)

    def _faults(self, steps: list[Step]) -> list[Step]:
        times = [at_ns for at_ns, _, _ in steps]
        return [
            (at_ns, "harness", f"fault {fault.name} {what}")
            for fault in self.history.faults.values()
            for at_ns, what in ((fault.inject_ns, "begins"), (fault.healed_ns, "is over"))
            if at_ns is not None and times and min(times) <= at_ns <= max(times)
        ]

    def _line(self, due: int, at_ns: int, source: str, text: str) -> Line:
        since = round((at_ns - due) / 1e9, 3) if due else None
        short = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
        return Line(self.history.seconds(at_ns) or 0.0, since, source, short)


def _key(record: Record) -> str:
    key = record.get("key")
    return key if isinstance(key, str) else ""
