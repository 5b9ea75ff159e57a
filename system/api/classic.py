"""The routes of the small Flask and Celery systems that people come from, word for word.

Spoken by clients that were written for those. Every job goes through the same ledger as one of `POST /jobs`.
Never says PENDING of a job that there is not.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from system.api import submitting
from system.api.jobs import read_body
from system.api.problems import Problem, invalid
from system.api.schemas import read_job
from system.delivery.states import PUBLIC, WORDS, Accepted, Job

blueprint = Blueprint("classic", __name__)

_ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@blueprint.post("/start-job")
def start_job() -> Response:
    """Greets somebody."""
    accepted = _submit("greet")
    return _answer(accepted, {"job_id": accepted.job_id, "status": PUBLIC[accepted.state]})


@blueprint.get("/job-status/<job_id>")
def job_status(job_id: str) -> Response:
    """How a job stands: with its result, or with what went wrong."""
    job = submitting.find(job_id)
    answer = {"job_id": job.job_id, "state": job.public}
    if job.public == "SUCCESS":
        answer["result"] = job.result
    elif job.public == "FAILURE":
        answer["error"] = outcome(job)
    return jsonify(answer)


@blueprint.post("/start-task")
def start_task() -> Response:
    """Takes some seconds."""
    accepted = _submit("sleep")
    words = "Job received. Processing in background."
    return _answer(accepted, {"message": words, "task_id": accepted.job_id})


@blueprint.post("/add")
def add() -> Response:
    """Adds two numbers."""
    accepted = _submit("add")
    return _answer(accepted, {"task_id": accepted.job_id})


@blueprint.get("/result/<job_id>")
def result(job_id: str) -> Response:
    """What came of a job, as the system with `/add` says it, or else as the one with `/start-task` does.

    PENDING until it has ended: Celery tells of STARTED only where that was asked for, so clients of these two
    systems wait while they read PENDING, and would take any other word for an end.
    """
    job = submitting.find(job_id)
    ended = job.public in _ENDED
    state = job.public if ended else "PENDING"
    if job.kind == "add":
        return jsonify(status=state, result=outcome(job))
    if ended:
        return jsonify(state=state, result=outcome(job))
    return jsonify(state=state, status="Job is still processing...")


@blueprint.get("/check_status/<task_id>")
def check_status(task_id: str) -> Response:
    """How a job stands, and its result or what went wrong once it has ended."""
    job = submitting.find(task_id)
    return jsonify(task_id=job.job_id, state=job.public, result=outcome(job))


@blueprint.get("/check_status_redirect")
def check_status_redirect() -> Response:
    """The same, for a form: leads to the other address, and already says what is there."""
    task_id = request.args.get("task_id")
    if not task_id:
        raise invalid(422, "the address lacks a task id", {"task_id": "must be given"})
    response = check_status(task_id)
    response.status_code = 302
    response.location = url_for("classic.check_status", task_id=task_id)
    return response


def outcome(job: Job) -> Any:
    """The result of a job that has ended, other ends in words; None before."""
    if job.public == "SUCCESS":
        return job.result
    if job.public == "FAILURE":
        return job.error or WORDS[job.state]
    return WORDS[job.state] if job.public in _ENDED else None


def _submit(kind: str) -> Accepted:
    key = submitting.key_of_request()
    data = read_body()
    if isinstance(data, dict):
        if "kind" in data:
            raise _wrong({"kind": "this address takes one kind of job only"})
        data = {"kind": kind, **data}
    wanted, errors = read_job(data)
    if wanted is None:
        raise _wrong(errors)
    return submitting.submit(wanted, key)


def _wrong(errors: dict[str, str]) -> Problem:
    return invalid(422, "the body has wrong fields", errors)


def _answer(accepted: Accepted, words: dict[str, str]) -> Response:
    response = jsonify(words)
    response.status_code = 202
    if accepted.how == "replayed":
        response.headers["Idempotency-Replayed"] = "true"
    return response
