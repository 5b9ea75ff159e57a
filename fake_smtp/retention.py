"""Keeps a sink that stands for days within its limits: forgets the oldest mails and gives their space back.

Run by `sink` as a task in its loop, a few ms at a time. Never touches the newest mail, nor a mail of an open
session, nor anything behind one: what goes is always the beginning of the folder.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from fake_smtp import holes
from fake_smtp.capture import Capture
from fake_smtp.folder import RAW
from fake_smtp.front import Front, Oldest
from fake_smtp.metrics import Counters
from fake_smtp.options import Options
from reports.evidence import DELIVERIES

_PERIOD_S = 1.0
_BUSY_S = 0.1
"""In a flood the evidence outgrows its limit by what comes meanwhile."""
_SLICE_S = 0.003
_BATCH = 100
"""Mails forgotten at once."""


class Retention:
    """The limits of one sink, and what it takes to keep them; for one thread."""

    def __init__(
        self, options: Options, capture: Capture, counters: Counters, open_sessions: Callable[[], set[int]]
    ) -> None:
        """Raises OSError."""
        self._options, self._capture, self._counters = options, capture, counters
        self._open_sessions = open_sessions
        self._front = Front(options.out / DELIVERIES, capture.trimmed)
        self._log, self._raw = holes.Prefix(options.out / DELIVERIES), holes.Prefix(options.out / RAW)
        self._complaint = ""

    async def run(self) -> None:
        """Look once a second, and sooner again after there was something to do. Raises EvidenceError."""
        while True:
            before = self._capture.trimmed
            while self.work():
                await asyncio.sleep(_SLICE_S)
            await asyncio.sleep(_PERIOD_S if self._capture.trimmed == before else _BUSY_S)

    def work(self) -> bool:
        """Do what is due for a few ms; return whether there is more. Raises EvidenceError."""
        ends_s = time.monotonic() + _SLICE_S
        gone = self._take_off(ends_s)
        if gone:
            self._capture.trim(gone[-1].mail, [one.message_id for one in gone if one.message_id is not None])
            self._counters.trimmed += len(gone)
        left = self._give_back()
        return left or len(gone) == _BATCH or time.monotonic() >= ends_s

    def close(self) -> None:
        """Close the files."""
        for file in (self._front, self._log, self._raw):
            file.close()

    def _take_off(self, until_s: float) -> list[Oldest]:
        gone: list[Oldest] = []
        length, open_sessions = self._log.size() + self._raw.size(), self._open_sessions()
        while len(gone) < _BATCH and (oldest := self._front.look(until_s)):
            if oldest.mail >= self._capture.newest or oldest.session in open_sessions:
                break
            if not self._is_over(oldest, length - self._front.needed() - oldest.raw_at):
                break
            gone.append(oldest)
            self._front.drop()
        return gone

    def _is_over(self, oldest: Oldest, length: int) -> bool:
        mails, age_s, most = self._options.keep_mails, self._options.keep_s, self._options.keep_bytes
        return (
            (mails is not None and self._capture.newest - oldest.mail >= mails)
            or (age_s is not None and time.time() - oldest.at_s > age_s)
            or (most is not None and length > most)
        )

    def _give_back(self) -> bool:
        """Give some of the forgotten mails' space back; return whether there is more."""
        oldest = self._front.look(0)
        if oldest is None or not self._capture.trimmed:
            return False
        try:
            left = [self._raw.give_back(oldest.raw_at), self._log.give_back(self._front.needed())]
        except OSError as error:
            self._complain(f"the disk space of forgotten mails is not given back: {error.strerror}")
            return False
        return any(left)

    def _complain(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            sys.stderr.write(f"fake_smtp: {sentence}\n")
