"""What the sink saw: every stored copy with its reply, refusals, and whether each session came to its end.

Fed by `reports.intake` after the submissions: a copy is compared with its plan at once, its content let go.
"""

from __future__ import annotations

from reports.evidence import DELIVERIES, Record
from reports.history import History
from reports.intake.fields import packed, shared, shown, text, text_or_none, whole, words
from reports.intake.metrics import matching
from reports.records import Copy, Job

SMTP_PROXY = {"direction": "upstream", "proxy": "smtp-worker"}
PROXY_BYTES = "toxiproxy_proxy_sent_bytes_total"
# Toxiproxy counts a connection when it ends, just before or after the sink sees that end.
SETTLE_NS = 1_000_000_000
MAIL_STAGES_EXCLUDED = frozenset({"connect", "banner", "helo", "ehlo", "starttls", "auth"})


class Deliveries:
    """Intake of `deliveries.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.started: list[str] = []
        self.stopped: set[str] = set()
        self.open: set[str] = set()
        self.unanswered: dict[tuple[str, str], Copy | None] = {}
        self.surplus = 0
        scrapes = [
            one.last_ns for some in matching(history, PROXY_BYTES, **SMTP_PROXY).values() for one in some
        ]
        self.settled_ns = max(scrapes, default=0) - SETTLE_NS
        self.handlers = {
            "sink_start": self.sink_start,
            "sink_stop": self.sink_stop,
            "session_begin": self.session_begin,
            "session_end": self.session_end,
            "stored": self.stored,
            "reply": self.reply,
            "refused": self.refused,
        }

    def sink_start(self, record: Record) -> None:
        """Note a sink; a second one means that the first was started again."""
        self.started.append(record["writer"])

    def sink_stop(self, record: Record) -> None:
        """Note that a sink said everything."""
        self.stopped.add(record["writer"])

    def session_begin(self, record: Record) -> None:
        """Open a session."""
        self.open.add(_session(record))
        self.history.sessions.begun += 1

    def session_end(self, record: Record) -> None:
        """Close a session and add up its bytes."""
        bytes_in, how, totals = whole(record, "bytes_in"), text(record, "how"), self.history.sessions
        self.open.discard(_session(record))
        totals.ended += 1
        totals.bytes_in += bytes_in
        totals.encrypted += record.get("tls") is not None
        # A killed worker's connection ends as `closed`, and may take bytes along that nobody read.
        if how != "quit":
            totals.abnormal += 1
        elif record["mono_ns"] < self.settled_ns:
            totals.settled_bytes += bytes_in

    def stored(self, record: Record) -> None:
        """Index a copy under the key of its job, compared with the plan."""
        mail, to = (record["writer"], words(record["mail"])), list(record["to"])
        mail_key, digest = text_or_none(record, "key"), text(record, "digest")
        job_id = text_or_none(record, "id")
        self.history.stored += 1
        self.unanswered[mail] = None
        key, job = self._job_of(mail_key)
        if job is None or key is None:
            self.history.strays.append(
                (_stray_kind(self.history, mail_key), mail_key or f"(no key) mail {mail[1]}")
            )
            return
        copy = Copy(
            at_ns=record["mono_ns"],
            session=_session(record),
            job_id=job.ids[0] if job.ids and job_id == job.ids[0] else job_id,
            attempt=shared(record["attempt"]),
            worker=shared(record["worker"]),
            hint=words(record["hint"]),
            damaged=bool(job.digest) and packed(digest) != job.digest,
            misrouted=bool(job.to) and to != [job.to],
        )
        job.copies = (*job.copies, copy) if job.copies else (copy,)
        job.first_stored_ns = min(job.first_stored_ns or copy.at_ns, copy.at_ns)
        if copy.damaged or copy.misrouted:
            self._note_fault(key, copy)
        self.unanswered[mail] = copy

    def _job_of(self, mail_key: str | None) -> tuple[str | None, Job | None]:
        """The job whose mail bears this key, with its own key; a chore has no mail under its own."""
        key = self.history.key_of(mail_key)
        job = self.history.jobs.get(key) if key else None
        if job is not None and job.chore is not None and mail_key != job.chore.mail_key:
            return key, None
        return key, job

    def _note_fault(self, key: str, copy: Copy) -> None:
        if copy.damaged:
            self.history.damaged.add(key)
        if copy.misrouted:
            self.history.misrouted.add(key)

    def reply(self, record: Record) -> None:
        """Note whether the reply to a copy left the sink."""
        flushed = record["flushed"]
        if not isinstance(flushed, bool):
            raise TypeError(f"flushed is {shown(flushed)}, not true or false")
        mail = (record["writer"], words(record["mail"]))
        if mail not in self.unanswered:
            self.surplus += 1
            return
        copy = self.unanswered.pop(mail)
        if copy is not None:
            copy.flushed = flushed

    def refused(self, record: Record) -> None:
        """Keep that the sink refused a mail for good (5xx), which is the one lawful reason to give it up.

        Before the headers there is no key: then it concerns the recipients named so far, and a refused
        sender, before any recipient, whoever was to be next.
        """
        code, key, stage = whole(record, "code"), text_or_none(record, "key"), text(record, "stage").lower()
        if not 500 <= code < 600 or stage in MAIL_STAGES_EXCLUDED:
            return
        concerned: list[str | None] = [self.history.key_of(key)] if key else list(record.get("to") or ())
        if not concerned and stage == "mail":
            concerned = [None]
        for whom in concerned:
            self.history.refusals.setdefault(whom, set()).add(code)

    def finish(self) -> None:
        """Say what is missing: end marks, session ends, replies."""
        problems = self.history.problems[DELIVERIES]
        if not self.started:
            problems.append(f"{DELIVERIES}: no sink_start")
        for writer in self.started:
            if writer not in self.stopped:
                problems.append(f"{DELIVERIES}: sink {writer} has no sink_stop")
        self._say(len(self.open), "sessions have no session_end")
        self._say(len(self.unanswered), "stored mails have no reply record")
        self._say(self.surplus, "reply records belong to no stored mail, or are a second one")
        for job in self.history.jobs.values():
            if len(job.copies) > 1:
                job.copies = sorted(job.copies, key=lambda copy: copy.at_ns)

    def _say(self, count: int, what: str) -> None:
        if count:
            self.history.problems[DELIVERIES].append(f"{DELIVERIES}: {count} {what}")


def _session(record: Record) -> str:
    return shared(f"{record['writer']}/{words(record['session'])}")


def _stray_kind(history: History, key: str | None) -> str:
    if not key:
        return "no key"
    return "unknown key" if key.startswith(f"{history.plan.run}-") else "foreign run"
