"""Carries one job out under the ledger's protocol: doubt, lease, attempt, record.

Called by the Celery task for every hint. Returns a word for the log; raises redis.RedisError only before
anything was sent. Never retries by itself: what is not finished is in the due set.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

import redis

from system.delivery import chores, doubts, meters, simulation
from system.delivery.gate import LeaseGate
from system.delivery.mailer import Gate
from system.delivery.message import build
from system.delivery.outcomes import Outcome
from system.delivery.parts import Parts
from system.delivery.states import Lease, NoLease, sent_result
from system.failpoints import hit

log = logging.getLogger(__name__)

# A negative outcome that cannot be written costs nothing: the lease's end says the same.
NEGATIVE_PATIENCE_S = 2.0


def deliver(parts: Parts, job_id: str, hint: str) -> str:
    """Does what the job needs now, and answers how that ended."""
    hit("worker.before_lease")
    owner = uuid.uuid4().hex
    taken_at = time.monotonic()
    lease = parts.ledger.lease(job_id, owner, parts.worker, hint)
    if isinstance(lease, NoLease) and lease.reason == "doubt":
        if not doubts.settle(parts, job_id, owner):
            return "doubt"
        taken_at = time.monotonic()
        lease = parts.ledger.lease(job_id, owner, parts.worker, hint)
    if isinstance(lease, NoLease):
        return lease.reason
    hit("worker.after_lease")
    gate = LeaseGate(parts, job_id, lease.fence, taken_at)
    carry_out = _send if lease.work.kind == "email" else _run
    return carry_out(parts, lease, hint, gate)


def _send(parts: Parts, lease: Lease, hint: str, gate: LeaseGate) -> str:
    with meters.send_seconds.time():
        outcome = attempt(parts, lease, hint, gate)
        meters.smtp_attempts.labels(outcome.kind).inc()
        hit("worker.before_record")
        recorded = record(parts, lease, outcome)
        hit("worker.after_record")
    words = "job %s attempt %d: %s (%s), recorded: %s"
    log.info(words, lease.work.job_id, lease.fence, outcome.kind, outcome.words, recorded)
    return outcome.kind


def _run(parts: Parts, lease: Lease, hint: str, gate: LeaseGate) -> str:
    ended = chores.run(parts.settings, lease, gate.still_mine)
    hit("worker.before_record")
    recorded = record_chore(parts, lease, ended)
    hit("worker.after_record")
    words = "job %s attempt %d: %s (%s) for hint %s, recorded: %s"
    log.info(words, lease.work.job_id, lease.fence, ended.kind, ended.words, hint, recorded)
    return ended.kind


def attempt(parts: Parts, lease: Lease, hint: str, gate: Gate) -> Outcome:
    """One attempt to send; a mail that cannot be built fails for good."""
    s, work = parts.settings, lease.work
    if s.simulate_failures and simulation.refuses(work):
        return simulation.OUTCOME
    try:
        raw = build(work, lease.fence, s.mail_from, parts.worker, hint)
        recipient = work.payload["to"]
    except (KeyError, ValueError) as error:
        return Outcome("failed", "connect", f"the mail cannot be built: {error}")
    return parts.mailer.send(raw, recipient, gate)


def record(parts: Parts, lease: Lease, outcome: Outcome) -> str:
    """Writes the outcome down; of a doubt nothing is written, because its lease's end makes it one."""
    ledger, words = parts.ledger, outcome.words
    key = (lease.work.job_id, lease.fence, words, parts.worker)
    most = simulation.RETRIES if outcome is simulation.OUTCOME else 0
    writes: dict[str, Callable[[], str]] = {
        "sent": lambda: ledger.sent(*key, sent_result(lease.work.payload)),
        "failed": lambda: ledger.fail(*key),
        "login": lambda: ledger.login_refused(*key),
        "retry": lambda: ledger.retry(*key, most=most),
        # Nothing was sent, but the token may still be the current one: then waiting for its end is a waste.
        "stale": lambda: ledger.retry(*key, strike=False),
    }
    if outcome.kind == "in_doubt":
        return "by the end of its lease"
    patience = parts.settings.outcome_retry_s if outcome.kind == "sent" else NEGATIVE_PATIENCE_S
    return insist(writes[outcome.kind], patience, lease.work.job_id)


def record_chore(parts: Parts, lease: Lease, ended: chores.Ended) -> str:
    """Writes down how a job ended that is no mail."""
    ledger, job_id, worker = parts.ledger, lease.work.job_id, parts.worker
    writes: dict[str, Callable[[], str]] = {
        "done": lambda: ledger.done(job_id, lease.fence, ended.result, worker),
        "failed": lambda: ledger.fail(job_id, lease.fence, ended.words, worker),
        "retry": lambda: ledger.retry(job_id, lease.fence, ended.words, worker),
        "stale": lambda: ledger.retry(job_id, lease.fence, ended.words, worker, strike=False),
    }
    patience = parts.settings.outcome_retry_s if ended.kind == "done" else NEGATIVE_PATIENCE_S
    return insist(writes[ended.kind], patience, job_id)


def insist(write: Callable[[], str], patience_s: float, job_id: str) -> str:
    """Repeats `write` with backoff until the ledger answers or patience ends; answers its word or `no`."""
    until, wait = time.monotonic() + patience_s, 0.1
    while True:
        try:
            return write()
        except redis.RedisError as error:
            if time.monotonic() + wait > until:
                log.error("job %s: outcome not written, left to the lease's end: %s", job_id, error)
                return "no"
            time.sleep(wait)
            wait = min(1.0, wait * 2)
