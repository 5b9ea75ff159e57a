"""What the system says of every job at the end, and which keys a killed worker held a lease on.

Fed by `reports.intake` after the events. Keeps a job's state and reason; its trail is let go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reports.evidence import LEDGER, Record
from reports.history import History
from reports.intake.fields import flag, number, pid_of, shared, text, text_or_none, whole, words
from reports.records import Job, Kill

ENDS_ATTEMPT = frozenset({"sent", "done", "retry", "failed"})
# The ledger counts ms on Redis's clock, and a kill is written after the signal was sent.
CLOCK_SLACK_MS = 1000
HELD = "in doubt, held"


class Ledger:
    """Intake of `ledger.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.asked = self.answered = 0
        self.ended = False
        self.seen: set[str] = set()
        self.tuples: dict[tuple[str, ...], tuple[str, ...]] = {}
        """A million jobs share a few answers: each is kept once."""
        self.kills: dict[int, list[Kill]] = {}
        """Process id -> its kills, in order of time."""
        for kill in sorted(history.kills, key=lambda kill: kill.at_ns):
            for pid in kill.pids:
                self.kills.setdefault(pid, []).append(kill)
        self.kills_of: dict[object, list[Kill]] = {}
        """The same by the worker's name, as far as names were met."""
        self.handlers = {"job": self.job, "ledger_end": self.ledger_end}

    def job(self, record: Record) -> None:
        """Keep the state of one job, and its part in the kills."""
        key, job_id = text_or_none(record, "key"), text_or_none(record, "id")
        state = text_or_none(record, "state")
        if job_id in self.seen:
            raise ValueError(f"job {job_id} stands twice in the ledger")
        job = self.history.jobs.get(key) if key else None
        if job_id is not None:
            self.seen.add(job.ids[0] if job and job.ids and job.ids[0] == job_id else job_id)
        if record["http"] != 200 or state is None:
            return
        notify = "notify" in record and flag(record, "notify")
        if key and job is not None and job.chore is not None and not notify:
            job.chore.states = self._and(job.chore.states, state)
            self._trail(key, job, record["trail"] or [], notify)
            return
        self.history.successes += state == "SUCCESS"
        if not key or job is None or (notify and job.chore is None):
            return
        job.states = self._and(job.states, state)
        detail = words(record["detail"])
        reason = " ".join(filter(None, (job.reason, _plain(record["error"]), detail)))
        job.reason = shared(reason)
        job.held = job.held or detail.startswith(HELD)
        self._trail(key, job, record["trail"] or [], notify)

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
        self.history.unanswered = [key for key, job in jobs.items() if len(_of_ids(job)) < len(job.ids)]
        if self.history.unanswered:
            count = len(self.history.unanswered)
            problems.append(f"{LEDGER}: the state of {count} accepted jobs is not on record")

    def _and(self, states: tuple[str, ...], state: str) -> tuple[str, ...]:
        found = (*states, state)
        return self.tuples.setdefault(found, found)

    def _trail(self, key: str, job: Job, trail: list[dict[str, Any]], notify: bool) -> None:
        """Look for doubts, and for leases that a kill interrupted."""
        of_chore = job.chore is not None and not notify
        for index, event in enumerate(trail):
            if event["event"] == "in_doubt":
                job.in_doubt = True
            elif event["event"] == "leased":
                self.history.leases += 1
                kill = self._interrupted(event, trail, index) if self.kills else None
                if kill is not None and of_chore:
                    kill.chores.add(key)
                elif kill is not None:
                    kill.in_flight[key] = event["at_ms"]

    def _interrupted(self, lease: dict[str, Any], trail: list[dict[str, Any]], index: int) -> Kill | None:
        """The kill that ended this lease; None: it was given back before, or its worker was never killed."""
        worker = lease["worker"]
        kills = self.kills_of.get(worker)
        if kills is None:
            pid = pid_of(text(lease, "worker"))
            kills = self.kills_of[worker] = self.kills.get(pid, []) if pid is not None else []
        for kill in kills:
            if number(lease, "at_ms") <= kill.wall_ms + CLOCK_SLACK_MS:
                return None if _closed(lease, trail[index + 1 :], kill) else kill
        return None


def _of_ids(job: Job) -> tuple[str, ...]:
    """What the system said of the jobs that the load knows by their id."""
    return job.states if job.chore is None else job.chore.states


def _closed(lease: dict[str, Any], later: Iterable[dict[str, Any]], kill: Kill) -> bool:
    return any(
        event["event"] in ENDS_ATTEMPT
        and event["fence"] == lease["fence"]
        and (event["at_ms"] <= kill.wall_ms or event["worker"] == lease["worker"])
        for event in later
    )


def _plain(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error, sort_keys=True) if error else ""
