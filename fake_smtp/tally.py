"""How often the rules of one plan were used, and saw each mail: counted for one process, or for several.

Kept by the decider, one for each plan. Everything is counted at once and for good; nothing here awaits.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from fake_smtp.capture import EvidenceError
from fake_smtp.session import Stage


class Tally(Protocol):
    """The counts of one plan."""

    def seen(self, stage: Stage, name: str) -> int:
        """Count that a mail is seen at a stage; return which time it is, from 1."""

    def try_use(self, rule: int, limit: int) -> bool:
        """Use a rule once more, unless that was done `limit` times; return whether it was."""

    def close(self) -> None:
        """Forget the counts; nobody asks any more."""


class OwnTally:
    """The counts of one process, in its memory."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Stage, str], int] = defaultdict(int)
        self._uses: dict[int, int] = defaultdict(int)

    def seen(self, stage: Stage, name: str) -> int:
        """Count a sight."""
        self._seen[stage, name] += 1
        return self._seen[stage, name]

    def try_use(self, rule: int, limit: int) -> bool:
        """Use a rule."""
        if self._uses[rule] >= limit:
            return False
        self._uses[rule] += 1
        return True

    def close(self) -> None:
        """Give the memory back."""
        self._seen.clear()


_ADD = "INSERT INTO counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
_TIMES = "SELECT times FROM counts WHERE stage = ? AND name = ?"
_TRIES = 50
_USES = "rule"
"""No stage is called that."""


class SharedTally:
    """The counts of several processes, in a folder that is made when the first rule asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db: sqlite3.Connection | None = None
        self._lock = -1

    def seen(self, stage: Stage, name: str) -> int:
        """Count a sight."""
        with self._alone() as db:
            # As bytes: an address may hold half a surrogate pair, which is no text to SQLite.
            return _add(db, stage, name.encode("utf-8", "surrogatepass"))

    def try_use(self, rule: int, limit: int) -> bool:
        """Use a rule."""
        with self._alone() as db:
            row = db.execute(_TIMES, (_USES, rule)).fetchone()
            if row is not None and row[0] >= limit:
                return False
            _add(db, _USES, rule)
            return True

    def close(self) -> None:
        """Close the files; whoever chose the folder removes it."""
        if self._db is not None:
            self._db.close()
            os.close(self._lock)
            self._db = None

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """Keep the other processes out. Not SQLite's own way: whoever waits there sleeps for milliseconds."""
        try:
            if self._db is None:
                self._folder.mkdir(exist_ok=True)
                self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _wait_for(self._lock)
            try:
                self._db = self._db or _open(self._folder / "counts")
                yield self._db
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        except (OSError, sqlite3.Error) as error:
            raise EvidenceError(f"the counts of the plan: {error}") from error


def _wait_for(lock: int) -> None:
    """Lock a file. Tries some times first: the others are soon done, and to be woken takes far longer."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()
        else:
            return
    fcntl.flock(lock, fcntl.LOCK_EX)


def _add(db: sqlite3.Connection, stage: str, name: bytes | int) -> int:
    times: int = db.execute(_ADD, (stage, name)).fetchone()[0]
    return times


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    # A process that is killed in between must not spoil the counts of the others.
    db.execute("PRAGMA journal_mode = WAL")
    # The file is not meant to survive the machine.
    db.execute("PRAGMA synchronous = OFF")
    db.execute(
        "CREATE TABLE IF NOT EXISTS counts (stage, name, times, PRIMARY KEY (stage, name)) WITHOUT ROWID"
    )
    return db
