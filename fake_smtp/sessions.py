"""The sessions of one sink, found again in the evidence: a list, and what was said in each.

Fed by a follower of `deliveries.jsonl` when somebody asks. SQLite in a private temporary file keeps where the
lines of a session begin, so that memory stays flat; the words themselves stay in the evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from fake_smtp import holes
from fake_smtp.follower import Follower
from fake_smtp.scratch import scratch

_SHOWN = 500
"""Lines at the beginning and at the end of a session that are shown."""
_AT_END = ("tls", "auth", "stage", "mails", "bytes_in", "fault", "how")
_BATCH = 200
Record = dict[str, Any]


class Sessions:
    """What can be asked about sessions; for one thread."""

    def __init__(self, deliveries: Path, flush: Callable[[], object]) -> None:
        """`flush` puts what the sink still holds back into the file."""
        self._path, self._flush = deliveries, flush
        self._follower = Follower(deliveries, self._take)
        self._db = scratch(
            "CREATE TABLE sessions (session INTEGER PRIMARY KEY, first, last)",
            "CREATE TABLE lines (session, at, PRIMARY KEY (session, at)) WITHOUT ROWID",
        )
        self._lines: list[tuple[int, int]] = []

    async def newest(self, before: int | None, most: int) -> list[Record]:
        """Return the newest sessions with a smaller number than `before`."""
        await self._catch_up()
        rows = self._db.execute(
            "SELECT session, first, last FROM sessions WHERE session < ? ORDER BY session DESC LIMIT ?",
            (before or 2**62, most),
        ).fetchall()
        return [self._summary(*row) for row in rows]

    async def show(self, number: int) -> Record | None:
        """Return one session with its lines; None when there is no such session."""
        await self._catch_up()
        row = self._db.execute("SELECT * FROM sessions WHERE session = ?", (number,)).fetchone()
        if row is None:
            return None
        lines, cut = self._told(number)
        return {**self._summary(*row), "lines": lines, "cut": cut}

    def close(self) -> None:
        """Give the temporary file back."""
        self._db.close()

    async def _catch_up(self) -> None:
        self._flush()
        await self._follower.catch_up()
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?)", self._lines)
        self._db.execute("COMMIT")
        self._lines.clear()
        while self._drop_some():
            await asyncio.sleep(0)

    def _drop_some(self) -> bool:
        """Forget sessions whose lines have been given back to the file system; return whether any were."""
        begin = holes.begin(self._path)
        oldest = self._db.execute("SELECT session, first FROM sessions ORDER BY session LIMIT ?", (_BATCH,))
        gone = [(session,) for session, first in oldest if first < begin]
        if gone:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM sessions WHERE session = ?", gone)
            self._db.executemany("DELETE FROM lines WHERE session = ?", gone)
            self._db.execute("COMMIT")
        return bool(gone)

    def _take(self, at: int, record: Record) -> None:
        number, event = record.get("session"), record.get("event")
        if not isinstance(number, int):
            return
        self._lines.append((number, at))
        if event == "session_begin":
            self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, NULL)", (number, at))
        elif event == "session_end":
            self._db.execute("UPDATE sessions SET last = ? WHERE session = ?", (at, number))

    def _summary(self, number: int, first: int, last: int | None) -> Record:
        begin = self._record(first)
        end = {} if last is None else self._record(last)
        return {
            "session": number,
            "peer": begin.get("peer"),
            "begun_s": begin.get("wall_ns", 0) / 1e9,
            "ended_s": end["wall_ns"] / 1e9 if end else None,
            **{name: end.get(name) for name in _AT_END},
        }

    def _told(self, number: int) -> tuple[list[Record], bool]:
        asked = "SELECT at FROM lines WHERE session = ? ORDER BY at {} LIMIT ?"
        first = [at for (at,) in self._db.execute(asked.format("ASC"), (number, _SHOWN))]
        last = [at for (at,) in self._db.execute(asked.format("DESC"), (number, _SHOWN))][::-1]
        rest = [at for at in last if at > first[-1]]
        count = self._db.execute("SELECT count(*) FROM lines WHERE session = ?", (number,)).fetchone()[0]
        records = [self._record(at) for at in first + rest]
        begun_ns = records[0].get("mono_ns", 0)
        lines = [line for record in records for line in _lines(record, begun_ns)]
        if len(lines) > 2 * _SHOWN:
            return lines[:_SHOWN] + lines[-_SHOWN:], True
        return lines, count > len(records)

    def _record(self, at: int) -> Record:
        with self._path.open("rb") as file:
            file.seek(at)
            # Given back meanwhile: what is there now could be a line of gigabytes.
            line = file.readline() if file.peek(1)[:1] == b"{" else b""
            try:
                record = orjson.loads(line)
            except ValueError:
                return {}
        return record if isinstance(record, dict) else {}


_WHO = {"C": "client", "S": "server", "!": "sink"}


def _lines(record: Record, begun_ns: int) -> Iterator[Record]:
    """Tell what was said before a record, and then what the record itself says."""
    for at_us, who, text, *unsent in record.get("said", ()):
        line = {"at_s": at_us / 1e6, "who": _WHO[who], "text": text}
        yield {**line, "sent": not unsent} if who == "S" else line
    note = _note(record)
    if note:
        yield {"at_s": (record["mono_ns"] - begun_ns) / 1e9, "who": "sink", **note}


def _note(record: Record) -> Record | None:
    match record:
        case {"event": "fault", "fault": fault, "stage": stage, "rule": rule}:
            return {"text": f"fault {fault} at {stage}, rule {rule}", "fault": fault, "rule": rule}
        case {"event": "stored", "mail": mail, "size": size}:
            return {"text": f"stored as mail {mail}, {size} bytes", "mail": mail}
        case {"event": "aborted", "why": why}:
            return {"text": f"aborted: {why}"}
        case {"event": "session_end", "how": how}:
            return {"text": f"ended: {how}"}
    return None
