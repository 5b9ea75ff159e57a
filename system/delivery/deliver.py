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

from system.delivery import doubts, meters
from system.delivery.gate import LeaseGate
from system.delivery.message import build
from system.delivery.outcomes import Outcome
from system.delivery.parts import Parts
from system.delivery.states import Lease, NoLease
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
    with meters.send_seconds.time():
        outcome = attempt(parts, lease, hint, LeaseGate(parts, job_id, lease.fence, taken_at))
        meters.smtp_attempts.labels(outcome.kind).inc()
        hit("worker.before_record")
        recorded = record(parts, lease, outcome)
        hit("worker.after_record")
    log.info(
        "job %s attempt %d: %s (%s), recorded: %s", job_id, lease.fence, outcome.kind, outcome.words, recorded
    )
    return outcome.kind


def attempt(parts: Parts, lease: Lease, hint: str, gate: LeaseGate) -> Outcome:
    """One attempt to send; a mail that cannot be built fails for good."""
    s = parts.settings
    try:
        raw = build(lease, s.mail_from, lease.mail.domain or s.mail_domain, parts.worker, hint)
    except ValueError as error:
        return Outcome("failed", "connect", f"the mail cannot be built: {error}")
    return parts.mailer.send(raw, lease.mail.to, gate)


def record(parts: Parts, lease: Lease, outcome: Outcome) -> str:
    """Writes the outcome down; of a doubt nothing is written, because its lease's end makes it one."""
    ledger, job_id, words = parts.ledger, lease.mail.job_id, outcome.words
    key = (job_id, lease.fence, words, parts.worker)
    writes: dict[str, Callable[[], str]] = {
        "sent": lambda: ledger.sent(*key),
        "failed": lambda: ledger.fail(*key),
        "login": lambda: ledger.login_refused(*key),
        "retry": lambda: ledger.retry(*key),
        # Nothing was sent, but the token may still be the current one: then waiting for its end is a waste.
        "stale": lambda: ledger.retry(*key, strike=False),
    }
    if outcome.kind == "in_doubt":
        return "by the end of its lease"
    patience = parts.settings.outcome_retry_s if outcome.kind == "sent" else NEGATIVE_PATIENCE_S
    return insist(writes[outcome.kind], patience, job_id)


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
