"""Append-only evidence files: the record format, the appender and the reader.

The load, the sink and the experiment write through `Appender`; the judge reads through `read`.
Never judges: a damaged file is described, not repaired and not interpreted.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

SUBMISSIONS = "submissions.jsonl"
DELIVERIES = "deliveries.jsonl"
EVENTS = "events.jsonl"
METRICS = "metrics.jsonl"
LEDGER = "ledger.jsonl"
FILES = (SUBMISSIONS, DELIVERIES, EVENTS, METRICS, LEDGER)

Record = dict[str, Any]


def content_digest(subject: str, body: str) -> str:
    """SHA-256 (hex) of what a person would read: subject and body.

    Line ends and trailing blank lines may change in transport without harm, so they do not count.
    """
    lines = body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return hashlib.sha256(f"{subject}\0{lines}".encode()).hexdigest()


class Appender:
    """Appends records to one file, in one `write(2)` for each call, so that SIGKILL never tears a line.

    Each appender counts its records from 0: a gap in `seq` proves that a record is missing.
    Raises OSError when a record could not be written whole (disk full): evidence is never dropped quietly.
    """

    def __init__(self, path: Path, run: str, role: str) -> None:
        self._run = run
        self._pid = os.getpid()
        # Two appenders of one process and role (a restart inside a test) must not share a count.
        self.writer = f"{role}-{self._pid}-{time.monotonic_ns():x}"
        self._seq = 0
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def append(self, event: str, **fields: Any) -> None:
        """Write one record, after those that wait; it is safe from SIGKILL when this returns."""
        with self._lock:
            self._waiting.append(self._line(event, fields))
            self._write()

    def append_later(self, event: str, fields: Record) -> bool:
        """Keep one record for the next `append` or `flush`, in its place; return whether it is the first."""
        with self._lock:
            self._waiting.append(self._line(event, fields))
            return len(self._waiting) == 1

    def flush(self) -> None:
        """Write the records that wait."""
        with self._lock:
            if self._waiting:
                self._write()

    def close(self) -> None:
        """Close the file; further appends fail."""
        with self._lock:
            os.close(self._fd)
            self._fd = -1  # a late append must fail, not reach whoever gets this number next

    def _line(self, event: str, fields: Record) -> bytes:
        record = {
            "run": self._run,
            "writer": self.writer,
            "seq": self._seq,
            "wall_ns": time.time_ns(),
            "mono_ns": time.monotonic_ns(),
            "pid": self._pid,
            "event": event,
            **fields,
        }
        self._seq += 1
        return _encoded(record) + b"\n"

    def _write(self) -> None:
        data, self._waiting = b"".join(self._waiting), []
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(f"evidence record torn: {written} of {len(data)} bytes written; is the disk full?")


def _encoded(record: Record) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:
        # Half surrogate pairs (an address in no known encoding) and whole numbers over 64 bits.
        return json.dumps(record, separators=(",", ":")).encode()


@dataclass
class EvidenceFile:
    """The records of one file, and what is wrong with it in words (empty: complete)."""

    path: Path
    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """True when nothing that the file should say is known to be missing."""
        return not self.problems


def read(path: Path) -> EvidenceFile:
    """Read one evidence file whole. Never raises for damage: missing, torn, foreign lines become problems."""
    result = EvidenceFile(path)
    result.records.extend(stream(path, result.problems))
    return result


MAX_PROBLEMS = 20  # of one kind and file, told in words; the rest is only counted


def stream(path: Path, problems: list[str]) -> Iterator[Record]:
    """Yield the records of one file, one line in memory at a time.

    Never raises for damage: what is wrong is appended to `problems` in words as the reading comes to it.
    """
    expected: dict[str, int] = {}
    unread = gaps = 0
    trimmed = False
    try:
        for number, line in enumerate(_lines(path, problems), start=1):
            record = parse(line)
            if record is None:
                unread += 1
                if unread <= MAX_PROBLEMS:
                    problems.append(f"{path.name}:{number}: not an evidence record")
                continue
            writer, seq = record["writer"], record["seq"]
            if seq != expected.get(writer, 0):
                gaps += 1
                if gaps <= MAX_PROBLEMS:
                    due = expected.get(writer, 0)
                    problems.append(f"{path.name}: writer {writer}: record {seq} stands where {due} belongs")
            expected[writer] = seq + 1
            if record["event"] == "trimmed":
                trimmed = True
            yield record
    except OSError as error:
        problems.append(f"{path.name}: cannot be read: {error.strerror or error}")
    if trimmed:
        problems.append(f"{path.name}: a retention limit has made the sink forget mails")
    if (more := max(0, unread - MAX_PROBLEMS) + max(0, gaps - MAX_PROBLEMS)) > 0:
        problems.append(f"{path.name}: {more} more problems of these kinds")


def _lines(path: Path, problems: list[str]) -> Iterator[bytes]:
    with path.open("rb", buffering=_READ_AHEAD) as file:
        if begin := data_begins(file.fileno()):
            problems.append(f"{path.name}: the first {begin} bytes were given back to the disk")
            file.seek(begin)
        for line in file:
            if line.endswith(b"\n"):
                yield line
            else:
                problems.append(
                    f"{path.name}: the last line is truncated ({len(line)} bytes without a line end)"
                )


def data_begins(fd: int) -> int:
    """Return where the data begins: a hole of gigabytes must not be read as one line."""
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:
        # Empty, or on a file system without holes.
        return 0


_READ_AHEAD = 1 << 20  # bytes
_LATEST_NS = 2**63  # anything later is no clock
_REQUIRED = {"run": str, "writer": str, "seq": int, "wall_ns": int, "mono_ns": int, "event": str}


_HEAD = itemgetter("run", "writer", "event", "seq", "wall_ns", "mono_ns")


def parse(line: bytes) -> Record | None:
    """Return the record that a line holds; None when it is none."""
    try:
        record: Record = orjson.loads(line)
        run, writer, event, seq, wall_ns, mono_ns = _HEAD(record)
        if (
            type(run) is type(writer) is type(event) is str
            and type(seq) is type(wall_ns) is type(mono_ns) is int
            and 0 <= wall_ns < _LATEST_NS
            and 0 <= mono_ns < _LATEST_NS
        ):
            return record
    except (ValueError, KeyError, TypeError):
        pass
    return _parse_lenient(line)


def _parse_lenient(line: bytes) -> Record | None:
    """Take what only Python's own parser knows: half surrogate pairs, NaN, whole numbers over 64 bits."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    if any(not isinstance(record.get(name), kind) for name, kind in _REQUIRED.items()):
        return None
    if not 0 <= record["mono_ns"] < _LATEST_NS or not 0 <= record["wall_ns"] < _LATEST_NS:
        return None
    return record
