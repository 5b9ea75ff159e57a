"""Writes run folders by hand: `Run.sound()` passes every check, and each test spoils one thing about it.

Used by the tests of the judge only. A script is a list of records; times are seconds on the run's clock.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.evidence import DELIVERIES, EVENTS, FILES, LEDGER, METRICS, SUBMISSIONS

RUN = "t-1"
MONO0, WALL0 = 1_000_000_000_000, 1_700_000_000_000_000_000
LOAD_END, QUIET, STOP = 20.0, 30.0, 40.0
Record = dict[str, Any]


def key(number: int) -> str:
    return f"{RUN}-{number:06d}"


def at_ms(seconds: float) -> int:
    return int((WALL0 + seconds * 1e9) / 1e6)


def mono(seconds: float) -> int:
    return MONO0 + int(seconds * 1e9)


class Run:
    """Records per file, to be changed at will and then written."""

    def __init__(self) -> None:
        self.files: dict[str, list[Record]] = {name: [] for name in FILES}
        self.plan: Record = {
            "schema": 1,
            "run": RUN,
            "scenario": "calm",
            "seed": 7,
            "rate_per_s": 10,
            "duration_s": 20,
            "delivery": "ledger",
            "lease_s": 10,
            "receipts": True,
            "thresholds": {
                "min_accepted": 5,
                "drain_limit_s": None,
                "recovery_limit_s": None,
                "allow_unavoidable": False,
            },
            "expect_faults": [],
            "command": ["python", "-m", "chaos", "run", "calm"],
            "versions": {"python": "3.11"},
        }

    def add(self, file: str, at_s: float, event: str, writer: str = "w", **fields: Any) -> Record:
        record = {
            "at_s": at_s,
            "writer": f"{writer}-{file.removesuffix('.jsonl')}",
            "run": RUN,
            "event": event,
            **fields,
        }
        self.files[file].append(record)
        return record

    def find(self, file: str, event: str, **match: Any) -> Record:
        return next(r for r in self.files[file] if r["event"] == event and match.items() <= r.items())

    def drop(self, file: str, event: str, **match: Any) -> None:
        kept = [r for r in self.files[file] if not (r["event"] == event and match.items() <= r.items())]
        assert len(kept) < len(self.files[file]), f"nothing to drop: {event} {match}"
        self.files[file] = kept

    def limits(self, **values: Any) -> None:
        self.plan["thresholds"].update(values)

    # -- what a sound job leaves ---------------------------------------------------------------

    def submit(self, number: int, at_s: float, **due: Any) -> None:
        k = key(number)
        fields = {"to": f"u{number}@example.org", "digest": f"d{number}", **due}
        self.add(SUBMISSIONS, at_s, "due", key=k, due_mono_ns=mono(at_s), **fields)
        self.add(SUBMISSIONS, at_s + 0.01, "invoke", key=k, **{"try": 1}, late_s=0.01)
        self.add(
            SUBMISSIONS,
            at_s + 0.02,
            "ok",
            key=k,
            **{"try": 1},
            id=f"job-{number}",
            status=202,
            latency_s=0.02,
        )

    def store(self, number: int, at_s: float, **changes: Any) -> Record:
        """A session with one stored mail and its reply; returns the `stored` record."""
        count = sum(1 for r in self.files[DELIVERIES] if r["event"] == "stored")
        mail, session = f"m{count}", changes.pop("session", f"s{count}")
        flushed, code = changes.pop("flushed", True), 250
        self.add(DELIVERIES, at_s - 0.02, "session_begin", session=session, peer="127.0.0.1:1")
        self.add(DELIVERIES, at_s - 0.01, "data_begin", session=session)
        fields = {
            "mail": mail,
            "session": session,
            "key": key(number),
            "id": f"job-{number}",
            "message_id": f"job-{number}@x",
            "attempt": 1,
            "worker": "h:101",
            "hint": f"task-{number}",
            "sender": "a@x",
            "to": [f"u{number}@example.org"],
            "digest": f"d{number}",
            "size": 100,
            "raw_at": 0,
        }
        stored = self.add(DELIVERIES, at_s, "stored", **{**fields, **changes})
        self.add(
            DELIVERIES,
            at_s + 0.001,
            "reply",
            mail=mail,
            session=session,
            code=code,
            flushed=flushed,
            fault=None,
        )
        self.add(
            DELIVERIES,
            at_s + 0.01,
            "session_end",
            session=session,
            auth="ok",
            stage="data",
            mails=1,
            bytes_in=500,
            fault=None,
            how="quit",
        )
        return stored

    def ledger(self, number: int, state: str = "SUCCESS", **changes: Any) -> Record:
        fields = {
            "key": key(number),
            "id": f"job-{number}",
            "http": 200,
            "state": state,
            "detail": None,
            "error": None,
            "attempts": 1,
            "trail": [
                event(number + 0.02, "accepted", None, None),
                event(number + 0.1, "leased"),
                event(number + 0.2, "sending"),
                event(number + 0.51, "sent"),
            ],
        }
        return self.add(LEDGER, QUIET + 1, "job", **{**fields, **changes})

    def chore(self, number: int, at_s: float) -> None:
        """A job of another kind: done after 0.2 s, and its end told in a mail, which is a job of its own."""
        told = f"{key(number)}+notify"
        self.submit(number, at_s, kind="greet", mail_key=told, digest=None)
        self.store(number, at_s + 0.5, key=told, id=f"note-{number}", digest="said by the system")
        begun, done = event(at_s + 0.1, "leased"), event(at_s + 0.2, "done")
        self.ledger(number, detail="done", trail=[event(at_s + 0.02, "accepted", None, None), begun, done])
        sent = [event(at_s + 0.3, "leased"), event(at_s + 0.4, "sending"), event(at_s + 0.51, "sent")]
        self.ledger(number, id=f"note-{number}", notify=True, trail=sent)

    def fault(self, name: str = "sever-1", kind: str = "sever") -> None:
        self.add(EVENTS, 5, "inject", fault=name, kind=kind, detail="")
        self.add(EVENTS, 6, "bite", fault=name, proof="12 connections were refused")
        self.add(EVENTS, 8, "heal", fault=name)
        self.add(EVENTS, 8.1, "healed", fault=name, read_back="no toxic is left")
        self.add(EVENTS, 12, "recovered", fault=name, after_s=3.5)

    def kill(self, at_s: float, pid: int = 101, children: tuple[int, ...] = (102, 103)) -> Record:
        fields = {"name": "worker-1", "process_pid": pid, "children": list(children)}
        return self.add(EVENTS, at_s, "process", what="killed", status=None, why="fault", **fields)

    def scrapes(
        self, at_s: float, accepted: float, sent: float, stored: float, sink_bytes: float = 0
    ) -> None:
        name = 'toxiproxy_proxy_sent_bytes_total{direction="upstream",proxy="smtp-worker",listener="l"}'
        counters = {"mail_jobs_accepted_total": accepted, 'mail_jobs_terminal_total{state="sent"}': sent}
        self.add(METRICS, at_s, "scrape", target="api", ok=True, samples=counters, error=None)
        counters = {"sink_messages_stored_total": stored, "sink_open_sessions": 3}
        self.add(METRICS, at_s, "scrape", target="sink", ok=True, samples=counters, error=None)
        self.add(METRICS, at_s, "scrape", target="toxiproxy", ok=True, samples={name: sink_bytes}, error=None)

    @classmethod
    def sound(cls, jobs: int = 10, chores: int = 0) -> Run:
        """Ten jobs, one a second, each stored half a second later; then quiet, and every counter right."""
        run = cls()
        run.add(SUBMISSIONS, 0, "load_start", rate_per_s=10, seed=7, target="http://x", schedule="constant")
        run.add(DELIVERIES, -1, "sink_start", smtp_port=1, idle_limit_s=5, data_limit_s=5, latency_s=0)
        run.add(EVENTS, -1, "phase", name="start")
        run.scrapes(-0.5, 0, 0, 0)
        for number in range(jobs):
            run.submit(number, number)
            run.store(number, number + 0.5)
            run.ledger(number)
        for number in range(jobs, jobs + chores):
            run.chore(number, number)
        total = jobs + chores
        run.add(SUBMISSIONS, LOAD_END, "load_stop", due=total, sent=total, max_late_s=0.01, reason="done")
        run.add(EVENTS, LOAD_END, "story", told=True, why=None)
        run.add(EVENTS, LOAD_END + 1, "load_exit", status=0)
        run.add(EVENTS, QUIET, "quiet", after_s=4, detail="", seen=True)
        run.scrapes(QUIET + 2, total + chores, total, total, total * 500)
        run.add(LEDGER, STOP, "ledger_end", asked=total + chores, answered=total + chores)
        run.add(DELIVERIES, STOP, "sink_stop")
        return run

    def counters(
        self, accepted: int | None = None, sent: int | None = None, stored: int | None = None
    ) -> None:
        """Make the last scrape agree with a changed history."""
        api = self.files[METRICS][-3]["samples"]
        sink, proxy = self.files[METRICS][-2]["samples"], self.files[METRICS][-1]["samples"]
        if accepted is not None:
            api["mail_jobs_accepted_total"] = accepted
        if sent is not None:
            api['mail_jobs_terminal_total{state="sent"}'] = sent
        if stored is not None:
            sink["sink_messages_stored_total"] = stored
            proxy[next(iter(proxy))] = stored * 500

    def never_stored(self, number: int) -> None:
        """Take a job's copy out of the sink, its counter and the ledger's count of sent mails."""
        mail = self.find(DELIVERIES, "stored", key=key(number))
        for name in ("session_begin", "data_begin", "stored", "reply", "session_end"):
            self.drop(DELIVERIES, name, session=mail["session"])
        stored = sum(1 for r in self.files[DELIVERIES] if r["event"] == "stored")
        self.counters(stored=stored)

    def write(self, folder: Path, spoil: Callable[[Path], None] | None = None) -> Path:
        """Write the six files; `seq` is counted here unless a record brings its own."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(self.plan))
        for name, records in self.files.items():
            seqs: dict[str, int] = defaultdict(int)
            with (folder / name).open("w") as file:
                for source in sorted(records, key=lambda r: r["at_s"]):
                    record = dict(source)
                    seconds, writer = record.pop("at_s"), record["writer"]
                    record = {
                        "seq": seqs[writer],
                        "wall_ns": WALL0 + int(seconds * 1e9),
                        "mono_ns": mono(seconds),
                        "pid": 1,
                        **record,
                    }
                    seqs[writer] = record["seq"] + 1
                    file.write(json.dumps(record) + "\n")
        if spoil:
            spoil(folder)
        return folder


def event(
    at_s: float, name: str, fence: int | None = 1, worker: str | None = "h:101", detail: Any = None
) -> Record:
    return {"at_ms": at_ms(at_s), "event": name, "fence": fence, "worker": worker, "detail": detail}
