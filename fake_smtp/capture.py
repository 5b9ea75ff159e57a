"""Puts every mail and every session on disk before the client hears of it, and answers receipts.

Used by the server and the control API from one thread. Nothing here awaits: what a method has
returned is in the kernel and survives SIGKILL. Never deletes, never rewrites.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from fake_smtp.index import Entry, Index
from fake_smtp.message import Mail, parse
from fake_smtp.session import SessionState
from reports.evidence import DELIVERIES, Appender

RAW = "mails.raw"


class FolderInUseError(Exception):
    """Another sink writes to this folder."""


class EvidenceError(Exception):
    """The disk refused evidence. Not an OSError: those are what a vanishing client raises."""


class Capture:
    """The evidence of one folder: `deliveries.jsonl`, `mails.raw` and the index of receipts.

    Opening raises OSError, and FolderInUseError for a second sink; writing raises EvidenceError. Numbers of
    sessions and mails go on where an earlier sink in the same folder (killed, perhaps) stopped, and so do
    the receipts.
    """

    def __init__(self, out: Path, run: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._raw = os.open(out / RAW, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._raw)
            raise FolderInUseError(f"another sink is writing to {out}") from None
        self._raw_size = os.fstat(self._raw).st_size
        self.index = Index()
        self._sessions = 0
        self._mails = 0
        self._take_over(out / DELIVERIES)
        self._log = Appender(out / DELIVERIES, run, "sink")

    def record(self, event: str, **fields: Any) -> None:
        """Write one record."""
        try:
            self._log.append(event, **fields)
        except OSError as error:
            raise EvidenceError(str(error)) from error

    def record_later(self, event: str, **fields: Any) -> bool:
        """Keep a record for the next write; return whether somebody must see to it that there is one."""
        return self._log.append_later(event, **fields)

    def flush(self) -> None:
        """Write the records that wait."""
        try:
            self._log.flush()
        except OSError as error:
            raise EvidenceError(str(error)) from error

    def next_session(self) -> int:
        """Return a session number that this folder has not seen."""
        self._sessions += 1
        return self._sessions

    def store(self, session: SessionState, sender: str, to: list[str], raw: bytes, mail: Mail) -> int:
        """Write the raw mail, then its `stored` record; return its number. Now receipts say stored."""
        at = self._append_raw(raw)
        number = self._mails + 1
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
        said = session.transcript.take()
        self.record("stored", **stored, said=said)
        self._mails = number
        if mail.message_id is not None:
            self.index.note(mail.message_id)
        self._show(stored, time.time(), mail)
        return number

    def read(self, at: int, size: int) -> bytes:
        """Return `size` bytes of the raw mails from offset `at`."""
        return os.pread(self._raw, size, at)

    def copies(self, message_id: str) -> int:
        """Return how many mails with this Message-ID (no angle brackets) are in the folder.

        Raises IndexLost when nobody can tell any more: then whoever asks must not take it for a no.
        """
        return self.index.receipts(message_id)

    def close(self) -> None:
        """Close the files and let another sink have the folder."""
        self._log.close()
        self.index.close()
        os.close(self._raw)

    def _append_raw(self, raw: bytes) -> int:
        at = self._raw_size
        try:
            written = os.write(self._raw, raw)
        except OSError as error:
            raise EvidenceError(f"{RAW}: {error}") from error
        if written != len(raw):
            raise EvidenceError(f"{RAW}: {written} of {len(raw)} bytes written; is the disk full?")
        self._raw_size += written
        return at

    def _take_over(self, deliveries: Path) -> None:
        """Learn what an earlier sink stored: a receipt that forgets would make the system send twice."""
        try:
            lines = deliveries.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            if b'"event":"stored"' in line or b'"event":"session_begin"' in line:
                self._learn(line)
        if lines and not lines[-1].endswith(b"\n"):
            # A torn line (full disk) must not swallow the first record of this sink.
            with deliveries.open("ab") as file:
                file.write(b"\n")

    def _learn(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except ValueError:
            return
        self._sessions = max(self._sessions, record["session"])
        if record["event"] == "stored":
            self._mails = max(self._mails, record["mail"])
            if record["message_id"] is not None:
                self.index.note(record["message_id"])
            # A damaged record is no reason to refuse work; it is missing in the inbox only.
            with suppress(KeyError, TypeError, OSError):
                mail = parse(self.read(record["raw_at"], record["size"]))
                self._show(record, record["wall_ns"] / 1e9, mail)

    def _show(self, stored: dict[str, Any], at_s: float, mail: Mail) -> None:
        """Put a mail into the inbox, from its record and what it says."""
        same = ("mail", "session", "key", "message_id", "attempt", "sender", "digest", "size", "raw_at")
        entry = Entry(
            **{name: stored[name] for name in same},
            at_s=at_s,
            job_id=stored["id"],
            recipients=json.dumps(stored["to"], ensure_ascii=False),
            subject=mail.subject,
        )
        self.index.add(entry, mail.text)
