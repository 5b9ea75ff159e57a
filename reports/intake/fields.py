"""Typed access to the fields of a record: a missing one is a KeyError, a wrong one a TypeError that names it.

Used by the intakes. Never guesses a value.
"""

from __future__ import annotations

import sys

from reports.evidence import Record

MOST = 2**63
NUMBER = (int, float)  # built once: these functions run for every record


def text(record: Record, name: str) -> str:
    """Return a field that must be a string."""
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}, not text")
    return value


def text_or_none(record: Record, name: str) -> str | None:
    """Return a field that must be a string or null."""
    value = record[name]
    return value if value is None or type(value) is str else text(record, name)


def whole(record: Record, name: str) -> int:
    """Return a field that must be a whole number."""
    value = record[name]
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MOST:
        raise TypeError(f"{name} is {shown(value)[:40]}, not a whole number")
    return value


def flag(record: Record, name: str) -> bool:
    """Return a field that must be true or false."""
    value = record[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {shown(value)[:40]}, not true or false")
    return value


def number(record: Record, name: str) -> float:
    """Return a field that must be a number."""
    value = record[name]
    # Not a number is not within any bound either.
    if not isinstance(value, NUMBER) or isinstance(value, bool) or not abs(value) <= MOST:
        raise TypeError(f"{name} is {shown(value)[:40]}, not a number")
    return float(value)


def words(value: object) -> str:
    """Show any value as text; null becomes the empty text."""
    if type(value) is str:
        return value
    return "" if value is None else str(value) if type(value) is int and abs(value) < MOST else shown(value)


def shared(value: object) -> str:
    """The same, kept once in memory: for words that many records repeat, such as a worker's name."""
    return sys.intern(words(value))


def packed(digest: str) -> str | bytes:
    """Take half the memory for a digest in small hexadecimal digits; any other text stays as it is."""
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        return digest
    return raw if raw and raw.hex() == digest else digest


def shown(value: object) -> str:
    """Show any value, in the same words whichever JSON parser read it: only one can count beyond 64 bits."""
    if isinstance(value, NUMBER) and not -MOST < value < 2 * MOST:
        return "something beyond 64 bits"
    return str(value)


def pid_of(worker: str) -> int | None:
    """Return the process id of a worker named `host:pid`; None when there is none in it."""
    tail = worker.rpartition(":")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else None
