"""What the sink has stored, searchable: a copy for people and tests, beside the evidence and made from it.

Filled by `capture` after the evidence is on disk, asked by the inbox. SQLite in a private temporary file, so
that memory stays flat and nothing is left behind. Emptied, or even broken, it does no harm to evidence or
receipts.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from operator import attrgetter

_TEXT_MOST = 65536
"""Characters of a mail's text that can be searched."""
_BATCH = 200


class IndexLost(Exception):
    """The copy could not be written (temporary disk full): it answers nothing any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored mail; `at_s` is wall-clock time (s since the epoch), `recipients` a JSON list."""

    mail: int
    session: int
    at_s: float
    key: str | None
    job_id: str | None
    message_id: str | None
    attempt: int | None
    sender: str
    recipients: str
    subject: str
    digest: str
    size: int
    raw_at: int

    def to_json(self) -> dict[str, object]:
        """Return it as the API shows it, without where it lies."""
        shown = asdict(self)
        del shown["raw_at"]
        return {**shown, "recipients": json.loads(self.recipients)}


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; None: anything. Texts are parts, and upper and lower case are the same."""

    key: str | None = None
    recipient: str | None = None
    sender: str | None = None
    subject: str | None = None
    text: str | None = None
    since_s: float | None = None
    until_s: float | None = None
    before: int | None = None
    """Only mails with a smaller number: where the last page ended."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One mail that must be there exactly once; `digest` None: whatever it says."""

    key: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """How the stored mails differ from the expected ones; keys in order, `duplicated` with their copies."""

    missing: list[str]
    duplicated: dict[str, int]
    unexpected: list[str]
    corrupted: list[str]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.duplicated or self.unexpected or self.corrupted)


_COLUMNS = tuple(field.name for field in fields(Entry))
_ALL = ", ".join(_COLUMNS)
_values: Callable[[Entry], tuple[object, ...]] = attrgetter(*_COLUMNS)
# Only names and marks of ours become part of a statement.
_INSERT = f"INSERT OR REPLACE INTO mails VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608
_CONDITIONS = {
    "key": "key = ?",
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
        # "": a temporary file that SQLite deletes by itself.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        columns = _ALL.replace("mail,", "mail INTEGER PRIMARY KEY,", 1)
        self._db.execute(f"CREATE TABLE mails ({columns}, text)")
        self._db.execute("CREATE INDEX by_key ON mails (key)")
        self._waiting: list[tuple[object, ...]] = []
        self._lost: str | None = None
        self.listeners: set[Callable[[Entry], None]] = set()

    def add(self, entry: Entry, text: str) -> None:
        """Take one mail; cheap, because rows are written when somebody asks, or some at a time."""
        self._waiting.append((*map(_clean, _values(entry)), _clean(text[:_TEXT_MOST])))
        if len(self._waiting) >= _BATCH:
            with suppress(IndexLost):
                self._flush()
        for listener in list(self.listeners):
            listener(entry)

    def search(self, query: Query, most: int) -> list[Entry]:
        """Return the newest `most` mails that fit."""
        wanted = {name: value for name in _CONDITIONS if (value := getattr(query, name)) is not None}
        where = " AND ".join(_CONDITIONS[name] for name in wanted) or "1"
        return self._entries(f"WHERE {where} ORDER BY mail DESC LIMIT ?", (*wanted.values(), most))

    def get(self, number: int) -> Entry | None:
        """Return one mail."""
        return next(iter(self._entries("WHERE mail = ?", (number,))), None)

    def copies(self, key: str) -> list[int]:
        """Return the numbers of all mails with this key."""
        return [entry.mail for entry in self._entries("WHERE key = ? ORDER BY mail", (key,))]

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

    def close(self) -> None:
        """Give the temporary file back."""
        self._db.close()

    def _entries(self, where: str, values: Sequence[object]) -> list[Entry]:
        self._flush()
        return [Entry(*row) for row in self._db.execute(f"SELECT {_ALL} FROM mails {where}", values)]  # noqa: S608

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if rows and self._lost is None:
            try:
                self._db.execute("BEGIN")
                self._db.executemany(_INSERT, rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._lost = str(error)
        if self._lost is not None:
            raise IndexLost(f"the inbox is incomplete ({self._lost}); the evidence is not")


def _clean(value: object) -> object:
    """A text without half surrogate pairs, which an envelope may hold and SQLite cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
