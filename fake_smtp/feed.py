"""Every stored mail in the order in which it could be seen, for programs that follow and must miss none.

Filled by `capture`, asked by `stored`. SQLite in a private temporary file, like the index; it outlives what
is forgotten in the inbox, and a place means the same after a restart in the same folder.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import NamedTuple

from fake_smtp.index import IndexLost, clean
from fake_smtp.scratch import scratch

_BATCH = 200
_SCHEMA = "CREATE TABLE feed (at INTEGER PRIMARY KEY, mail, at_s, key)"


class Stored(NamedTuple):
    """One mail: its place in the feed (from 1), its number, when (s since 1970), its key if it has one."""

    at: int
    mail: int
    at_s: float
    key: str | None


class Feed:
    """The feed of one folder; for one thread."""

    def __init__(self) -> None:
        self._db: sqlite3.Connection | None = None
        self._waiting: list[tuple[int, int, float, str | None]] = []
        self._lost: str | None = None
        self.last = 0
        """The place of the newest mail; 0: there is none."""

    def skip(self, upto: int) -> None:
        """Begin behind the mails up to this number: retention has made the folder forget them."""
        # Limits are for one process, whose mails have the numbers 1, 2, 3 in the order of their coming.
        self.last = upto

    def add(self, mail: int, at_s: float, key: str | None) -> None:
        """Take the next mail; cheap, because rows are written some at a time."""
        self.last += 1
        if key is not None and not key.isascii():
            key = clean(key)
        self._waiting.append((self.last, mail, at_s, key))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def after(self, place: int, most: int) -> list[Stored]:
        """Return the first mails behind a place, at most so many. Raises IndexLost."""
        self._flush()
        if self._lost is not None:
            raise IndexLost(f"the feed is incomplete ({self._lost}); the evidence is not")
        if self._db is None or place >= self.last:
            return []
        asked = "SELECT at, mail, at_s, key FROM feed WHERE at > ? ORDER BY at LIMIT ?"
        return [Stored(*row) for row in self._db.execute(asked, (place, most))]

    def trim(self, upto: int) -> None:
        """Forget all mails up to this number, which is their place as well (see `skip`)."""
        self._flush()
        if self._db is not None:
            with suppress(sqlite3.Error):  # then it only knows more than it must
                self._db.execute("DELETE FROM feed WHERE at <= ?", (upto,))

    def close(self) -> None:
        """Give the temporary file back."""
        if self._db is not None:
            self._db.close()

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows or self._lost is not None:
            return
        try:
            self._db = self._db or scratch(_SCHEMA)
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO feed VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._lost = str(error)
