"""The flood: offers every job at its due time, each in a greenlet of its own (open model).

Called by the session; stopped by its end, a person or a signal. Never waits for an answer before the next
job is offered, and never drops a due job quietly.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import Event
from gevent.pool import Group

from loadtests.arrivals import Schedule, take
from loadtests.follow import Follower, chosen
from loadtests.jobs import Job, make
from loadtests.submit import Evidence, Submitter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is offered. `for_s` 0 means no end; this process offers each job with number % shares == share."""

    run: str
    target: str
    schedule: Schedule
    for_s: float = 0.0
    status_share: float = 0.0
    share: int = 0
    shares: int = 1


class Flood:
    """One process's part of one run; `late_limit_s` is the lateness over which the load was not offered."""

    def __init__(
        self,
        plan: Plan,
        evidence: Evidence,
        submitter: Submitter,
        follower: Follower,
        late_limit_s: float = 1.0,
    ) -> None:
        self.plan = plan
        self.due = 0
        self._evidence = evidence
        self._submitter = submitter
        self._follower = follower
        self._late_limit_s = late_limit_s
        self._submissions = Group()
        self._followers = Group()
        self._stopping, self._scheduled, self._over = Event(), Event(), Event()
        self._stop_ns = 0
        self._cut = False
        self._trouble = ""
        schedule = plan.schedule
        evidence.append(
            "load_start",
            rate_per_s=schedule.rate_per_s,
            seed=schedule.seed,
            target=plan.target,
            schedule=str(schedule),
        )

    def run(self, started_s_ago: float = 0.0) -> None:
        """Offer every job at its due time, until the schedule ends or `conclude` is called; then return.

        The first job is due `started_s_ago` seconds ago (below 0: that long from now).
        """
        origin_ns = time.monotonic_ns() - int(started_s_ago * 1e9)
        try:
            for number, offset in enumerate(take(self.plan.schedule, self.plan.for_s)):
                if number % self.plan.shares == self.plan.share:
                    due_ns = origin_ns + int(offset * 1e9)
                    stopped = self._wait_until(due_ns)
                    if stopped and due_ns > self._stop_ns:
                        break
                    self._offer(number, due_ns)
        finally:
            self._scheduled.set()

    def wait(self) -> bool:
        """Block until the schedule is over and every fate is settled; False when somebody else concludes."""
        self._scheduled.wait()
        self._submissions.join()
        return not self._stopping.is_set()

    def conclude(self, reason: str, grace_s: float = 0.0) -> None:
        """Offer no more, let open submissions finish for `grace_s` seconds, write `load_stop`.

        What is still open then stays unknown. Called again, it cuts the grace short.
        """
        if self._stopping.is_set():
            self._cut = True
            self._submissions.kill()
            self._over.wait()
            return
        self._stop_ns = time.monotonic_ns()
        self._stopping.set()
        self._followers.kill()
        # What was due before the stop is still sent; only after the grace it is written down as not sent.
        self._scheduled.wait(grace_s)
        spent_s = (time.monotonic_ns() - self._stop_ns) / 1e9
        self._submissions.join(max(0.0, grace_s - spent_s))
        self._cut = True
        self._scheduled.wait()
        self._submissions.kill()
        self._followers.kill()
        self._guarded(lambda: self._write_stop(reason))
        self._over.set()

    @property
    def shortfall(self) -> str:
        """Why this process could not offer its load, in words; empty when it did."""
        sent, late = self._submitter.sent, self._submitter.max_late_s
        if self._trouble:
            return self._trouble
        if sent < self.due:
            return f"{self.due - sent} of {self.due} due jobs were not sent"
        if self._submitter.shortages:
            return (
                f"{self._submitter.shortages} tries failed for want of descriptors or ports on this machine"
            )
        if late > self._late_limit_s:
            return f"jobs were sent up to {late:.3f} s late (limit {self._late_limit_s:g} s)"
        return ""

    def _wait_until(self, due_ns: int) -> bool:
        delay_s = (due_ns - time.monotonic_ns()) / 1e9
        if delay_s > 0:
            self._stopping.wait(delay_s)
        else:
            gevent.sleep(0)  # behind or in a burst: the requests already offered must get their turn
        return self._stopping.is_set() or bool(self._trouble)

    def _offer(self, number: int, due_ns: int) -> None:
        job = make(self.plan.run, self.plan.schedule.seed, number)
        self.due += 1
        if self._guarded(lambda: self._write_due(job, due_ns)) and not self._cut:
            self._submissions.spawn(self._guarded, lambda: self._submit(job, number, due_ns))

    def _write_due(self, job: Job, due_ns: int) -> None:
        self._evidence.append("due", key=job.key, due_mono_ns=due_ns, to=job.to, digest=job.digest)

    def _write_stop(self, reason: str) -> None:
        sent, late = self._submitter.sent, round(self._submitter.max_late_s, 6)
        self._evidence.append(
            "load_stop", due=self.due, sent=sent, max_late_s=late, reason=self._trouble or reason
        )

    def _submit(self, job: Job, number: int, due_ns: int) -> None:
        outcome = self._submitter.submit(job, due_ns)
        share = self.plan.status_share
        if (
            outcome.id
            and not self._stopping.is_set()
            and share
            and chosen(self.plan.schedule.seed, number, share)
        ):
            key, job_id = job.key, outcome.id
            self._followers.spawn(self._guarded, lambda: self._follower.follow(key, job_id))

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Run; an exception here is ours (full disk, a bug), not the system's: offer no more and say why."""
        try:
            action()
        except Exception as error:
            log.exception("the load is broken")
            self._trouble = self._trouble or f"load broken: {type(error).__name__}: {error}"
            self._stop_ns = self._stop_ns or time.monotonic_ns()
            self._cut = True
            return False
        return True
