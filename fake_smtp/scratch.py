"""A private SQLite database in a temporary file, so that memory stays flat and nothing is left behind.

Used by the index and the sessions for copies of what the evidence says. Safe from nothing, and quick.
"""

from __future__ import annotations

import sqlite3


def scratch(*statements: str) -> sqlite3.Connection:
    """Return a new database, made with these statements; SQLite deletes it when it is closed."""
    # "": a temporary file that SQLite deletes by itself.
    made = sqlite3.connect("", isolation_level=None)
    for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *statements):
        made.execute(statement)
    return made
