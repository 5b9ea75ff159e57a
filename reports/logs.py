"""What the processes said around a moment: a few lines of each file in `logs/`, put in order of time.

Called by `reports.verdict` for the first trails. Reads only the part of a log around the moment, so that a
log of gigabytes costs no more than a small one. Never fails: what cannot be read is not there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MAX_LINES = 40
NEIGHBOURS = 10
MAX_TEXT = 240
BEFORE_S, AFTER_S = 2.0, 3.0
CHUNK = 64 * 1024  # bytes read to find one time
BUDGET = 512 * 1024  # bytes read of one log around one moment
QUARTER_S = 900
# Each one says what it was asked while the harness watches; that is no news about a mail.
CHATTER = re.compile(r'"level":"debug"|\bDEBUG\b|"handler":"(?:Metrics|Version|ProxyIndex)"')
ALARM = re.compile(
    r"\b(?:WARN(?:ING)?|ERROR|CRITICAL|FATAL|Traceback|\w+Error|lost|SIG[A-Z]{3,4})\b|\[error\]"
)
ISO = rb"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)([.,]\d{1,6})?(Z|[+-]\d\d:?\d\d)?"
_ISO = re.compile(ISO)
_REDIS = re.compile(rb"(\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d)(\.\d{3})")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry: from the moment in seconds, which log, the text, and whether it is about this mail."""

    offset_s: float
    log: str
    text: str
    about: bool


class Logs:
    """The logs of one run. `began_s` is the run's begin, seconds since 1970: it tells the logs' time zone."""

    def __init__(self, run_dir: Path, began_s: float) -> None:
        folder = run_dir / "logs"
        self.began_s = began_s
        self.paths = sorted(folder.glob("*.log")) if folder.is_dir() else []

    def around(self, moment_s: float, words: Collection[str]) -> tuple[LogLine, ...]:
        """Return at most 40 entries near a moment: those with one of the words, alarms, a few neighbours."""
        ranked: list[tuple[int, float, int, LogLine]] = []
        for path in self.paths:
            for at_s, text in _entries(self._near(path, moment_s)):
                about = any(word in text for word in words)
                rank = 0 if about else 1 if ALARM.search(text) else 3 if CHATTER.search(text) else 2
                line = LogLine(round(at_s - moment_s, 3), path.stem, _short(text), about)
                ranked.append((rank, abs(line.offset_s), len(ranked), line))
        ranked.sort(key=lambda one: one[:3])
        chosen = [one for one in ranked if one[0] < 2] + [one for one in ranked if one[0] == 2][:NEIGHBOURS]
        chosen = sorted(chosen[:MAX_LINES], key=lambda one: (one[3].offset_s, one[2]))
        return tuple(line for _, _, _, line in chosen)

    def _near(self, path: Path, moment_s: float) -> Iterator[tuple[float, str, bool]]:
        try:
            with path.open("rb") as file:
                shift_s = self._shift_s(file.read(CHUNK))
                size = file.seek(0, 2)
                low, high = 0, size
                while high - low > CHUNK:
                    middle = (low + high) // 2
                    file.seek(middle)
                    at_s = next(
                        (at for line in file.read(CHUNK).split(b"\n")[1:] if (at := when(line))), None
                    )
                    if at_s is None or at_s + shift_s < moment_s - BEFORE_S:
                        low = middle
                    else:
                        high = middle
                file.seek(low)
                data = file.read(BUDGET)
        except OSError:
            return
        at_s = None
        for line in data.split(b"\n"):
            stamped = when(line)
            at_s = at_s if stamped is None else stamped + shift_s
            if at_s is not None and line.strip() and -BEFORE_S <= at_s - moment_s <= AFTER_S:
                yield at_s, line.decode("utf-8", "replace").rstrip(), stamped is not None

    def _shift_s(self, head: bytes) -> float:
        """Seconds to add to a time without a zone: the quarter of an hour that the first line is off by."""
        for line in head.split(b"\n"):
            if (at_s := when(line)) is not None:
                return 0.0 if _zoned(line) else round((self.began_s - at_s) / QUARTER_S) * QUARTER_S
        return 0.0


def _entries(lines: Iterable[tuple[float, str, bool]]) -> Iterator[tuple[float, str]]:
    """Join each line with a time and those without one that follow it: a traceback is one entry."""
    entry: list[str] = []
    began_s = 0.0
    for at_s, text, stamped in lines:
        if entry and stamped:
            yield began_s, "\n".join(entry)
        if stamped or not entry:
            entry, began_s = [], at_s
        entry.append(text)
    if entry:
        yield began_s, "\n".join(entry)


def _short(text: str) -> str:
    lines = [line if len(line) <= MAX_TEXT else line[:MAX_TEXT] + "…" for line in text.split("\n")]
    # What a traceback says stands at its end.
    return "\n".join(lines if len(lines) <= 6 else [*lines[:2], "…", *lines[-3:]])


def when(line: bytes) -> float | None:
    """Return the time that a line begins with, in seconds since 1970, taken as UTC when it names no zone."""
    head = line[:400]
    try:
        if found := _ISO.search(head):
            day, clock, part, zone = (group.decode() if group else "" for group in found.groups())
            moment = datetime.fromisoformat(f"{day}T{clock}{zone.replace('Z', '+00:00')}")
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.timestamp() + float(f"0.{part[1:]}" if part else 0)
        if found := _REDIS.search(head):
            day, month, year, clock, part = (group.decode() for group in found.groups())
            number = _MONTHS.index(month) + 1
            moment = datetime.fromisoformat(f"{year}-{number:02}-{day}T{clock}+00:00")
            return moment.timestamp() + float(f"0{part}")
    except ValueError:
        return None
    return None


def _zoned(line: bytes) -> bool:
    found = _ISO.search(line[:400])
    return found is not None and found.group(4) is not None
