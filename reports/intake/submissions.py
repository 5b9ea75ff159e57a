"""What the load did: per key its due time, tries, outcomes and the statuses that were read on the way.

Fed by `reports.intake`. A try without an outcome on record counts as unknown, never as failed.
"""

from __future__ import annotations

from reports.evidence import SUBMISSIONS, Record
from reports.history import History
from reports.intake.fields import number, packed, text, text_or_none, whole
from reports.records import NOT_SENT, Chore, Job


class Submissions:
    """Intake of `submissions.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history, self.jobs = history, history.jobs
        self.started: set[str] = set()
        self.stopped: set[str] = set()
        self.said_due = 0
        self.due = 0
        self.handlers = {
            "load_start": self.load_start,
            "due": self.take_due,
            "invoke": self.invoke,
            "ok": self.ok,
            "fail": self.fail,
            "info": self.info,
            "status": self.status,
            "load_stop": self.load_stop,
        }

    def load_start(self, record: Record) -> None:
        """Note a writer; the first one starts the clock of the run."""
        self.started.add(record["writer"])
        started = self.history.started_ns
        self.history.started_ns = min(started, record["mono_ns"]) if started else record["mono_ns"]
        self.history.load_plans.append((number(record, "rate_per_s"), whole(record, "seed")))

    def load_stop(self, record: Record) -> None:
        """Note that a writer said everything, and what it says it did."""
        self.stopped.add(record["writer"])
        self.said_due += whole(record, "due")
        self.history.load_reasons.append(text(record, "reason"))
        self.history.said_sent += whole(record, "sent")
        self.history.max_late_s = max(self.history.max_late_s, number(record, "max_late_s"))

    def take_due(self, record: Record) -> None:
        """Note what was planned for a key."""
        job = self._job(record)
        if job.due_ns:
            raise ValueError(f"key {record['key']} was due twice")
        job.due_ns = whole(record, "due_mono_ns")
        job.to = text(record, "to")
        if record.get("kind", "email") == "email":
            job.digest = packed(text(record, "digest"))
        else:
            self._take_chore(job, record)
        self.due += 1

    def _take_chore(self, job: Job, record: Record) -> None:
        """Note under which key the mail will come that tells the end of this job."""
        job.chore = Chore(text(record, "kind"), text(record, "mail_key"))
        job.digest = packed(text_or_none(record, "digest") or "")
        self.history.chores[job.chore.mail_key] = record["key"]

    def invoke(self, record: Record) -> None:
        """Count a try."""
        job = self._job(record)
        if not job.invokes:
            self.history.first_tries.append(record["mono_ns"])
        job.invokes += 1
        # Writers take turns in the file, so the first line need not be the earliest.
        if not 0 < self.history.first_try_ns <= record["mono_ns"]:
            self.history.first_try_ns = record["mono_ns"]

    def ok(self, record: Record) -> None:
        """Count a 202, and keep its id when it is a new one."""
        job_id = text_or_none(record, "id")
        job = self._job(record)
        job.oks += 1
        job.ok_ns = job.ok_ns or record["mono_ns"]
        if job_id is None:
            job.unread += 1
        elif job_id not in job.ids:
            job.ids = (*job.ids, job_id)

    def fail(self, record: Record) -> None:
        """Count a try that certainly had no effect."""
        self._job(record).fails += 1

    def info(self, record: Record) -> None:
        """Count a try of unknown outcome."""
        self._job(record).infos += 1

    def status(self, record: Record) -> None:
        """Keep when the system first answered for a key that it is sent, or that it never will be."""
        state, job = text(record, "state"), self._job(record)
        if job.chore is not None:
            return  # the end of a chore says nothing of the mail that tells it
        if state == "SUCCESS":
            job.success_read_ns = job.success_read_ns or record["mono_ns"]
        elif state in NOT_SENT:
            job.failure_read_ns = job.failure_read_ns or record["mono_ns"]

    def finish(self) -> None:
        """Say what is missing: end marks, due records."""
        problems = self.history.problems[SUBMISSIONS]
        self.history.due = self.due
        if not self.started:
            problems.append(f"{SUBMISSIONS}: no load_start")
        problems.extend(
            f"{SUBMISSIONS}: writer {name} has no load_stop" for name in sorted(self.started - self.stopped)
        )
        if self.started and self.started == self.stopped and self.said_due != self.due:
            problems.append(
                f"{SUBMISSIONS}: the load says {self.said_due} jobs were due, {self.due} are on record"
            )
        without = sum(1 for job in self.history.jobs.values() if not job.due_ns)
        if without:
            problems.append(f"{SUBMISSIONS}: {without} keys were submitted without a due record")

    def _job(self, record: Record) -> Job:
        key = text(record, "key")
        job = self.jobs.get(key)
        if job is None:
            job = self.jobs[key] = Job()
        return job
