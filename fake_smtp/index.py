"""What the sink has stored, searchable: a copy for people and tests, beside the evidence and made from it.

Filled by `capture` after the evidence is on disk, asked by the inbox. SQLite in a private temporary file, so
that memory stays flat and nothing is left behind. Emptied, it still answers receipts; broken, it answers
nothing, and the evidence is whole all the same.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from fake_smtp.entries import Entry, Expected, Query, Verification
from fake_smtp.scratch import scratch

_TEXT_MOST = 65536
"""Characters of a mail's text that can be searched."""
_BATCH = 200


class IndexLost(Exception):
    """The copy could not be written (temporary disk full): it answers nothing any more."""


_COLUMNS = Entry._fields[:-2]
# Only names and marks of ours become part of a statement.
_INSERT = f"INSERT OR REPLACE INTO mails VALUES ({', '.join('?' * (len(_COLUMNS) + 2))})"  # noqa: S608
_MOST_COPIES = 1000
"""More are not counted, so that one page stays cheap whatever is in the inbox."""
_COUNT = f"(SELECT count(*) FROM (SELECT 1 FROM mails b WHERE b.name = mails.name{{}} LIMIT {_MOST_COPIES}))"  # noqa: S608
_ALL = f"{', '.join(_COLUMNS)}, {_COUNT.format(' AND b.mail <= mails.mail')}, {_COUNT.format('')}"
_RECEIPT = "INSERT INTO receipts VALUES (?, 1) ON CONFLICT (message_id) DO UPDATE SET copies = copies + 1"
_SCHEMA = (
    f"CREATE TABLE mails (mail INTEGER PRIMARY KEY, {', '.join(_COLUMNS[1:])}, name, text)",
    "CREATE INDEX by_name ON mails (name)",
    "CREATE TABLE receipts (message_id PRIMARY KEY, copies) WITHOUT ROWID",
    "CREATE TABLE totals (duplicates)",
    "INSERT INTO totals VALUES (0)",
    "CREATE TRIGGER again AFTER UPDATE ON receipts WHEN new.copies > old.copies "
    "BEGIN UPDATE totals SET duplicates = duplicates + 1; END",
)
_CONDITIONS = {
    "key": "name = ? AND key IS NOT NULL",
    "recipient": "instr(lower(recipients), lower(?))",
    "sender": "instr(lower(sender), lower(?))",
    "subject": "instr(lower(subject), lower(?))",
    "text": "instr(lower(text), lower(?))",
    "since_s": "at_s >= ?",
    "until_s": "at_s < ?",
    "before": "mail < ?",
}


class Index:
    """The searchable copy; for one thread."""

    def __init__(self) -> None:
        self._db = scratch(*_SCHEMA)
        self._waiting: list[tuple[object, ...]] = []
        self._stored: list[tuple[str]] = []
        self._lost: str | None = None
        self.listeners: set[Callable[[int], None]] = set()

    def add(self, entry: Entry, text: str) -> None:
        """Take one mail; cheap, because rows are written when somebody asks, or some at a time."""
        self._waiting.append((*entry[:-2], entry.name, text[:_TEXT_MOST]))
        if len(self._waiting) >= _BATCH:
            with suppress(IndexLost):
                self._flush()
        for listener in list(self.listeners):
            listener(entry.mail)

    def note(self, message_id: str) -> None:
        """Take one stored mail for the receipts, which outlive what is forgotten here."""
        self._stored.append((message_id,))

    def search(self, query: Query, most: int) -> list[Entry]:
        """Return the newest `most` mails that fit."""
        wanted = {name: value for name in _CONDITIONS if (value := getattr(query, name)) is not None}
        where = " AND ".join(_CONDITIONS[name] for name in wanted) or "1"
        return self._entries(f"WHERE {where} ORDER BY mail DESC LIMIT ?", (*wanted.values(), most))

    def get(self, number: int) -> Entry | None:
        """Return one mail."""
        return next(iter(self._entries("WHERE mail = ?", (number,))), None)

    def count(self) -> int:
        """Return how many mails there are."""
        self._flush()
        count: int = self._db.execute("SELECT count(*) FROM mails").fetchone()[0]
        return count

    def some(self, numbers: Sequence[int]) -> list[Entry]:
        """Return these mails, in their order; those that are forgotten are missing."""
        marks = ", ".join("?" * len(numbers))
        return self._entries(f"WHERE mail IN ({marks}) ORDER BY mail", numbers)

    def copies(self, name: str) -> list[int]:
        """Return the numbers of all mails with this key, or with this Message-ID and no key."""
        self._flush()
        asked = "SELECT mail FROM mails WHERE name = ? ORDER BY mail"
        return [mail for (mail,) in self._db.execute(asked, (clean(name),))]

    def receipts(self, message_id: str) -> int:
        """Return how many mails with this Message-ID (no angle brackets) were ever stored in the folder."""
        self._flush()
        asked = "SELECT copies FROM receipts WHERE message_id = ?"
        row = self._db.execute(asked, (clean(message_id),)).fetchone()
        return row[0] if row else 0

    def duplicates(self) -> int:
        """Return how many mails were stored whose Message-ID had been stored before."""
        self._flush()
        count: int = self._db.execute("SELECT duplicates FROM totals").fetchone()[0]
        return count

    def verify(self, expected: Iterable[Expected]) -> Verification:
        """Hold what is stored against what is expected; a mail without a key is named by its Message-ID."""
        self._flush()
        wanted = {one.key: one.digest for one in expected}
        copies: Counter[str] = Counter()
        unexpected, corrupted = set(), set()
        for key, name, digest in self._db.execute("SELECT key, message_id, digest FROM mails"):
            if key not in wanted:
                unexpected.add(key or f"<{name or '?'}>")
                continue
            copies[key] += 1
            if wanted[key] not in (None, digest):
                corrupted.add(key)
        return Verification(
            missing=sorted(wanted.keys() - copies.keys()),
            duplicated={key: copies[key] for key in sorted(copies) if copies[key] > 1},
            unexpected=sorted(unexpected),
            corrupted=sorted(corrupted),
        )

    def clear(self) -> int:
        """Forget all mails; return how many."""
        self._flush()
        return self._db.execute("DELETE FROM mails").rowcount

    def forget(self, numbers: Iterable[int]) -> int:
        """Forget these mails; return how many there were."""
        self._flush()
        rows = [(number,) for number in numbers]
        return self._db.executemany("DELETE FROM mails WHERE mail = ?", rows).rowcount if rows else 0

    def trim(self, upto: int, message_ids: Iterable[str]) -> None:
        """Forget all mails up to this number, and in the receipts a copy of each of these Message-IDs."""
        self._flush()
        gone = [(clean(message_id),) for message_id in message_ids]
        try:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM mails WHERE mail <= ?", (upto,))
            self._db.executemany("UPDATE receipts SET copies = copies - 1 WHERE message_id = ?", gone)
            self._db.executemany("DELETE FROM receipts WHERE message_id = ? AND copies < 1", gone)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._lost = str(error)
            self._flush()

    def close(self) -> None:
        """Give the temporary file back."""
        self._db.close()

    def _entries(self, where: str, values: Sequence[object]) -> list[Entry]:
        self._flush()
        rows = self._db.execute(f"SELECT {_ALL} FROM mails {where}", values)  # noqa: S608
        # A mail that has no name is its own and only copy.
        return [Entry(*row[:-2], *(max(1, count) for count in row[-2:])) for row in rows]

    def _flush(self) -> None:
        rows, stored = self._waiting, self._stored
        self._waiting, self._stored = [], []
        if (rows or stored) and self._lost is None:
            try:
                self._write(rows, stored)
            except sqlite3.Error as error:
                self._lost = str(error)
        if self._lost is not None:
            raise IndexLost(f"the inbox is incomplete ({self._lost}); the evidence is not")

    def _write(self, rows: list[tuple[object, ...]], stored: list[tuple[str]]) -> None:
        try:
            "".join(value for row in [*rows, *stored] for value in row if isinstance(value, str)).encode()
        except UnicodeEncodeError:
            # Rare enough to look at each text only then.
            rows = [tuple(map(clean, row)) for row in rows]
            stored = [(clean(message_id),) for (message_id,) in stored]
        self._db.execute("BEGIN")
        self._db.executemany(_INSERT, rows)
        self._db.executemany(_RECEIPT, stored)
        self._db.execute("COMMIT")


T = TypeVar("T")


def clean(value: T) -> T:
    """Return a text without half surrogate pairs, which an envelope may hold and SQLite cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value  # type: ignore[return-value]
