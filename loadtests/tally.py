"""Counts what becomes of the jobs of one load process, and tells how long each step took.

Stands between the flood and its evidence: sees every record that passes, and hears of stored mails from the
sink. Never changes a record, and never judges: the verdict is made of the evidence alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from loadtests.book import BY_NOTICE, WAITED_FOR
from loadtests.figures import Figures
from loadtests.progress import Progress, Timed

NOTICE = "+notify"
"""What the key of a mail that tells the end of a job has behind the job's own key."""


class Recorder(Protocol):
    """Where the records go on to; `reports.evidence.Appender` is one."""

    def append(self, event: str, **fields: object) -> None:
        """Write one record, after those that wait."""

    def append_later(self, event: str, fields: dict[str, Any]) -> bool:
        """Keep one record for the next write."""

    def flush(self) -> None:
        """Write the records that wait."""


def nobody(name: str, seconds: float, error: str | None = None) -> None:
    """Take no step."""


class Tally:
    """The jobs of one run in one process: those with number % shares == its share.

    `blind` says that nobody tells it what is stored: then `delivered` and `waiting` mean nothing.
    """

    def __init__(
        self,
        evidence: Recorder,
        run: str,
        share: int = 0,
        shares: int = 1,
        step: Timed = nobody,
        clock_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.blind = True
        self._evidence = evidence
        self._prefix, self._before = f"{run}-", len(run) + 1
        self._share, self._shares = share, shares
        self._clock_s, self._wall_s = clock_s, wall_s
        self._progress = Progress(step)
        self._max_late_s = 0.0
        self._eyes = {
            "due": self._on_due,
            "invoke": self._on_invoke,
            "ok": self._on_ok,
            "fail": self._on_fail,
            "info": self._on_info,
        }

    def append(self, event: str, **fields: Any) -> None:
        """Write a record, and take it in. Raises OSError when it cannot be written."""
        self._evidence.append(event, **fields)
        if see := self._eyes.get(event):
            see(fields)

    def append_later(self, event: str, fields: dict[str, Any]) -> bool:
        """Pass a record on for the next write, and take it in."""
        first = self._evidence.append_later(event, fields)
        if see := self._eyes.get(event):
            see(fields)
        return first

    def flush(self) -> None:
        """Have the records that wait written. Raises OSError."""
        self._evidence.flush()

    def stored(self, key: str, at_wall_s: float, error_s: float = 0.0) -> bool:
        """Hear that the sink has stored a mail, by this machine's wall clock; False: nobody here awaits it.

        `error_s`: by how much that time may be wrong.
        """
        at_s = at_wall_s - self._wall_s() + self._clock_s()
        job = self._job(key.removesuffix(NOTICE))
        return self._progress.store(job, key.endswith(NOTICE), at_s, error_s)

    def done(self, key: str) -> None:
        """Hear that the status of a job, read now and then, says done for the first time."""
        self._progress.finish(self._own(key), self._clock_s())

    def give_up(self) -> int:
        """Tell every mail that is waited for as missing; return how many.

        To be called once, when nobody will wait any longer.
        """
        self._progress.give_up(self._clock_s())
        return self.waiting

    @property
    def waiting(self) -> int:
        """How many accepted jobs have a mail that nobody has seen yet."""
        return self._progress.counts["waiting"]

    def figures(self) -> Figures:
        """Return the counts so far, and the times in seconds."""
        counts = {name: float(count) for name, count in self._progress.counts.items()}
        return counts | {
            "processes": 1.0,
            "blind": float(self.blind),
            "oldest_waiting_s": self._progress.oldest_s(self._clock_s()),
            "max_late_s": self._max_late_s,
        }

    def _own(self, key: str) -> int:
        """Which job of this process it is, when it is certain that it is one."""
        return int(key[self._before :]) // self._shares

    def _job(self, key: str) -> int:
        """Which job of this process it is; -1: the key is not of this run, or of another process."""
        number = key[self._before :]
        if not (key.startswith(self._prefix) and number.isascii() and number.isdecimal()):
            return -1
        job, share = divmod(int(number), self._shares)
        return job if share == self._share else -1

    def _on_due(self, fields: dict[str, Any]) -> None:
        key = fields["key"]
        flags = WAITED_FOR
        if "mail_key" in fields and fields["mail_key"] != key:
            flags = WAITED_FOR | BY_NOTICE if fields["mail_key"] else 0
        self._progress.begin(self._own(key), fields["due_mono_ns"] / 1e9, flags)

    def _on_invoke(self, fields: dict[str, Any]) -> None:
        if fields["try"] == 1:
            self._progress.counts["sent"] += 1
            self._max_late_s = max(self._max_late_s, fields["late_s"])

    def _on_ok(self, fields: dict[str, Any]) -> None:
        self._progress.accept(self._own(fields["key"]), self._clock_s())

    def _on_fail(self, fields: dict[str, Any]) -> None:
        self._progress.refuse(self._own(fields["key"]))

    def _on_info(self, fields: dict[str, Any]) -> None:
        self._progress.doubt(self._own(fields["key"]))
