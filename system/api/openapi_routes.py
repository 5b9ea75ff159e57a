"""Every address of the API as data: what it takes, what it answers, and which problems it may end in.

Used by the OpenAPI document, and held against the app's own list of addresses by a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from system.api.openapi_schemas import (
    CURSOR,
    FILTER,
    ID,
    KEY,
    KIND_FILTER,
    STATE,
    STRING,
    Schema,
    closed,
    ref,
)

JSON, PROBLEM, HTML, TEXT = "application/json", "application/problem+json", "text/html", "text/plain"
FORM = "application/x-www-form-urlencoded"
Bodies = dict[str, Schema]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address. `answers` by status, for the ends that are no problem; bodies by media type.

    `open`: answers without the API key. `gives`: the field of its answer with the id of a new job.
    `problems_as`: the media types of its problems.
    """

    method: str
    path: str
    summary: str
    answers: dict[int, Bodies]
    problems: tuple[int, ...] = ()
    body: Bodies | None = None
    parameters: tuple[Schema, ...] = ()
    open: bool = False
    gives: str = ""
    problems_as: tuple[str, ...] = (PROBLEM,)

    @property
    def name(self) -> str:
        """Its operationId: the method and the words of the path."""
        return "_".join([self.method, *re.findall(r"\w+", self.path)])


_JOB_ID: Schema = {"name": "job_id", "in": "path", "required": True, "schema": ID}
_IDEMPOTENCY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": KEY,
    "description": "the same key and body again answer the first job; with another body it is refused",
}
# What a request for a new job may end in.
_CREATING = (400, 403, 410, 413, 422, 429, 503)


def _query(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _creates(path: str, summary: str, body: Schema, answer: Schema, gives: str = "") -> Route:
    answers = {202: {JSON: answer}}
    return Route("post", path, summary, answers, _CREATING, {JSON: body}, (_IDEMPOTENCY,), gives=gives)


def _tells(path: str, summary: str, answer: Schema) -> Route:
    return Route("get", path, summary, {200: {JSON: answer}}, (404, 503), parameters=(_JOB_ID,))


_JOBS = (
    _creates("/jobs", "Accept a job", ref("job-request"), ref("accepted"), "id"),
    _creates("/jobs:batch", "Accept many jobs, all or none", ref("batch-request"), ref("batch-accepted")),
    Route(
        "get",
        "/jobs",
        "List jobs, newest first; a page may be short and have a next one",
        {200: {JSON: ref("jobs")}},
        (422, 503),
        parameters=(
            _query("state", FILTER),
            _query("kind", KIND_FILTER),
            _query("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            _query("cursor", CURSOR),
        ),
    ),
    _tells("/jobs/{job_id}", "Tell how a job stands", ref("job")),
    Route(
        "delete",
        "/jobs/{job_id}",
        "Cancel a job that has not begun",
        {200: {JSON: ref("job")}},
        (403, 404, 409, 503),
        parameters=(_JOB_ID,),
    ),
    Route(
        "post",
        "/jobs/{job_id}:resolve",
        "Settle a doubt with what a person found out",
        {200: {JSON: ref("job")}},
        (400, 403, 404, 409, 413, 422, 503),
        {JSON: ref("resolution")},
        (_JOB_ID,),
    ),
)
_CLASSIC = (
    _creates("/start-job", "Greet", ref("greet-fields"), closed({"job_id": ID, "status": STATE}), "job_id"),
    _tells("/job-status/{job_id}", "Tell how a job of /start-job stands", ref("job-status")),
    _creates(
        "/start-task",
        "Take some time",
        ref("sleep-fields"),
        closed({"message": STRING, "task_id": ID}),
        "task_id",
    ),
    _creates("/add", "Add two numbers", ref("add-fields"), closed({"task_id": ID}), "task_id"),
    _tells("/result/{job_id}", "Tell what came of a job of /start-task or /add", ref("result")),
    _tells("/check_status/{job_id}", "Tell how a job stands", ref("check-status")),
    Route(
        "get",
        "/check_status_redirect",
        "Lead to /check_status",
        {302: {JSON: ref("check-status")}},
        (404, 422, 503),
        parameters=(_query("task_id", ID, required=True),),
    ),
)
_READINESS = {JSON: ref("readiness")}
_SELF = (
    Route("get", "/health", "Tell that the process lives", {200: {JSON: ref("health")}}, open=True),
    Route(
        "get",
        "/ready",
        "Tell whether a job accepted now can be carried out",
        {200: _READINESS, 503: _READINESS},
        open=True,
    ),
    Route("get", "/metrics", "Figures for Prometheus", {200: {TEXT: STRING}}, open=True),
    Route("get", "/openapi.json", "This document", {200: {JSON: {"type": "object"}}}),
)
_PAGE = {HTML: STRING}
_PAGES = (
    Route("get", "/", "The page with the forms", {200: _PAGE, 503: _PAGE}, problems_as=(HTML,)),
    Route(
        "post",
        "/",
        "Accept a job from a form, or from JSON with the names of its fields",
        {200: _PAGE, 202: {JSON: ref("page-accepted")}},
        _CREATING,
        {JSON: ref("page-request"), FORM: ref("html-form")},
        (_IDEMPOTENCY,),
        gives="task_id",
        problems_as=(HTML, PROBLEM),
    ),
)
ROUTES = (*_JOBS, *_CLASSIC, *_PAGES, *_SELF)
OF_ONE_JOB = tuple(route for route in ROUTES if _JOB_ID in route.parameters)
