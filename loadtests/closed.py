"""The closed model: as many users as Locust has; each submits, waits for the answer, thinks, and repeats.

Chosen by `--model closed`. A slow system slows such users down, so their rate says nothing by itself: the
evidence says that it was closed. A job is due when its user wants to send it.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

from gevent.event import Event

from loadtests.flood import Flood
from loadtests.mix import AnyJob
from loadtests.outcomes import Outcome

# How often it is asked whether a user has met trouble that ends the load.
PATIENCE_S = 0.2


class Closed(Flood):
    """Offers the same jobs in the same order as the flood would, as fast as its users come round."""

    model = "closed"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._numbers = itertools.count(self.plan.share, self.plan.shares)
        self._begun = Event()

    @property
    def described(self) -> str:
        """The users' habits in words."""
        until = "until its job is done" if self.plan.until_done else "for the answer"
        return (
            f"closed: each user waits {until}, thinks {self.plan.think_s:g} s, seed {self.plan.schedule.seed}"
        )

    def serve(self) -> None:
        """Be one user until the run ends; each in a greenlet of its own. Whoever kills it cuts no job off."""
        self._begun.wait()
        due_ns = time.monotonic_ns()
        while not self._ends(due_ns):
            number = next(self._numbers)
            if offered := self._offer(number, due_ns):
                offered.join()
            due_ns = time.monotonic_ns() + int(self._thinks_s(number) * 1e9)
            self._wait_until(due_ns)

    def _offer_all(self, origin_ns: int) -> None:
        self._wait_until(origin_ns)
        self._begun.set()
        # A process that is slow to start still gives its users their whole time.
        begun_ns = max(origin_ns, time.monotonic_ns())
        end_ns = begun_ns + int(self.plan.for_s * 1e9) if self.plan.for_s else None
        while not self._stopping.is_set() and not self._trouble:
            left_s = PATIENCE_S if end_ns is None else (end_ns - time.monotonic_ns()) / 1e9
            if left_s <= 0:
                break
            self._stopping.wait(min(left_s, PATIENCE_S))

    def _ends(self, due_ns: int) -> bool:
        late = self._stopping.is_set() and due_ns > self._stop_ns
        return late or self._scheduled.is_set() or bool(self._trouble)

    def _thinks_s(self, number: int) -> float:
        # Not the same for all, or they would march in step.
        rng = random.Random(f"think:{self.plan.schedule.seed}:{number}")
        return self.plan.think_s * rng.uniform(0.5, 1.5)

    def _accepted(self, job: AnyJob, number: int, outcome: Outcome) -> None:
        if self.plan.until_done and outcome.id:
            followed = self._followers.spawn(self._guarded, self._follower.follow, job.key, outcome.id)
            followed.join()
        else:
            super()._accepted(job, number, outcome)
