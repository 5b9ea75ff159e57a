"""Follows what the sink has stored, so that the load knows when its mails arrived.

Run by the session in a greenlet of its own, once for each process and run. A sink that is down or was started
again only makes it late; it never holds the flood up, and never tells of a mail twice.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.event import Event
from geventhttpclient.client import HTTPClient
from geventhttpclient.response import HTTPParseError

from loadtests.address import sink_address

log = logging.getLogger("mailstorm")

BEAT_S, HURRY_S, LONGEST_S = 0.3, 0.1, 5.0
"""Between two looks; when the load is over; when the sink does not answer."""
PAGE = 1000
# So many mails are taken before the flood gets its turn: each costs about 20 us in Locust's statistics.
SLICE = 20
_FIELDS = {"folder", "mails", "next", "last"}
CLOCKS = 100
"""Looks of which the best one sets the clock; some 30 s, in which no clock drifts far."""


BEGIN_LIMIT_S, LIMIT_S = 0.3, 3.0
"""How long an answer may take: before the first job, which must not become late; and later."""


class SinkFeed:
    """The sink's `GET /stored`, over a kept connection."""

    def __init__(self, address: str) -> None:
        self._path = f"{sink_address(address).path.rstrip('/')}/stored"
        self._client = HTTPClient.from_url(address, connection_timeout=LIMIT_S, network_timeout=LIMIT_S)

    def __call__(self, after: int, most: int, limit_s: float) -> dict[str, Any]:
        """Return an answer, within a limit. Raises OSError and ValueError."""
        where = f"after={after}&" if after else ""
        with gevent.Timeout(limit_s, TimeoutError(f"no answer within {limit_s:g} s")):
            try:
                response = self._client.get(f"{self._path}?{where}limit={most}")
                status, body = response.get_code(), bytes(response.read())
            except HTTPParseError as error:
                raise ValueError(str(error)) from error
        if status != 200:
            raise ValueError(f"{status} {body[:200]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Arrivals(Protocol):
    """Who waits for mails; `tally.Tally` is one."""

    blind: bool

    def stored(self, key: str, at_wall_s: float, error_s: float = 0.0) -> bool:
        """Hear of one stored mail."""

    @property
    def waiting(self) -> int:
        """How many mails are waited for."""

    def give_up(self) -> int:
        """Tell them as missing."""


class Watch:
    """Asks `feed(after, most, limit_s)` again and again and tells `tally` of every mail, once.

    The sink's clock need not be ours: the answer that came quickest says how they differ, and is wrong by at
    most half of the time that it took.
    """

    def __init__(
        self,
        feed: Callable[[int, int, float], dict[str, Any]],
        tally: Arrivals,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._feed, self._tally, self._wall_s = feed, tally, wall_s
        self._folder: str | None = None
        self._place = 0
        self._clocks: deque[tuple[float, float]] = deque(maxlen=CLOCKS)
        self._failing = ""
        self._ends_s = float("inf")
        self._hurry, self._ended, self._over = Event(), Event(), Event()

    def begin(self) -> None:
        """Leave out all that is stored already; to be called before the first job is offered."""
        if answer := self._asked(1, BEGIN_LIMIT_S):
            self._folder, self._place = answer["folder"], answer["last"]

    def run(self) -> None:
        """Follow until `conclude` ends it."""
        pause_s = BEAT_S
        try:
            while True:
                last_look = time.monotonic() >= self._ends_s
                whole = self._look()
                if last_look or (self._hurry.is_set() and whole and not self._tally.waiting):
                    break
                pause_s = BEAT_S if whole else min(2 * pause_s, LONGEST_S)
                if self._hurry.is_set():
                    gevent.sleep(HURRY_S)
                else:
                    self._hurry.wait(pause_s)
        finally:
            self._ended.set()

    def conclude(self, limit_s: float) -> None:
        """Return when no mail is waited for any more, or after `limit_s` seconds and one last look.

        What is missing then is told. Called again, it cuts the wait short.
        """
        if self._hurry.is_set():
            self._ends_s = 0.0
            self._over.wait()
            return
        self._ends_s = time.monotonic() + limit_s
        self._hurry.set()
        self._ended.wait()
        self._tell_missing(limit_s)
        self._over.set()

    def _look(self) -> bool:
        """Take all that is new; return whether that could be done."""
        while answer := self._asked(PAGE, LIMIT_S):
            if answer["folder"] != self._folder or answer["last"] < self._place:
                # Another sink: what it stored before we knew of it may be ours as well.
                self._folder, known, self._place = answer["folder"], self._place, 0
                if known:
                    continue
            self._take(answer["mails"])
            self._place = answer["next"]
            if self._place >= answer["last"] or not answer["mails"]:
                return True
        return False

    def _take(self, mails: list[dict[str, Any]]) -> None:
        error_s, ahead_s = min(self._clocks)
        for number, mail in enumerate(mails, start=1):
            if mail["key"] is not None:
                self._tally.stored(mail["key"], mail["at_s"] - ahead_s, error_s)
            if number % SLICE == 0:
                gevent.sleep(0)

    def _asked(self, most: int, limit_s: float) -> dict[str, Any] | None:
        asked_s = self._wall_s()
        try:
            answer = self._feed(self._place, most, limit_s)
            told_s = self._wall_s()
            ahead_s = answer["now_s"] - (asked_s + told_s) / 2
            if missing := _FIELDS - answer.keys():
                raise ValueError(f"{', '.join(sorted(missing))} missing in the answer: is this a sink?")
            self._clocks.append(((told_s - asked_s) / 2, ahead_s))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            self._tell(f"{type(error).__name__}: {error}")
            return None
        self._tell("")
        return answer

    def _tell_missing(self, limit_s: float) -> None:
        missing = self._tally.waiting
        if missing and self._tally.blind:
            log.warning("nobody knows whether %d accepted mails were stored: no word of the sink", missing)
        elif missing and not limit_s:
            log.info("%d accepted mails were not stored yet when the load ended", missing)
        elif missing:
            log.warning("%d accepted mails were not stored %g s after the load", missing, limit_s)
            self._tally.give_up()

    def _tell(self, failing: str) -> None:
        self._tally.blind = bool(failing)
        if failing and not self._failing:
            log.warning("the sink does not say what it has stored: %s", failing)
        elif self._failing and not failing:
            log.info("the sink says again what it has stored")
        self._failing = failing
