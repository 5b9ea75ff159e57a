"""What the system says of every job at the end, and which keys a killed worker held a lease on.

Fed by `reports.intake` after the events. Keeps a job's state and reason; its trail is let go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reports.evidence import LEDGER, Record
from reports.history import History
from reports.intake.fields import number, pid_of, text, text_or_none, whole, words
from reports.records import Kill

ENDS_ATTEMPT = frozenset({"sent", "retry", "failed"})
# The ledger counts ms on Redis's clock, and a kill is written after the signal was sent.
CLOCK_SLACK_MS = 1000
HELD = "in doubt, held"


class Ledger:
    """Intake of `ledger.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.asked = self.answered = self.jobs = 0
        self.ended = False
        self.seen: set[str] = set()
        self.by_pid: dict[int, list[Kill]] = {}
        for kill in sorted(history.kills, key=lambda kill: kill.at_ns):
            for pid in kill.pids:
                self.by_pid.setdefault(pid, []).append(kill)
        self.handlers = {"job": self.job, "ledger_end": self.ledger_end}

    def job(self, record: Record) -> None:
        """Keep the state of one job, and its part in the kills."""
        key, job_id, state = (
            text_or_none(record, "key"),
            text_or_none(record, "id"),
            text_or_none(record, "state"),
        )
        self.jobs += 1
        if job_id in self.seen:
            raise ValueError(f"job {job_id} stands twice in the ledger")
        if job_id is not None:
            self.seen.add(job_id)
        if record["http"] != 200 or state is None:
            return
        self.history.successes += state == "SUCCESS"
        trail = record["trail"] or []
        job = self.history.jobs.get(key) if key else None
        if job is None or key is None:
            return
        job.states += (state,)
        job.reason = " ".join(filter(None, (job.reason, _plain(record["error"]), words(record["detail"]))))
        job.held = job.held or words(record["detail"]).startswith(HELD)
        job.in_doubt = job.in_doubt or any(event["event"] == "in_doubt" for event in trail)
        self.history.leases += sum(1 for event in trail if event["event"] == "leased")
        if self.by_pid:
            self._leases(key, trail)

    def ledger_end(self, record: Record) -> None:
        """Note the end mark with its two counts."""
        self.ended = True
        self.asked, self.answered = whole(record, "asked"), whole(record, "answered")

    def finish(self) -> None:
        """Say what is missing: the end mark, answers, and accepted jobs whose state is unknown."""
        problems, jobs = self.history.problems[LEDGER], self.history.jobs
        if not self.ended:
            problems.append(f"{LEDGER}: no ledger_end")
        elif self.asked != self.answered:
            problems.append(f"{LEDGER}: {self.asked} jobs were asked for, {self.answered} answered")
        self.history.unanswered = [
            key for key, job in jobs.items() if job.ids and len(job.states) < len(job.ids)
        ]
        if self.history.unanswered:
            count = len(self.history.unanswered)
            problems.append(f"{LEDGER}: the state of {count} accepted jobs is not on record")

    def _leases(self, key: str, trail: list[dict[str, Any]]) -> None:
        for index, event in enumerate(trail):
            if event["event"] != "leased":
                continue
            pid = pid_of(text(event, "worker"))
            for kill in self.by_pid.get(pid, ()) if pid is not None else ():
                if number(event, "at_ms") <= kill.wall_ms + CLOCK_SLACK_MS:
                    if not _closed(event, trail[index + 1 :], kill):
                        kill.in_flight[key] = event["at_ms"]
                    break


def _closed(lease: dict[str, Any], later: Iterable[dict[str, Any]], kill: Kill) -> bool:
    return any(
        event["event"] in ENDS_ATTEMPT
        and event["fence"] == lease["fence"]
        and (event["at_ms"] <= kill.wall_ms or event["worker"] == lease["worker"])
        for event in later
    )


def _plain(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error, sort_keys=True) if error else ""
