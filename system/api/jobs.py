"""The jobs resource: accept one or many, tell how one stands, list, cancel, resolve.

Spoken by clients. Answers 202 once the record is written, whatever becomes of the hint.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from pydantic import ValidationError

from system import addresses
from system.api import submitting
from system.api.context import context
from system.api.problems import invalid
from system.api.schemas import BATCH_MOST, Resolution, read_job, wrong_fields
from system.delivery.accepting import Request
from system.delivery.states import PUBLIC, WORDS, Accepted, Job

blueprint = Blueprint("jobs", __name__)

PAGE_MOST = 200


@blueprint.post("/jobs")
def create() -> Response:
    """Accepts a job, or answers the one that this idempotency key already has."""
    key = submitting.key_of_request()
    accepted = submitting.submit(_checked(read_body()), key)
    document = _answer(accepted)
    response = jsonify(document)
    response.status_code = 202
    response.headers["Location"] = document["status_url"]
    if accepted.how == "replayed":
        response.headers["Idempotency-Replayed"] = "true"
    return response


@blueprint.post("/jobs:batch")
def create_many() -> Response:
    """Accepts up to 1,000 jobs in one atomic step: all of them or none; one answer per job, in order."""
    request.max_content_length = context().settings.max_batch_bytes
    key = submitting.key_of_request()
    jobs = _batch(read_body())
    accepted = submitting.submit_all([_of_batch(job, key, number) for number, job in enumerate(jobs)])
    response = jsonify(jobs=[_answer(one) | {"replayed": one.how == "replayed"} for one in accepted])
    response.status_code = 202
    return response


@blueprint.get("/jobs")
def index() -> Response:
    """Jobs, newest first; `next` leads to the following page."""
    limit = _limit(request.args.get("limit", "50"))
    wanted = {name: request.args.get(name, "") for name in ("state", "kind", "cursor")}
    page = submitting.listed(limit=limit, **wanted)
    documents = [as_document(job) for job in page.jobs]
    for document in documents:
        del document["trail"]
    return jsonify(jobs=documents, next=page.cursor or None)


@blueprint.get("/jobs/<job_id>")
def show(job_id: str) -> Response:
    """How a job stands, with its trail."""
    return jsonify(as_document(submitting.find(job_id)))


@blueprint.delete("/jobs/<job_id>")
def cancel(job_id: str) -> Response:
    """Cancels a job that has not begun."""
    return jsonify(as_document(submitting.cancel(job_id)))


@blueprint.post("/jobs/<job_id>:resolve")
def resolve(job_id: str) -> Response:
    """Settles a doubt with what a person found out."""
    try:
        wanted = Resolution.model_validate(read_body())
    except ValidationError as error:
        raise invalid(422, "the body has wrong fields", wrong_fields(error)) from error
    return jsonify(as_document(submitting.resolve(job_id, wanted.answer, wanted.note)))


def as_document(job: Job) -> dict[str, Any]:
    """The public view of a job."""
    fields = job.fields
    return {
        "id": job.job_id,
        "kind": job.kind,
        "key": fields["key"] or None,
        "state": job.public,
        "detail": fields.get("detail") or WORDS.get(job.state, job.state),
        "attempts": int(fields["fence"]),
        "created_at": _iso(fields["created"]),
        "updated_at": _iso(fields["updated"]),
        "payload": job.payload,
        "result": job.result,
        "error": job.error,
        "notify": fields["notify"] or None,
        "notify_job": fields["notify_id"] or None,
        "trail": job.trail,
    }


def read_body() -> Any:
    """The request's JSON. Raises Problem: 400."""
    if request.mimetype != "application/json":
        raise invalid(400, "the body must be JSON, with Content-Type: application/json")
    try:
        return json.loads(request.get_data().decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(400, "the body is not JSON in UTF-8") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _iso(ms: str) -> str:
    return datetime.fromtimestamp(int(ms) / 1000, UTC).isoformat(timespec="milliseconds")


def _answer(accepted: Accepted) -> dict[str, Any]:
    where = url_for("jobs.show", job_id=accepted.job_id)
    state = PUBLIC.get(accepted.state, "PENDING")
    return {"id": accepted.job_id, "state": state, "status_url": where}


def _checked(data: Any) -> Request:
    wanted, errors = read_job(data)
    if wanted is None:
        raise invalid(422, "the body has wrong fields", errors)
    return wanted


def _batch(data: Any) -> list[Any]:
    jobs = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(jobs, list) or set(data) != {"jobs"}:
        raise invalid(
            422, "the body has wrong fields", {"jobs": "must be a list of jobs, and the only field"}
        )
    if not 1 <= len(jobs) <= BATCH_MOST:
        words = f"must hold 1 to {BATCH_MOST} jobs, holds {len(jobs)}"
        raise invalid(422, "the body has wrong fields", {"jobs": words})
    return jobs


def _of_batch(data: Any, batch_key: str, number: int) -> tuple[Request, str]:
    """One job of a batch and its key: its own, or made from the batch's."""
    key = f"{batch_key}.{number}" if batch_key else ""
    errors: dict[str, str] = {}
    if isinstance(data, dict) and "key" in data:
        data = dict(data)
        key = data.pop("key")
    try:
        if key != "":
            addresses.check_key(key if isinstance(key, str) else "")
    except ValueError as error:
        errors["key"] = str(error)
    wanted, wrong = read_job(data)
    errors |= wrong
    if wanted is None or errors:
        named = {f"jobs.{number}.{field}".rstrip("."): words for field, words in errors.items()}
        raise invalid(422, f"job {number} of the batch has wrong fields; nothing was accepted", named)
    return wanted, key


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= PAGE_MOST):
        raise invalid(422, "the list cannot be made", {"limit": f"must be a number from 1 to {PAGE_MOST}"})
    return int(text)
