"""Collects, in greenlets of its own, what the page shows: the load's figures, the target's, the faults'.

Begun by attach.py. Each source has its own greenlet: one that does not answer makes no other one late.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from loadtests.tab.breaker import IDLE, Breaker
from loadtests.tab.figures import Since, Still, System, figures, read_metrics
from loadtests.tab.picture import Picture
from loadtests.tab.remote import Remote, RemoteError

log = logging.getLogger(__name__)
EVERY_S = 1.0


class Load(Protocol):
    """What is asked of the load; `session.Session` is one."""

    run: str

    def figures(self) -> dict[str, float]:
        """Return the figures of the run over all its processes."""


class Watch:
    """`target` says where the system is now: a person may change it. `why_blind`: see `figures`."""

    def __init__(
        self,
        load: Load,
        breaker: Breaker,
        target: Callable[[], str | None],
        picture: Picture,
        why_blind: str,
    ) -> None:
        self._load = load
        self._breaker = breaker
        self._target = target
        self._picture = picture
        self._why_blind = why_blind
        self._system = System()
        self._quiet, self._idle = Since(), Since()
        self._quiet_s = self._idle_s = 0.0
        self._accepted = 0.0
        self._broken: dict[str, Any] = dict(IDLE)
        self._unreached = ""

    def begin(self) -> None:
        """Look once a second from now on."""
        for look in (self.sample, self.look_at_target, self.look_at_faults):
            gevent.spawn(self._repeat, look)

    def state(self, since: int) -> dict[str, Any]:
        """Return what the page shows now; of the picture only the samples from `since` on."""
        tally = self._load.figures()
        still = Still(self._quiet_s, self._idle_s)
        after, samples = self._picture.since(since)
        return {
            "at_s": time.time(),
            "run": self._load.run,
            "figures": [each.to_json() for each in figures(tally, self._system, still, self._why_blind)],
            "samples": samples,
            "next": after,
            "unreached": self._unreached,
            **self._broken,
        }

    def sample(self) -> None:
        """Add the present counts to the picture."""
        tally = self._load.figures()
        self._idle_s = self._idle.see(time.monotonic(), tally["accepted"] == self._accepted)
        self._accepted = tally["accepted"]
        known = not tally["blind"] and tally["processes"] > 0
        counts: dict[str, float | None] = {"due": tally["due"], "accepted": tally["accepted"]}
        self._picture.add(time.time(), counts | {"delivered": tally["delivered"] if known else None})

    def look_at_target(self) -> None:
        """Ask the target what is due and in doubt."""
        self._system = _asked(self._target())
        self._quiet_s = self._quiet.see(time.monotonic(), self._system.due == 0)

    def look_at_faults(self) -> None:
        """Ask who breaks what goes on."""
        try:
            self._broken, self._unreached = self._breaker.state(), ""
        except RemoteError as error:
            self._unreached = str(error)

    def _repeat(self, look: Callable[[], None]) -> None:
        due_s = time.monotonic()
        while True:
            try:
                look()
            except Exception:  # one look that fails must not end the picture
                log.exception("the Delivery tab could not look")
            due_s = max(due_s + EVERY_S, time.monotonic())
            gevent.sleep(due_s - time.monotonic())


def _asked(target: str | None) -> System:
    if not target:
        return System(why="not known: give --host, the target")
    try:
        return read_metrics(Remote(target, "the target").text("/metrics"))
    except (RemoteError, ValueError) as error:
        return System(why=f"not known: /metrics of the target: {error}")
