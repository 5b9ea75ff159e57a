"""What one load process knows of each of its jobs, in columns: 26 bytes a job, whatever becomes of it.

Kept by the progress. Never holds a key: a job is its number, divided by the number of shares.
"""

from __future__ import annotations

from array import array

_GROWTH = 1024

ACCEPTED, UNKNOWN, REFUSED, STORED, WAITED_FOR, BY_NOTICE, DONE = (1 << bit for bit in range(7))
"""WAITED_FOR: it ends in a mail. BY_NOTICE: in one that only tells its end. DONE: the status said so."""


class Book:
    """Times are monotonic seconds; 0.0: not yet. `flags` are the marks above, `waiting` is 1 or 0."""

    def __init__(self) -> None:
        self.due_s = array("d")
        self.accepted_s = array("d")
        self.stored_s = array("d")
        self.flags = bytearray()
        self.waiting = bytearray()

    def open(self, job: int, due_s: float, flags: int) -> None:
        """Begin a job."""
        if job >= len(self.flags):
            more = job + _GROWTH - len(self.flags)
            for column in (self.due_s, self.accepted_s, self.stored_s):
                column.frombytes(bytes(8 * more))
            self.flags.extend(bytes(more))
            self.waiting.extend(bytes(more))
        self.due_s[job], self.flags[job] = due_s, flags

    def knows(self, job: int) -> bool:
        """Say whether this job was begun here."""
        return 0 <= job < len(self.due_s) and self.due_s[job] > 0.0

    def next_waiting(self, job: int) -> int:
        """Return the first job from this one on that is accepted and not stored; -1: there is none."""
        return self.waiting.find(1, job)
