"""Gathers the steps of a few keys from every file of a run: a second pass, after the keys are known.

Called by `reports.trails`. Parses only the records that speak of these keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from reports import pick
from reports.case import Step
from reports.evidence import DELIVERIES, LEDGER, SUBMISSIONS, Record
from reports.history import History
from reports.intake.fields import pid_of
from reports.records import Kill
from reports.story import ledger_line, sink_line, submission_line

AROUND_NS = 1_000_000_000
TAKEN = frozenset({"leased", "sending", "stored"})


class Collector:
    """Gathers the steps of some keys from each file in turn."""

    def __init__(self, history: History, keys: Iterable[str]) -> None:
        self.history = history
        self.steps: dict[str, list[Step]] = {key: [] for key in keys}
        self.workers: dict[str, dict[int, int]] = {key: {} for key in self.steps}
        """When each process was first seen with a key: process id -> monotonic ns."""
        self.mails: dict[tuple[str, str], str] = {}
        self.sessions: dict[str, set[str]] = {}
        self.answered: set[tuple[str, str]] = set()
        """Key and session where the reply left: what becomes of that session is another story."""
        for key in self.steps:
            for copy in history.jobs[key].copies if key in history.jobs else ():
                self.sessions.setdefault(copy.session, set()).add(key)

    def read(self, run_dir: Path) -> None:
        """Read what the keys did; what is wrong with the files was said in the first pass."""
        for record in pick.records(run_dir / SUBMISSIONS, key=self.steps):
            self._add(_key(record), record["mono_ns"], "load", submission_line(record), record["event"])
        sessions = {name.rpartition("/")[2] for name in self.sessions}
        strays = [_mail_of(key) for key in self.steps]
        wanted = {"key": self._mail_keys(), "session": sessions, "mail": [mail for mail in strays if mail]}
        for record in pick.records(run_dir / DELIVERIES, **wanted):
            for key in self._concerned(record):
                self._add(key, record["mono_ns"], "sink", sink_line(record), record["event"])
        for record in pick.records(run_dir / LEDGER, key=self.steps):
            if _key(record) in self.steps and isinstance(record.get("trail"), list):
                self._ledger(_key(record), record["trail"], "its mail: " if record.get("notify") else "")
        for kill in sorted(self.history.kills, key=lambda kill: kill.at_ns):
            for key in self.steps:
                self._kill(key, kill)

    def _mail_keys(self) -> list[str]:
        """Return the keys that the mails bear: of a chore, also that of the mail that tells its end."""
        chores = [job.chore for key in self.steps if (job := self.history.jobs.get(key))]
        return [*self.steps, *(chore.mail_key for chore in chores if chore is not None)]

    def _of(self, record: Record) -> str:
        return self.history.key_of(_key(record)) or ""

    def _concerned(self, record: Record) -> set[str]:
        """Return the keys that a record of the sink is about."""
        writer = str(record.get("writer"))
        mail, session = (writer, str(record.get("mail"))), f"{writer}/{record.get('session')}"
        if record["event"] == "reply":
            found = {self.mails[mail]} if mail in self.mails else set()
            if record.get("flushed") is True:
                self.answered |= {(key, session) for key in found}
            return found
        if record["event"] == "stored":
            key = self._of(record) or f"(no key) mail {record.get('mail')}"
            if key in self.steps:
                self.mails[mail] = key
                self._seen(key, record.get("worker"), record["mono_ns"])
            return {key}
        if _key(record):
            return {self._of(record)}
        return {key for key in self.sessions.get(session, ()) if (key, session) not in self.answered}

    def _ledger(self, key: str, trail: list[object], whose: str) -> None:
        for event in trail:
            if isinstance(event, dict) and isinstance(event.get("at_ms"), int):
                at_ns, worker = self.history.mono_of_ledger(event["at_ms"]), event.get("worker")
                pid = pid_of(worker) if isinstance(worker, str) else None
                self._add(key, at_ns, "system", whose + ledger_line(event), str(event.get("event")), pid)
                self._seen(key, worker, at_ns)

    def _kill(self, key: str, kill: Kill) -> None:
        seen = self.workers[key]
        hit = sorted(pid for pid in kill.pids if seen.get(pid, kill.at_ns) < kill.at_ns)
        if hit:
            held = " while it held this mail" if key in kill.in_flight else ""
            held = " while it did this job" if key in kill.chores else held
            self._add(key, kill.at_ns, "harness", f"{_killed(kill, hit)}{held}", "killed", hit[0])
            for pid in kill.pids:
                seen.pop(pid, None)

    def _seen(self, key: str, worker: object, at_ns: int) -> None:
        pid = pid_of(worker) if isinstance(worker, str) else None
        if pid is not None:
            self.workers[key][pid] = min(at_ns, self.workers[key].get(pid, at_ns))

    def _add(
        self, key: str, at_ns: int, source: str, text: str, event: str = "", pid: int | None = None
    ) -> None:
        if text and key in self.steps:
            self.steps[key].append(Step(at_ns, source, text, event, pid))

    def told(self, key: str) -> list[Step]:
        """Return the key's steps in order of time, with the faults that fell between them."""
        steps = self.steps[key]
        times = [step.at_ns for step in steps]
        if not times:
            return []
        # What befell the system around the end of a mail that nobody ever took up may be why.
        waits = key in self.history.jobs and not any(step.event in TAKEN for step in steps)
        first, last = min(times) - AROUND_NS * waits, max(times) + AROUND_NS * waits
        around = [step for step in self._disturbances() if first <= step.at_ns <= last]
        if not waits:
            around = [step for step in around if step.event != "killed"]
        return sorted([*steps, *around], key=lambda step: step.at_ns)

    def _disturbances(self) -> list[Step]:
        found = [
            Step(at_ns, "harness", f"fault {fault.name} {what}", "fault", None)
            for fault in self.history.faults.values()
            for at_ns, what in ((fault.inject_ns, "begins"), (fault.healed_ns, "is over"))
            if at_ns is not None
        ]
        kills = self.history.kills
        return found + [Step(kill.at_ns, "harness", _killed(kill, []), "killed", None) for kill in kills]


def _killed(kill: Kill, hit: Sequence[int]) -> str:
    if len(kill.pids) == 1:
        return f"{kill.name} killed (pid {min(kill.pids)})"
    among = f", pid {hit[0]} among them" if hit else ""
    return f"{kill.name} killed with {len(kill.pids)} processes{among}"


def _mail_of(key: str) -> str:
    """Return the number of a mail without a key, as the check `unexpected` names it."""
    return key.removeprefix("(no key) mail ") if key.startswith("(no key) mail ") else ""


def _key(record: Record) -> str:
    key = record.get("key")
    return key if isinstance(key, str) else ""
