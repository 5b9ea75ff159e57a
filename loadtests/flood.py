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

from loadtests.arrivals import Schedule, numbered
from loadtests.cores import Cores
from loadtests.follow import Follower, chosen
from loadtests.mix import MAILS_ONLY, AnyJob, Mix, make
from loadtests.outcomes import Outcome
from loadtests.reader import Reader
from loadtests.submit import Evidence, Submitter

log = logging.getLogger(__name__)

# How long an outcome may wait to be written together with others.
FLUSH_S = 0.02
# How many jobs that are behind are offered before those already offered get their turn.
BATCH = 16
LOOK_S = 1.0


@dataclass(frozen=True)
class Plan:
    """What is offered. `for_s` 0 means no end; this process offers each job with number % shares == share.

    `think_s` and `until_done` are the closed model's: how long a user waits, and whether for the job's end.
    """

    run: str
    target: str
    schedule: Schedule
    for_s: float = 0.0
    status_share: float = 0.0
    share: int = 0
    shares: int = 1
    mix: Mix = MAILS_ONLY
    think_s: float = 1.0
    until_done: bool = False


class Flood:
    """One process's part of one run; `late_limit_s` is the lateness over which the load was not offered."""

    model = "open"

    def __init__(
        self,
        plan: Plan,
        evidence: Evidence,
        submitter: Submitter,
        follower: Follower,
        late_limit_s: float = 1.0,
        reader: Reader | None = None,
    ) -> None:
        self.plan = plan
        self.due = 0
        self._evidence = evidence
        self._submitter = submitter
        self._follower = follower
        self._reader = reader
        self._late_limit_s = late_limit_s
        self._cores = Cores()
        self._submissions = Group()
        self._followers = Group()
        self._stopping, self._scheduled, self._over = Event(), Event(), Event()
        self._begun_ns = self._stop_ns = 0
        self._cut = False
        self._trouble = ""
        evidence.append(
            "load_start",
            rate_per_s=plan.schedule.rate_per_s,
            seed=plan.schedule.seed,
            target=plan.target,
            schedule=self.described,
            model=self.model,
            mix=str(plan.mix),
        )

    @property
    def described(self) -> str:
        """The schedule in words."""
        return str(self.plan.schedule)

    def run(self, started_s_ago: float = 0.0) -> None:
        """Offer every job at its due time, until the schedule ends or `conclude` is called; then return.

        The first job is due `started_s_ago` seconds ago (below 0: that long from now).
        """
        self._begun_ns = time.monotonic_ns() - int(started_s_ago * 1e9)
        gevent.spawn(self._every, FLUSH_S, self._evidence.flush)
        gevent.spawn(self._every, LOOK_S, self._look)
        try:
            self._offer_all(self._begun_ns)
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
        self._look()
        self._guarded(self._write_stop, reason)
        self._over.set()
        log.info("%s", self.summary)

    @property
    def shortfall(self) -> str:
        """Why this process could not offer its load, in words; empty when it did."""
        sent, late = self._submitter.sent, self._submitter.max_late_s
        if self._trouble:
            return self._trouble
        if sent < self.due:
            return f"{self.due - sent} of {self.due} due jobs were not sent: {self._cores.telling.words()}"
        if self._submitter.shortages:
            return (
                f"{self._submitter.shortages} tries failed for want of descriptors or ports on this machine"
            )
        if late > self._late_limit_s:
            limit = f"{self._late_limit_s:g} s"
            return f"jobs were sent up to {late:.3f} s late (limit {limit}): {self._cores.telling.words()}"
        return ""

    @property
    def summary(self) -> str:
        """What was offered and sent, in one line."""
        sent, late = self._submitter.sent, self._submitter.max_late_s
        took_s = max((self._stop_ns - self._begun_ns) / 1e9, 1e-9)
        rates = f"offered {self.due} ({self.due / took_s:.1f}/s), sent {sent} ({sent / took_s:.1f}/s)"
        return f"{self.model} model: {rates} in {took_s:.1f} s, largest lateness {late:.3f} s"

    def _offer_all(self, origin_ns: int) -> None:
        for number, offset in numbered(self.plan.schedule, self.plan.for_s):
            if number % self.plan.shares == self.plan.share:
                due_ns = origin_ns + int(offset * 1e9)
                stopped = self._wait_until(due_ns)
                if stopped and due_ns > self._stop_ns:
                    break
                self._offer(number, due_ns)

    def _wait_until(self, due_ns: int) -> bool:
        delay_s = (due_ns - time.monotonic_ns()) / 1e9
        if delay_s > 0:
            self._stopping.wait(delay_s)
        elif self.due % BATCH == 0:
            gevent.sleep(0)  # behind or in a burst
        return self._stopping.is_set() or bool(self._trouble)

    def _offer(self, number: int, due_ns: int) -> gevent.Greenlet | None:
        plan, seed = self.plan, self.plan.schedule.seed
        job = make(plan.run, seed, number, plan.mix.kind(seed, number))
        self.due += 1
        if not self._guarded(self._write_due, job, due_ns) or self._cut:
            return None
        if self._reader and not self._stopping.is_set():
            for _ in range(plan.mix.reads(seed, number)):
                self._followers.spawn(self._guarded, self._reader.look)
        return self._submissions.spawn(self._guarded, self._submit, job, number, due_ns)

    def _write_due(self, job: AnyJob, due_ns: int) -> None:
        # It goes to disk together with the invoke, which is written before the first byte leaves.
        self._evidence.append_later("due", {"key": job.key, "due_mono_ns": due_ns, **job.record})

    def _write_stop(self, reason: str) -> None:
        sent, late = self._submitter.sent, round(self._submitter.max_late_s, 6)
        told = self._cores.telling
        self._evidence.append(
            "load_stop",
            due=self.due,
            sent=sent,
            max_late_s=late,
            reason=self._trouble or reason,
            cpu_share=round(told.own, 3),
            busiest_core=round(told.busiest, 3),
        )

    def _submit(self, job: AnyJob, number: int, due_ns: int) -> None:
        outcome = self._submitter.submit(job, due_ns)
        if outcome.id and not self._stopping.is_set():
            if self._reader:
                self._reader.remember(job.key, outcome.id)
            self._accepted(job, number, outcome)

    def _accepted(self, job: AnyJob, number: int, outcome: Outcome) -> None:
        share = self.plan.status_share
        if share and chosen(self.plan.schedule.seed, number, share):
            self._followers.spawn(self._guarded, self._follower.follow, job.key, outcome.id)

    def _every(self, seconds: float, action: Callable[[], None]) -> None:
        while not self._over.wait(seconds) and self._guarded(action):
            pass

    def _look(self) -> None:
        self._cores.look(self._submitter.max_late_s)

    def _guarded(self, action: Callable[..., object], *args: object) -> bool:
        """Run; an exception here is ours (full disk, a bug), not the system's: offer no more and say why."""
        try:
            action(*args)
        except Exception as error:
            log.exception("the load is broken")
            self._trouble = self._trouble or f"load broken: {type(error).__name__}: {error}"
            self._stop_ns = self._stop_ns or time.monotonic_ns()
            self._cut = True
            return False
        return True
