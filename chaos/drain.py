"""When is the system quiet? Only then may anybody say that a mail is lost.

Quiet = every queue empty, nothing unacknowledged, nothing due, no new mail at the sink, all of it for a
window longer than anything that could still be on its way. Asked by the experiment; decides nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from chaos import http
from chaos.broker import Unseen
from chaos.observe import Observer, parse_samples

POLL_S = 0.2
LIMIT_S = 5.0


@dataclass(frozen=True)
class Stillness:
    """One look at everything that may still move. None: could not be seen, which is never quiet."""

    queued: int | None
    unacked: int | None
    due: int | None
    stored: int

    @property
    def seen(self) -> bool:
        """True when every figure could be read."""
        return None not in (self.queued, self.unacked, self.due)

    @property
    def still(self) -> bool:
        """True when nothing waits anywhere."""
        return self.queued == 0 and self.unacked == 0 and self.due == 0

    def words(self) -> str:
        """What is left, for people."""
        return f"queued {self.queued}, unacknowledged {self.unacked}, due {self.due}, stored {self.stored}"


@dataclass(frozen=True)
class Drained:
    """How the drain ended."""

    quiet: bool
    after_s: float
    detail: str
    seen: bool


def look(observer: Observer, api_metrics: str) -> Stillness:
    """Look once, directly and now (the scrapes of the observer can be a second old)."""
    queued = unacked = due = None
    try:
        queues, unacked = observer.broker.depth()
        queued = sum(queues.values())
    except Unseen:
        pass
    try:
        value = parse_samples(http.get(api_metrics, LIMIT_S).text).get("mail_jobs_due")
        due = None if value is None else int(value)
    except (requests.RequestException, ValueError):
        pass
    return Stillness(queued, unacked, due, observer.stored)


def drain(
    see: Callable[[], Stillness],
    window_s: float,
    limit_s: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Drained:
    """Wait until nothing has moved for `window_s`, at most `limit_s`."""
    started = time.monotonic()
    still_since: float | None = None
    before: Stillness | None = None
    while True:
        now = time.monotonic()
        seen = see()
        tell(seen.words())
        if not seen.still or seen != before:
            still_since = now if seen.still else None
        if still_since is not None and now - still_since >= window_s:
            return Drained(True, now - started, seen.words(), seen.seen)
        if now - started > limit_s:
            return Drained(False, now - started, seen.words(), seen.seen)
        before = seen
        time.sleep(POLL_S)
