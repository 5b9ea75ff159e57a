"""How far each job of one load process has come, and what each step took: the counting behind the tally.

Fed by the tally only. Times are monotonic seconds. Never sees a key, a record or a socket.
"""

from __future__ import annotations

from typing import Protocol

from loadtests.book import ACCEPTED, BY_NOTICE, DONE, REFUSED, STORED, UNKNOWN, WAITED_FOR, Book
from loadtests.figures import SUMS

DUE_STORED, ACCEPTED_STORED, DONE_STORED = "due -> stored", "202 -> stored", "status done -> stored"
AGAIN = "stored again"
"""The steps; those of a mail that only tells the end of a job have ` (notify)` behind them."""

MISSING = "accepted, and not stored when the load ended"

_FATES = {ACCEPTED: "accepted", REFUSED: "refused", UNKNOWN: "unknown"}
_ANY_FATE = ACCEPTED | REFUSED | UNKNOWN


class Timed(Protocol):
    """Who wants every step that ended: Locust's statistics, in a real run."""

    def __call__(self, name: str, seconds: float, error: str | None = None) -> None:
        """Take one step of one job, and what was wrong with it."""


class Progress:
    """The jobs of one process; a step is told once, when both of its ends are known."""

    def __init__(self, step: Timed) -> None:
        self.counts = dict.fromkeys(SUMS, 0)
        self._step = step
        self._book = Book()
        self._done_s: dict[int, float] = {}
        """When the status said done, of jobs whose mail nobody has seen yet."""

    def begin(self, job: int, due_s: float, flags: int = WAITED_FOR) -> None:
        """A job is due; `flags` WAITED_FOR: it ends in a mail, and BY_NOTICE: in one that tells its end."""
        self.counts["due"] += 1
        self._book.open(job, due_s, flags)

    def accept(self, job: int, now_s: float) -> None:
        """The system has said 202."""
        flags = self._book.flags[job]
        if flags & ACCEPTED:
            return
        self._decide(job, flags, ACCEPTED)
        self._book.accepted_s[job] = now_s
        if flags & STORED:
            self._tell(ACCEPTED_STORED, job, now_s, self._book.stored_s[job])
        elif flags & WAITED_FOR:
            self._wait(job, True)

    def refuse(self, job: int) -> None:
        """A try had no effect. It does not undo an earlier one whose fate nobody knows."""
        flags = self._book.flags[job]
        if not flags & _ANY_FATE:
            self._decide(job, flags, REFUSED)

    def doubt(self, job: int) -> None:
        """Nobody knows what became of a try."""
        flags = self._book.flags[job]
        if not flags & (ACCEPTED | UNKNOWN):
            self._decide(job, flags, UNKNOWN)

    def store(self, job: int, notice: bool, at_s: float, error_s: float) -> bool:
        """The sink has stored a mail; return whether it was one that is looked for here."""
        book = self._book
        if not book.knows(job):
            return False
        flags = book.flags[job]
        if not flags & WAITED_FOR or bool(flags & BY_NOTICE) != notice:
            return False
        if flags & STORED:
            self.counts["duplicates"] += 1
            self._tell(AGAIN, job, book.stored_s[job], at_s, "duplicate: this mail was stored before")
            return True
        book.flags[job], book.stored_s[job] = flags | STORED, at_s
        self.counts["delivered"] += 1
        self._tell(DUE_STORED, job, book.due_s[job], at_s)
        if flags & ACCEPTED:
            self._wait(job, False)
            self._tell(ACCEPTED_STORED, job, book.accepted_s[job], at_s)
        if flags & DONE:
            self._was_done(job, at_s, error_s)
        return True

    def finish(self, job: int, now_s: float) -> None:
        """The status says done."""
        flags = self._book.flags[job]
        # Of jobs that are no mails, the mail only tells the end, and comes after it.
        if not flags & WAITED_FOR or flags & (BY_NOTICE | DONE):
            return
        self._book.flags[job] = flags | DONE
        if flags & STORED:
            self._tell(DONE_STORED, job, self._book.stored_s[job], now_s)
        else:
            self._done_s[job] = now_s

    def give_up(self, now_s: float) -> None:
        """Tell every mail that is waited for as a failed step of as long as was waited."""
        book, job = self._book, -1
        while (job := book.next_waiting(job + 1)) >= 0:
            self._tell(DUE_STORED, job, book.due_s[job], now_s, MISSING)
            if job in self._done_s:
                self._tell(DONE_STORED, job, now_s, now_s, "the status said done, and no mail was stored")

    def oldest_s(self, now_s: float) -> float:
        """Return how long ago the oldest job was due whose mail is waited for; 0.0: there is none."""
        first = self._book.next_waiting(0)
        return now_s - self._book.due_s[first] if first >= 0 else 0.0

    def _was_done(self, job: int, at_s: float, error_s: float) -> None:
        done_s = self._done_s.pop(job)
        lie = "the status said done before the mail was stored" if at_s - done_s > error_s else None
        self._tell(DONE_STORED, job, at_s, done_s, lie)

    def _decide(self, job: int, flags: int, fate: int) -> None:
        if before := flags & _ANY_FATE:
            self.counts[_FATES[before]] -= 1
        self.counts[_FATES[fate]] += 1
        self._book.flags[job] = flags & ~_ANY_FATE | fate

    def _wait(self, job: int, waits: bool) -> None:
        self._book.waiting[job] = waits
        self.counts["waiting"] += 1 if waits else -1

    def _tell(self, name: str, job: int, from_s: float, to_s: float, error: str | None = None) -> None:
        if self._book.flags[job] & BY_NOTICE:
            name += " (notify)"
        # The clocks of two machines may make it negative; less than nothing it cannot have taken.
        self._step(name, max(0.0, to_s - from_s), error)
