"""Where the kept part of a sink's evidence begins: the oldest mail, and the first line that is still needed.

Asked by `retention`, a few lines at a time. Never writes, never reads further than the first kept mail.
"""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fake_smtp import holes
from fake_smtp.follower import whole_lines


class Oldest(NamedTuple):
    """The mail that would have to go next; `at_s` is wall-clock time (s since the epoch)."""

    mail: int
    session: int
    at_s: float
    raw_at: int
    message_id: str | None


class Front:
    """Reads `deliveries.jsonl` from its beginning on, no further than the first mail that is kept."""

    def __init__(self, path: Path, trimmed: int) -> None:
        """`trimmed`: the last mail that was forgotten before. Raises OSError."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._at = holes.next_data(self._fd, 0)
        self._trimmed = trimmed
        self._lines: deque[bytes] = deque()
        self._begun: dict[int, int] = {}
        """Where the sessions begin whose end has not been read."""
        self._oldest: Oldest | None = None
        self._oldest_at = 0

    def look(self, until_s: float) -> Oldest | None:
        """Return the oldest mail; None when there is none, or none was found until then (monotonic time)."""
        while self._oldest is None and time.monotonic() < until_s and (self._lines or self._read()):
            line = self._lines.popleft()
            self._take(self._at, line)
            self._at += len(line)
        return self._oldest

    def drop(self) -> None:
        """Leave the oldest mail behind."""
        self._oldest = None

    def needed(self) -> int:
        """Return where the first line lies that belongs to a kept mail or to a session that went on then.

        That session is kept whole, also when its own mails are forgotten.
        """
        at = self._at if self._oldest is None else self._oldest_at
        return min(at, next(iter(self._begun.values()), at))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _read(self) -> bool:
        """Get the next whole lines; False: there are none."""
        self._lines.extend(whole_lines(self._fd, self._at))
        return bool(self._lines)

    def _take(self, at: int, line: bytes) -> None:
        try:
            record: dict[str, Any] = orjson.loads(line)
            event = record["event"]
            if event == "session_begin":
                self._begun[record["session"]] = at
            elif event == "session_end":
                self._begun.pop(record["session"], None)
            elif event == "sink_start":
                # Whoever wrote before is dead, and its sessions with it.
                self._begun.clear()
            elif event == "stored" and record["mail"] > self._trimmed:
                self._oldest, self._oldest_at = _oldest(record), at
        except (ValueError, TypeError, KeyError):
            # Damaged, or the end of a line whose beginning was given back.
            return


def _oldest(stored: dict[str, Any]) -> Oldest:
    at_s = stored["wall_ns"] / 1e9
    return Oldest(stored["mail"], stored["session"], at_s, stored["raw_at"], stored["message_id"])
