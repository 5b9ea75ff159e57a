"""The guards that people really write: claim before the send, mark after it, or nothing.

Run by the Celery task instead of deliver.py when DELIVERY says so, for the harness to convict. They share
the job record and write its trail, but guard nothing else. Never used by the `ledger` policy.
"""

from __future__ import annotations

import logging
from typing import NoReturn

import redis

from system.delivery import chores, meters
from system.delivery.deliver import attempt
from system.delivery.gate import OpenGate
from system.delivery.ledger import PREFIX
from system.delivery.outcomes import Outcome
from system.delivery.parts import Parts
from system.delivery.states import Lease, sent_result
from system.failpoints import hit
from system.settings import Delivery

log = logging.getLogger(__name__)


class TryLater(Exception):
    """Try again with Celery's own retry."""


def deliver_unguarded(parts: Parts, job_id: str, hint: str) -> str:
    """Carries the job out the way this policy does.

    Raises:
        TryLater: a temporary failure, or an unclear one that this policy takes for temporary.
        redis.RedisError: Redis was away, before or after the send.

    """
    policy, client = parts.settings.delivery, parts.ledger.client
    claim, mark = f"{PREFIX}claim:{job_id}", f"{PREFIX}mark:{job_id}"
    hit("worker.before_lease")
    if policy is Delivery.CLAIM_FIRST and not client.set(claim, parts.worker, nx=True):
        return "claimed"
    if policy is Delivery.MARK_AFTER and client.exists(mark):
        return "marked"
    lease = parts.ledger.unguarded(job_id, "leased", parts.worker, hint)
    if lease is None:
        return "gone"
    hit("worker.after_lease")
    if lease.work.kind != "email":
        return _run(parts, lease, claim)
    with meters.send_seconds.time():
        outcome = attempt(parts, lease, hint, OpenGate(parts, job_id))
    meters.smtp_attempts.labels(outcome.kind).inc()
    hit("worker.before_record")
    if policy is Delivery.MARK_AFTER and outcome.kind == "sent":
        client.set(mark, parts.worker)
    log.info("job %s attempt %d: %s (%s)", job_id, lease.fence, outcome.kind, outcome.words)
    return _follow_up(parts, lease, outcome, claim)


def _run(parts: Parts, lease: Lease, claim: str) -> str:
    job_id, ended = lease.work.job_id, chores.run(parts.settings, lease, lambda: True)
    if ended.kind in {"done", "failed"}:
        parts.ledger.unguarded(job_id, ended.kind, parts.worker, ended.words, ended.result)
        return ended.kind
    return _later(parts, job_id, ended.words, claim)


def _follow_up(parts: Parts, lease: Lease, outcome: Outcome, claim: str) -> str:
    ledger, job_id, worker, words = parts.ledger, lease.work.job_id, parts.worker, outcome.words
    if outcome.kind in {"sent", "failed"}:
        result = sent_result(lease.work.payload) if outcome.kind == "sent" else None
        ledger.unguarded(job_id, outcome.kind, worker, words, result)
        hit("worker.after_record")
        return outcome.kind
    if outcome.kind == "in_doubt" and parts.settings.delivery is Delivery.CLAIM_FIRST:
        # The claim stays: at most once is the one thing that this policy is good at.
        ledger.unguarded(job_id, "in_doubt", worker, words)
        return "in_doubt"
    return _later(parts, job_id, words, claim)


def _later(parts: Parts, job_id: str, words: str, claim: str) -> NoReturn:
    parts.ledger.unguarded(job_id, "retry", parts.worker, words)
    if parts.settings.delivery is Delivery.CLAIM_FIRST:
        parts.ledger.client.delete(claim)
    raise TryLater(words)


def gave_up(parts: Parts, job_id: str, words: str) -> None:
    """Celery's own retries are used up; the record says so, if it can be written."""
    try:
        parts.ledger.unguarded(job_id, "retry", parts.worker, f"gave up: {words}")
    except redis.RedisError as error:
        log.error("job %s: giving up was not written down: %s", job_id, error)
