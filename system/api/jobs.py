"""The jobs resource: accept one, tell how one stands.

Spoken by clients. Answers 202 once the record is written, whatever becomes of the hint. Never says that
nothing was accepted unless that is certain.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import redis
from flask import Blueprint, Response, jsonify, request, url_for

from system import addresses
from system.api.context import context
from system.api.problems import Problem, invalid
from system.api.schemas import read_job
from system.delivery.accepting import NotAccepted, OutcomeUnknown, Request
from system.delivery.states import PUBLIC, WORDS, Accepted, Job
from system.failpoints import hit

blueprint = Blueprint("jobs", __name__)

RETRY_AFTER_S = 1
_ID_LENGTH = 32


@blueprint.post("/jobs")
def create() -> Response:
    """Accepts a job, or answers the one that this idempotency key already has."""
    key = _key()
    wanted = _wanted()
    hit("api.before_accept")
    accepted = _accept(uuid.uuid4().hex, key, wanted)
    if accepted.how == "conflict":
        raise Problem(422, "idempotency-conflict", "this Idempotency-Key was used with another body")
    if accepted.state == "gone":
        words = "this key's job was accepted and its record is lost: nobody can say how it ended"
        raise Problem(410, "unknown-job", words)
    hit("api.after_accept")
    if accepted.how == "new":
        context().hints.offer(accepted.job_id)
        hit("api.after_publish")
    where = url_for("jobs.show", job_id=accepted.job_id)
    response = jsonify(id=accepted.job_id, state=PUBLIC[accepted.state], status_url=where)
    response.status_code = 202
    response.headers["Location"] = where
    if accepted.how == "replayed":
        response.headers["Idempotency-Replayed"] = "true"
    return response


@blueprint.get("/jobs/<job_id>")
def show(job_id: str) -> Response:
    """How a job stands, with its trail."""
    unknown = Problem(404, "unknown-job", "there is no job with this id, or it ended too long ago")
    if len(job_id) != _ID_LENGTH or not job_id.isalnum() or not job_id.isascii():
        raise unknown
    try:
        job = context().ledger.read(job_id)
    except redis.RedisError as error:
        words = f"the ledger cannot be asked, so nobody can say how this job stands ({type(error).__name__})"
        raise Problem(503, "outcome-unknown", words, retry_after_s=RETRY_AFTER_S) from error
    if job is None:
        raise unknown
    return jsonify(as_document(job))


def as_document(job: Job) -> dict[str, Any]:
    """The public view of a job."""
    fields = job.fields
    return {
        "id": job.job_id,
        "kind": fields["kind"],
        "key": fields["key"] or None,
        "state": PUBLIC[job.state],
        "detail": fields.get("detail") or WORDS.get(job.state, job.state),
        "attempts": int(fields["fence"]),
        "created_at": _iso(fields["created"]),
        "updated_at": _iso(fields["updated"]),
        "error": fields.get("error") or None,
        "trail": job.trail,
    }


def _iso(ms: str) -> str:
    return datetime.fromtimestamp(int(ms) / 1000, UTC).isoformat(timespec="milliseconds")


def _key() -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    try:
        return addresses.check_key(key)
    except ValueError as error:
        raise invalid(422, "the idempotency key cannot be used", {"Idempotency-Key": str(error)}) from error


def _wanted() -> Request:
    if request.mimetype != "application/json":
        raise invalid(400, "the body must be JSON, with Content-Type: application/json")
    try:
        data = json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise invalid(400, "the body is not JSON in UTF-8") from error
    wanted, errors = read_job(data)
    if wanted is None:
        raise invalid(422, "the body has wrong fields", errors)
    return wanted


def _accept(job_id: str, key: str, wanted: Request) -> Accepted:
    try:
        return context().acceptance.accept(job_id, key, wanted)
    except NotAccepted as error:
        words = "the ledger could not be reached; certainly nothing was accepted"
        raise Problem(503, "not-accepted", words, retry_after_s=RETRY_AFTER_S) from error
    except OutcomeUnknown as error:
        words = "perhaps accepted: send the same request with the same Idempotency-Key again"
        raise Problem(503, "outcome-unknown", words, retry_after_s=RETRY_AFTER_S) from error
