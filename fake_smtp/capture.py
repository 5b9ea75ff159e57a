"""Puts every mail and every session on disk before the client hears of it, and answers receipts.

Used by the server and the control API from one thread. Nothing here awaits: what has been flushed is in the
kernel and survives SIGKILL. Never rewrites; only `trim` forgets, and `retention` gives the space back.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from fake_smtp import holes
from fake_smtp.entries import Entry
from fake_smtp.feed import Feed
from fake_smtp.folder import RAW, RAWS, lock
from fake_smtp.index import Index, IndexLost
from fake_smtp.message import Mail, parse
from fake_smtp.session import SessionState
from reports.evidence import DELIVERIES, Appender


class EvidenceError(Exception):
    """The disk refused evidence. Not an OSError: those are what a vanishing client raises."""


class Capture:
    """The evidence of one folder: `deliveries.jsonl`, `mails.raw` and the index of receipts.

    Opening raises OSError, and FolderInUseError for a second sink; writing raises EvidenceError. Numbers of
    sessions and mails go on where an earlier sink in the same folder (killed, perhaps) stopped, and so do
    the receipts.
    """

    _step = 1
    """How far apart the numbers of its mails and sessions are."""
    _raw_file: str | None = None
    """Where its raw mails go, as its records say it; None: to the usual file."""

    def __init__(self, out: Path, run: str, raw: int | None = None) -> None:
        """`raw`: what `lock` has returned for this folder, when somebody called it already."""
        self._raw = lock(out) if raw is None else raw
        self._raw_size = os.fstat(self._raw).st_size
        self._unwritten: list[bytes] = []
        self._failure: str | None = None
        self._others: dict[str, int] = {}
        self.index = Index()
        self.feed = Feed()
        self._out = out
        self._sessions = 0
        self._mails = 0
        self._trimmed = 0
        self.runs: set[str] = set()
        """Whose evidence an earlier sink left here."""
        self._take_over(out / DELIVERIES)
        self._log = Appender(out / DELIVERIES, run, "sink")

    def record(self, event: str, **fields: Any) -> None:
        """Write one record, after all that waits."""
        self._log.append_later(event, fields)
        self.flush()

    def record_later(self, event: str, fields: dict[str, Any]) -> bool:
        """Keep a record for the next write; return whether somebody must see to it that there is one."""
        return self._log.append_later(event, fields)

    def flush(self) -> None:
        """Put on disk what waits: mails first, then the records that speak of them.

        Once it has failed it fails for good: a record must not speak of a mail that was lost before it.
        """
        if self._failure is not None:
            raise EvidenceError(self._failure)
        try:
            self._flush_raw()
            self._log.flush()
        except OSError as error:
            self._failure = str(error)
            raise EvidenceError(self._failure) from error

    def next_session(self) -> int:
        """Return a session number that this folder has not seen."""
        self._sessions += self._step
        return self._sessions

    def store(self, session: SessionState, sender: str, to: list[str], raw: bytes, mail: Mail) -> int:
        """Take a mail and its `stored` record; return its number. They are on disk after the next `flush`."""
        at = self._append_raw(raw)
        number = self._mails + self._step
        stored = {
            "mail": number,
            "session": session.number,
            "key": mail.key,
            "id": mail.job_id,
            "message_id": mail.message_id,
            "attempt": mail.attempt,
            "worker": mail.worker,
            "hint": mail.hint,
            "sender": sender,
            "to": to,
            "digest": mail.digest,
            "size": len(raw),
            "raw_at": at,
        }
        if self._raw_file is not None:
            stored["raw_file"] = self._raw_file
        self.record_later("stored", {**stored, "said": session.transcript.take()})
        self._mails = number
        self._remember(stored, mail)
        return number

    def _remember(self, stored: dict[str, Any], mail: Mail) -> None:
        """Take a mail that has just been stored into the index."""
        if mail.message_id is not None:
            self.index.note(mail.message_id)
        at_s = time.time()
        self.feed.add(stored["mail"], at_s, mail.key)
        self._show(stored, at_s, mail)

    @property
    def last_session(self) -> int:
        """The largest number of a session; 0: none yet."""
        return self._sessions

    @property
    def newest(self) -> int:
        """The number of the newest mail; 0: none yet."""
        return self._mails

    @property
    def trimmed(self) -> int:
        """The number of the newest mail that retention limits have made the folder forget; 0: none."""
        return self._trimmed

    def trim(self, upto: int, message_ids: list[str]) -> None:
        """Forget all mails up to this number, here and after a restart; `message_ids`: what they carried."""
        self.record("trimmed", mail=upto)
        self._trimmed = upto
        self.feed.trim(upto)
        with suppress(IndexLost):
            self.index.trim(upto, message_ids)

    def allocated(self) -> int:
        """Return how many bytes of the disk the evidence takes."""
        return sum(map(holes.allocated, (self._out / DELIVERIES, *self._out.glob(RAWS))))

    def raw(self, entry: Entry) -> bytes:
        """Return one mail as it came. Raises EvidenceError, and OSError when its file is gone."""
        self.flush()
        return self._read(entry.raw_file, entry.raw_at, entry.size)

    def _read(self, name: str | None, at: int, size: int) -> bytes:
        fd = self._raw
        if name is not None:
            if name not in self._others:
                # Of a record one may expect anything, but not that it leads out of the folder.
                self._others[name] = os.open(self._out / Path(name).name, os.O_RDONLY | os.O_CLOEXEC)
            fd = self._others[name]
        return os.pread(fd, size, at)

    def copies(self, message_id: str) -> int:
        """Return how many mails with this Message-ID (no angle brackets) are in the folder.

        Raises IndexLost when nobody can tell any more: then whoever asks must not take it for a no. And
        EvidenceError: what is not on disk is not stored.
        """
        self.flush()
        return self.index.receipts(message_id)

    def close(self) -> None:
        """Close the files and let another sink have the folder."""
        self._log.close()
        self.index.close()
        self.feed.close()
        for fd in (self._raw, *self._others.values()):
            os.close(fd)

    def _append_raw(self, raw: bytes) -> int:
        at = self._raw_size
        self._unwritten.append(raw)
        self._raw_size += len(raw)
        return at

    def _flush_raw(self) -> None:
        if not self._unwritten:
            return
        data, self._unwritten = b"".join(self._unwritten), []
        written = os.write(self._raw, data)
        if written != len(data):
            raise OSError(f"{RAW}: {written} of {len(data)} bytes written; is the disk full?")

    def _take_over(self, deliveries: Path) -> None:
        """Learn what an earlier sink stored: a receipt that forgets would make the system send twice."""
        try:
            with deliveries.open("rb") as file:
                file.seek(holes.next_data(file.fileno(), 0))
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return
        self._learn_trimmed(lines)
        self.feed.skip(self._trimmed)
        for line in lines:
            if b'"event":"stored"' in line or b'"event":"session_begin"' in line:
                self._learn(line)
        if lines and not lines[-1].endswith(b"\n"):
            # A torn line (full disk) must not swallow the first record of this sink.
            with deliveries.open("ab") as file:
                file.write(b"\n")

    def _learn_trimmed(self, lines: list[bytes]) -> None:
        for line in reversed(lines):
            if b'"event":"trimmed"' in line:
                # A torn one was written in vain: it comes before what it tells of is forgotten.
                with suppress(ValueError):
                    self._trimmed = self._mails = json.loads(line)["mail"]
                    return

    def _learn(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except ValueError:
            return
        self.learn(record)

    def learn(self, record: dict[str, Any]) -> None:
        """Take a record of another writer: a `stored` or a `session_begin`."""
        self._sessions = max(self._sessions, record["session"])
        if run := record.get("run"):
            self.runs.add(run)
        if record["event"] == "stored" and record["mail"] > self._trimmed:
            self._mails = max(self._mails, record["mail"])
            if record["message_id"] is not None:
                self.index.note(record["message_id"])
            key, wall_ns = record.get("key"), record.get("wall_ns", 0)
            self.feed.add(record["mail"], wall_ns / 1e9, key if isinstance(key, str) else None)
            # A damaged record is no reason to refuse work; it is missing in the inbox only.
            with suppress(KeyError, TypeError, OSError):
                mail = parse(self._read(record.get("raw_file"), record["raw_at"], record["size"]))
                self._show(record, record["wall_ns"] / 1e9, mail)

    def _show(self, stored: dict[str, Any], at_s: float, mail: Mail) -> None:
        """Put a mail into the inbox, from its record and what it says."""
        entry = Entry(
            mail=stored["mail"],
            session=stored["session"],
            at_s=at_s,
            key=stored["key"],
            job_id=stored["id"],
            message_id=stored["message_id"],
            attempt=stored["attempt"],
            sender=stored["sender"],
            recipients=_listed(stored["to"]),
            subject=mail.subject,
            digest=stored["digest"],
            size=stored["size"],
            raw_at=stored["raw_at"],
            raw_file=stored.get("raw_file"),
        )
        self.index.add(entry, mail.text)


def _listed(recipients: list[str]) -> str:
    try:
        return orjson.dumps(recipients).decode()
    except TypeError:
        # An address in no known encoding.
        return json.dumps(recipients, ensure_ascii=False)
