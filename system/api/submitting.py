"""What every view does with jobs: accept, find, list, cancel, resolve; each failure is a problem document.

Used by the jobs resource, the classic routes and the pages. Never says that nothing was accepted unless that
is certain.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis
from flask import request

from system import addresses
from system.api.context import context
from system.api.problems import Problem, invalid
from system.delivery import listing
from system.delivery.accepting import BacklogFull, NotAccepted, OutcomeUnknown, Request, Wanted
from system.delivery.hints import HIGH, LOW, NORMAL
from system.delivery.ledger import Verdict
from system.delivery.states import Accepted, Job
from system.failpoints import hit
from system.kinds import KINDS

RETRY_AFTER_S = 1
BACKLOG_RETRY_AFTER_S = 5
_ID_LENGTH = 32
# A follow-up's key is its parent's with a word behind it, and goes into a header too.
NOTIFY_KEY_MAX = addresses.MAX_KEY - len("+notify")
PRIORITIES = {"high": HIGH, "normal": NORMAL, "low": LOW}
_ANSWERS: dict[str, Verdict] = {"stored": "stored", "not_stored": "absent", "resend": "resend"}


def key_of_request() -> str:
    """The Idempotency-Key header, or empty. Raises Problem when it cannot be used."""
    key = request.headers.get("Idempotency-Key")
    return "" if key is None else checked_key(key)


def checked_key(key: str) -> str:
    """The key. Raises Problem when it cannot be used."""
    try:
        return addresses.check_key(key)
    except ValueError as error:
        raise invalid(422, "the idempotency key cannot be used", {"Idempotency-Key": str(error)}) from error


def submit(wanted: Request, key: str = "") -> Accepted:
    """Accepts one job under this key, or answers the job that has it. Raises Problem: 410, 422, 429, 503."""
    return submit_all([(wanted, key)])[0]


def submit_all(wanted: Sequence[tuple[Request, str]]) -> list[Accepted]:
    """Accepts all of them, or none, and offers hints for the new ones. Raises Problem: 410, 422, 429, 503."""
    for asked, key in wanted:
        if asked.notify and len(key) > NOTIFY_KEY_MAX:
            words = f"must be at most {NOTIFY_KEY_MAX} characters for a job with notify"
            raise invalid(422, "the idempotency key cannot be used", {"Idempotency-Key": words})
    hit("api.before_accept")
    jobs = [Wanted(uuid.uuid4().hex, key, asked) for asked, key in wanted]
    with _told_apart():
        accepted = context().acceptance.accept_all(jobs)
    _refuse_conflicts(accepted)
    hit("api.after_accept")
    fresh = [
        (job.job_id, asked.kind, PRIORITIES[asked.priority])
        for job, (asked, _) in zip(accepted, wanted, strict=True)
        if job.how == "new"
    ]
    if fresh:
        context().hints.offer_many(fresh)
        hit("api.after_publish")
    return accepted


def find(job_id: str) -> Job:
    """The job with its trail. Raises Problem: 404, 503."""
    _check_id(job_id)
    with _asked("so nobody can say how this job stands"):
        job = context().ledger.read(job_id)
    if job is None:
        raise _unknown()
    return job


def listed(state: str = "", kind: str = "", limit: int = 50, cursor: str = "") -> listing.Page:
    """One page of jobs, newest first. Raises Problem: 422, 503."""
    if kind and kind not in KINDS:
        raise invalid(422, "the list cannot be made", {"kind": f"must be one of {', '.join(KINDS)}"})
    try:
        with _asked("so nobody can say which jobs there are"):
            return listing.page(context().ledger.client, state, kind, limit, cursor)
    except ValueError as error:
        name = "cursor" if "cursor" in str(error) else "state"
        raise invalid(422, "the list cannot be made", {name: str(error)}) from error


def cancel(job_id: str) -> Job:
    """Cancels a job that has not begun. Raises Problem: 404, 409, 503."""
    _check_id(job_id)
    with _asked("perhaps cancelled; asking again is safe"):
        how, words = context().ledger.cancel(job_id)
    if how == "late":
        raise Problem(409, "too-late", f"the job cannot be cancelled any more: {words}")
    return find(job_id)


def resolve(job_id: str, answer: str, note: str = "") -> Job:
    """Settles a doubt by hand. `answer`: stored, not_stored or resend. Raises Problem: 404, 409, 503."""
    _check_id(job_id)
    with _asked("perhaps resolved; look at the job before asking again"):
        words = note or "said by an operator"
        how = context().ledger.verdict(job_id, "operator", _ANSWERS[answer], words, "operator")
    if how == "stale":
        raise Problem(409, "not-in-doubt", "only a job in doubt can be resolved, and this one is not")
    return find(job_id)


def _check_id(job_id: str) -> None:
    if len(job_id) != _ID_LENGTH or not job_id.isalnum() or not job_id.isascii():
        raise _unknown()


def _unknown() -> Problem:
    return Problem(404, "unknown-job", "there is no job with this id, or it ended too long ago")


def _refuse_conflicts(accepted: Sequence[Accepted]) -> None:
    conflicts = [number for number, job in enumerate(accepted) if job.how == "conflict"]
    if conflicts:
        which = f" (jobs {', '.join(map(str, conflicts[:20]))})" if len(accepted) > 1 else ""
        words = f"this Idempotency-Key was used with another body{which}; nothing was accepted"
        raise Problem(422, "idempotency-conflict", words)
    if len(accepted) == 1 and accepted[0].state == "gone":
        words = "this key's job was accepted and its record is lost: nobody can say how it ended"
        raise Problem(410, "unknown-job", words)


@contextmanager
def _asked(consequence: str) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        words = f"the ledger cannot be asked, {consequence} ({type(error).__name__})"
        raise Problem(503, "outcome-unknown", words, retry_after_s=RETRY_AFTER_S) from error


@contextmanager
def _told_apart() -> Iterator[None]:
    """The three ends of an acceptance that is none."""
    try:
        yield
    except BacklogFull as error:
        words = f"{error} jobs are waiting already; certainly nothing was accepted"
        raise Problem(429, "backlog-full", words, retry_after_s=BACKLOG_RETRY_AFTER_S) from error
    except NotAccepted as error:
        words = "the ledger could not be reached; certainly nothing was accepted"
        raise Problem(503, "not-accepted", words, retry_after_s=RETRY_AFTER_S) from error
    except OutcomeUnknown as error:
        words = "perhaps accepted: send the same request with the same Idempotency-Key again"
        raise Problem(503, "outcome-unknown", words, retry_after_s=RETRY_AFTER_S) from error
