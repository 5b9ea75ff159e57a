"""Writes the evidence of a run that never was, in the shape in which load, sink and harness write it.

Used by `judge_bench` and by tests of the judge. Never measures; the same size gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from reports.evidence import DELIVERIES, EVENTS, LEDGER, METRICS, SUBMISSIONS
from reports.plan import Plan, Thresholds, store_plan

RUN = "synthetic-s1-20260101T000000-0000"
RATE_PER_S = 1000
LEASE_S = 10.0
ODD = 3  # so many mails are lost, and so many stored twice
MAILS_PER_SESSION = 100
CAUGHT = 8  # mails that each of the two kills interrupts
WORKERS = tuple(f"vm:{pid}" for pid in range(24700, 24716))
AGAIN = "vm:24690"  # the worker that takes over
DOMAIN = "mailstorm.test"
MONO0_NS, WALL0_NS = 47_000_000_000_000, 1_795_000_000_000_000_000
Record = dict[str, Any]
Lines = Iterator[tuple[float, str, Record]]


def write(folder: Path, jobs: int) -> int:
    """Write plan and evidence of a run of `jobs` jobs (at least 100); the bytes of it."""
    folder.mkdir(parents=True, exist_ok=True)
    store_plan(folder, _plan(jobs))
    run = _Run(jobs)
    for name, lines in (
        (SUBMISSIONS, run.submissions()),
        (DELIVERIES, run.deliveries()),
        (EVENTS, run.events()),
        (METRICS, run.metrics()),
        (LEDGER, run.ledger()),
    ):
        _write(folder / name, name, lines)
    return sum(path.stat().st_size for path in folder.iterdir())


def _plan(jobs: int) -> Plan:
    return Plan(
        run=RUN,
        scenario="synthetic",
        seed=1,
        rate_per_s=RATE_PER_S,
        duration_s=jobs / RATE_PER_S,
        delivery="ledger",
        lease_s=LEASE_S,
        receipts=True,
        thresholds=Thresholds(min_accepted=1),
        expect_faults=("kill-group",),
        command=("python", "-m", "benchmarks.judge_bench"),
        versions={"python": "3.11"},
    )


def _write(path: Path, name: str, lines: Lines) -> None:
    writer = f"{name.removesuffix('.jsonl')}-1-1"
    with path.open("wb", buffering=1 << 20) as file:
        for seq, (at_s, event, fields) in enumerate(lines):
            head = {"run": RUN, "writer": writer, "seq": seq, "wall_ns": _wall(at_s), "mono_ns": _mono(at_s)}
            file.write(orjson.dumps({**head, "pid": 1, "event": event, **fields}))
            file.write(b"\n")


def _mono(at_s: float) -> int:
    return MONO0_NS + int(at_s * 1e9)


def _wall(at_s: float) -> int:
    return WALL0_NS + int(at_s * 1e9)


def _hex(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


class _Run:
    """The jobs by number. Two kills, at a third and two thirds, each catch a few mails, which come later."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.end_s = jobs, jobs / RATE_PER_S
        self.kills = (jobs // 3, 2 * jobs // 3)
        self.caught = {number for at in self.kills for number in range(at, at + CAUGHT)}
        self.lost = set(range(20, 20 + ODD))
        self.twice = set(range(50, 50 + ODD))

    def key(self, number: int) -> str:
        return f"{RUN}-{number:06d}"

    def kill_s(self, which: int) -> float:
        return self.kills[which] / RATE_PER_S + 0.05

    def stored_s(self, number: int) -> float:
        """When the first copy of a mail arrived, from the beginning."""
        return number / RATE_PER_S + (LEASE_S + 0.5 if number in self.caught else 0.08)

    def submissions(self) -> Lines:
        yield 0, "load_start", {"rate_per_s": float(RATE_PER_S), "seed": 1, "target": "-", "schedule": "-"}
        for number in range(self.jobs):
            at, key, job = number / RATE_PER_S, self.key(number), _hex(f"job{number}")[:32]
            to = f"u{number:06d}@{RUN}.test"
            due = {"key": key, "due_mono_ns": _mono(at), "to": to, "digest": _hex(key)}
            yield at + 0.0003, "due", due
            yield at + 0.0004, "invoke", {"key": key, "try": 1, "late_s": 0.0004}
            yield at + 0.02, "ok", {"key": key, "try": 1, "status": 202, "id": job, "latency_s": 0.02}
            if number % 4 == 0 and number not in self.lost | self.caught:
                yield (
                    at + 0.5,
                    "status",
                    {"key": key, "id": job, "state": "SUCCESS", "asked_mono_ns": _mono(at)},
                )
        told = {"due": self.jobs, "sent": self.jobs, "max_late_s": 0.01, "reason": "finished"}
        yield self.end_s + 1, "load_stop", told

    def deliveries(self) -> Lines:
        limits = {"idle_limit_s": 4.0, "data_limit_s": 4.0, "latency_s": 0.012}
        yield -1, "sink_start", {"smtp_port": 41717, **limits}
        mail = session = 0
        for number in range(self.jobs):
            if number in self.lost:
                continue
            at = self.stored_s(number)
            if mail % MAILS_PER_SESSION == 0:
                session += 1
                yield at - 0.05, "session_begin", {"peer": "127.0.0.1:43090", "session": session}
            for attempt in (1, 2) if number in self.twice else (1,):
                mail += 1
                yield from self._mail(number, mail, session, attempt, at + attempt - 1)
            if mail % MAILS_PER_SESSION == 0 or number == self.jobs - 1:
                yield at + 1, "session_end", _session_end(session)
        yield self.end_s + 40, "sink_stop", {}

    def _mail(self, number: int, mail: int, session: int, attempt: int, at: float) -> Lines:
        key, job = self.key(number), _hex(f"job{number}")[:32]
        to = f"u{number:06d}@{RUN}.test"
        said = _said(f"MAIL FROM:<mailstorm@{DOMAIN}>", "250 OK", f"RCPT TO:<{to}>", "250 OK", "DATA")
        yield at - 0.02, "data_begin", {"session": session, "said": said}
        task = _hex(f"task{number}.{attempt}")
        yield (
            at,
            "stored",
            {
                "mail": mail,
                "session": session,
                "key": key,
                "id": job,
                "message_id": f"{job}@{DOMAIN}",
                "attempt": attempt,
                "worker": AGAIN if number in self.caught or attempt > 1 else WORKERS[number % len(WORKERS)],
                "hint": f"{task[:8]}-{task[8:12]}-{task[12:16]}-{task[16:20]}-{task[20:32]}",
                "sender": f"mailstorm@{DOMAIN}",
                "to": [to],
                "digest": _hex(key),
                "size": 705,
                "raw_at": mail * 705,
                "said": _said("354 End data with <CR><LF>.<CR><LF>", "(705 bytes and the final dot)"),
            },
        )
        done = {"mail": mail, "code": 250, "flushed": True, "fault": None, "session": session}
        yield at + 0.01, "reply", {**done, "said": _said("250 OK")}

    def events(self) -> Lines:
        yield -2, "phase", {"name": "start"}
        for number, kill_s in enumerate((self.kill_s(0), self.kill_s(1)), start=1):
            fault = {"fault": f"kill-group-{number}"}
            pids = [int(name[3:]) for name in WORKERS]
            yield kill_s - 0.01, "inject", {**fault, "kind": "kill-group", "detail": "worker-1"}
            killed = {"name": "worker-1", "process_pid": pids[0], "children": pids[1:], "what": "killed"}
            yield kill_s, "process", {**killed, "status": None, "why": "fault"}
            yield kill_s + 0.01, "bite", {**fault, "proof": "16 processes ended by SIGKILL"}
            yield kill_s + 1, "heal", fault
            yield kill_s + 2, "healed", {**fault, "read_back": "worker-1 runs again"}
            yield kill_s + 4, "recovered", {**fault, "after_s": 2.0}
        yield self.end_s + 2, "story", {"told": True, "why": None}
        yield self.end_s + 2, "load_exit", {"status": 0}
        yield self.end_s + 20, "quiet", {"after_s": 18.0, "detail": "", "seen": True}
        yield self.end_s + 40, "phase", {"name": "stop"}

    def metrics(self) -> Lines:
        sent = self.jobs - ODD
        moments = [-0.5, *range(1, int(self.end_s) + 20, 1), self.end_s + 30]
        for at in moments:
            share = min(1.0, max(0.0, at / (self.end_s + 15)))
            api = {
                "mail_jobs_accepted_total": int(self.jobs * share),
                "mail_jobs_due": 17.0,
                "mail_ledger_up": 1.0,
            }
            api['mail_jobs_terminal_total{state="sent"}'] = int(sent * share)
            api |= {
                f'mail_jobs{{state="{state}"}}': 3.0 for state in ("queued", "leased", "sending", "retry")
            }
            sink = {"sink_messages_stored_total": self.jobs * share // 1, "sink_open_sessions": 16.0}
            for target, samples in (("api", api), ("sink", sink)):
                yield at, "scrape", {"target": target, "ok": True, "samples": samples, "error": None}
            yield at, "broker", {"ok": True, "queues": {"email": 3, "default": 0}, "unacked": 4, "due": 17}

    def ledger(self) -> Lines:
        at = self.end_s + 35
        for number in range(self.jobs):
            state, detail = "SUCCESS", "stored by the mail server"
            if number in self.lost:
                state, detail = "PENDING", ""
            told = {"http": 200, "state": state, "detail": detail, "error": None, "attempts": 1}
            names = {"key": self.key(number), "id": _hex(f"job{number}")[:32]}
            yield at, "job", {**names, **told, "trail": self._trail(number)}
        yield at, "ledger_end", {"asked": self.jobs, "answered": self.jobs}

    def _trail(self, number: int) -> list[Record]:
        begin, stored = number / RATE_PER_S, self.stored_s(number)
        worker, fence = WORKERS[number % len(WORKERS)], 1
        trail = [_event(begin + 0.01, "accepted", 0, "")]
        if number in self.lost:
            return trail
        if number in self.caught:
            trail.append(_event(begin + 0.02, "leased", 1, worker))
            trail.append(
                _event(stored - 0.1, "retry", 1, AGAIN, "the lease ended before the mail was handed over")
            )
            worker, fence = AGAIN, 2
        return [
            *trail,
            _event(stored - 0.05, "leased", fence, worker, "f5f293aa-bc9c-492a-a8c2-002fa4f3a228"),
            _event(stored - 0.02, "sending", fence, worker),
            _event(stored + 0.01, "sent", fence, worker, "250 OK"),
        ]


def _event(at_s: float, event: str, fence: int, worker: str, detail: str = "") -> Record:
    at_ms = _wall(at_s) // 1_000_000
    return {"at_ms": at_ms, "detail": detail, "event": event, "fence": fence, "worker": worker}


def _said(*texts: str) -> list[list[Any]]:
    return [[53_000 + 9_000 * n, "CS"[n % 2], text] for n, text in enumerate(texts)]


def _session_end(session: int) -> Record:
    ended = {"session": session, "tls": None, "auth": "ok", "stage": "data", "mails": MAILS_PER_SESSION}
    return {**ended, "bytes_in": 80_000, "fault": None, "how": "quit"}
