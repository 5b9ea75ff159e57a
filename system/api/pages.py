"""The web pages: submit a job, follow it, settle what is in doubt, see how the parts are.

Looked at by people; `POST /` also by clients of older systems, in a form or in JSON. Rests on submitting.py,
as the jobs resource does. Never needs a cookie or a script, and never shows a traceback.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import redis
from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from system.api import health as checking
from system.api import submitting
from system.api.context import Context, context
from system.api.forms import Sent, as_body, in_our_words, in_their_words, key_of_form, read_form
from system.api.jobs import read_body
from system.api.problems import Problem, invalid
from system.api.schemas import Resolution, read_job, wrong_fields
from system.delivery.broker import BrokerError
from system.delivery.listing import Page
from system.delivery.overview import read_overview
from system.delivery.states import PUBLIC, STATES, TERMINAL, WORDS, Accepted, Job
from system.kinds import KINDS

log = logging.getLogger(__name__)
blueprint = Blueprint(
    "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/ui/static"
)
# Bootstrap as the package bootstrap-flask brings it. Its extension is left out, since that turns to a CDN.
_BOOTSTRAP = Blueprint(
    "bootstrap", "flask_bootstrap", static_folder="static/bootstrap5", static_url_path="/ui/bootstrap"
)
blueprint.register_blueprint(_BOOTSTRAP)

RECENT = 8
PER_PAGE = 25
MESSAGE = "Job received. Processing in background."
AGAIN = "This was received before: nothing is done twice."

_FILTERS = (
    ("Public states", (*dict.fromkeys(PUBLIC.values()),)),
    ("Ledger states", (*STATES, "held")),
)


@blueprint.get("/")
def home() -> Response:
    """A form for each kind of job, and the newest jobs."""
    return _home(Sent("email"))


@blueprint.post("/")
def submit() -> Response:
    """Accepts a job. A form gets the page with the task id in it, JSON gets JSON."""
    if request.is_json:
        return _submit_json()
    sent = read_form()
    wanted, errors = read_job(as_body(sent))
    if wanted is None:
        sent.errors = in_their_words(errors)
        return _home(sent, status=422)
    try:
        accepted = submitting.submit(wanted, submitting.key_of_request() or key_of_form(sent))
    except Problem as problem:
        # The same token again: whoever sends the form once more cannot be sending it twice.
        return _home(sent, trouble=problem)
    return _home(Sent(sent.kind), flash=_receipt(accepted))


@blueprint.get("/ui/jobs")
def jobs() -> Response:
    """Jobs, newest first, by state and kind."""
    state, kind, cursor = (request.args.get(name, "") for name in ("state", "kind", "cursor"))
    page, problem = _listed(state, kind, PER_PAGE, cursor)
    return _page(
        "jobs",
        503 if problem else 200,
        {
            "jobs": page.jobs,
            "problem": problem,
            "next": page.cursor,
            "state": state,
            "kind": kind,
            "cursor": cursor,
            "states": _FILTERS,
            "kinds": tuple(KINDS),
        },
    )


@blueprint.get("/ui/jobs/<job_id>")
def job(job_id: str) -> Response:
    """One job: how it stands, what led there, and what can be done about it."""
    found = submitting.find(job_id)
    return _page("job", 200, {"job": found, "words": WORDS, "ended": found.state in TERMINAL})


@blueprint.post("/ui/jobs/<job_id>/cancel")
def cancel(job_id: str) -> AnyResponse:
    """Cancels a job that has not begun."""
    submitting.cancel(job_id)
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.post("/ui/jobs/<job_id>/resolve")
def resolve(job_id: str) -> AnyResponse:
    """Settles a doubt with what a person found out."""
    said = {name: request.form[name] for name in ("answer", "note") if request.form.get(name)}
    try:
        wanted = Resolution.model_validate(said)
    except ValidationError as error:
        raise invalid(422, "the doubt was not resolved", wrong_fields(error)) from error
    submitting.resolve(job_id, wanted.answer, wanted.note)
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.get("/ui/doubts")
def doubts() -> Response:
    """What is in doubt: held for a person, or being asked about."""
    held, problem = _listed("held", "", PER_PAGE)
    every, problem = _listed("in_doubt", "", 2 * PER_PAGE) if not problem else (Page([], ""), problem)
    return _page(
        "doubts",
        503 if problem else 200,
        {
            "held": held.jobs,
            "more_held": held.cursor,
            "asked": [job for job in every.jobs if not job.held],
            "more_asked": every.cursor,
            "problem": problem,
        },
    )


@blueprint.get("/ui/health")
def health() -> Response:
    """How the parts are, and the figures that tell of their work."""
    tools = context()
    checks = checking.checks(tools)
    good = all(words == checking.OK for words in checks.values())
    shown = {"good": good, "checks": checks, "tables": _figures(tools, checks)}
    return _page("health", 200 if good else 503, shown)


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """For browsers that ask without reading the page."""
    return blueprint.send_static_file("favicon.svg")


@blueprint.after_request
def as_page(response: Response) -> Response:
    """Shows a problem document as a page, to all but those who speak JSON."""
    if request.is_json or response.mimetype != "application/problem+json":
        return response
    job_id = (request.view_args or {}).get("job_id") if response.status_code != 404 else None
    words = render_template("pages/problem.html", problem=response.get_json(), job_id=job_id)
    response.set_data(words)
    response.content_type = "text/html; charset=utf-8"
    return response


@blueprint.app_template_filter("moment")
def moment(ms: str | int) -> datetime:
    """A time of the ledger, in UTC."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


@blueprint.app_template_filter("about")
def about(job: Job) -> str:
    """What a job is about, in a line."""
    shown = {name: value for name, value in job.payload.items() if name != "body"}
    words = (value if isinstance(value, str) else f"{name} {value}" for name, value in shown.items())
    return ", ".join(words)[:200]


@blueprint.app_template_test("cancellable")
def cancellable(job: Job) -> bool:
    """Whether to offer it; the ledger decides. Work that is no mail cannot be stopped once it was begun."""
    return job.state in {"queued", "leased", "retry"} and (job.kind == "email" or job.fields["fence"] == "0")


def _page(name: str, status: int, shown: dict[str, Any]) -> Response:
    return Response(render_template(f"pages/{name}.html", **shown), status, mimetype="text/html")


def _home(
    sent: Sent, status: int = 200, trouble: Problem | None = None, flash: dict[str, str] | None = None
) -> Response:
    if trouble is not None and trouble.status == 503:
        # Asking the ledger once more would only keep the user waiting.
        page, problem = Page([], ""), "The list cannot be read now."
    else:
        page, problem = _listed("", "", RECENT)
    document = trouble.response() if trouble else None
    shown = {
        "shown": sent,
        "new_token": lambda: uuid.uuid4().hex,
        "flash": flash,
        "trouble": document.get_json() if document else None,
        "jobs": page.jobs,
        "problem": problem,
    }
    answer = _page("home", trouble.status if trouble else 503 if problem and not flash else status, shown)
    if document and "Retry-After" in document.headers:
        answer.headers["Retry-After"] = document.headers["Retry-After"]
    return answer


def _listed(state: str, kind: str, limit: int, cursor: str = "") -> tuple[Page, str]:
    """A page of jobs, or an empty one and words for the reader when the ledger does not answer."""
    try:
        return submitting.listed(state, kind, limit, cursor), ""
    except Problem as problem:
        if problem.status != 503:
            raise
        return Page([], ""), f"The list cannot be read now: {problem.detail}."


def _figures(tools: Context, checks: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """What can be counted now; a part that does not answer is not asked twice."""
    tables: list[tuple[str, dict[str, Any]]] = []
    if checks["ledger"] == checking.OK:
        try:
            seen = read_overview(tools.watch)
            tables.append(("Work", {"to be looked at": seen.due, "held for a person": seen.held}))
            states = {word.replace("_", " "): seen.stats.get(f"now:{word}", 0) for word in STATES}
            tables.append(("Jobs in each state, since the beginning", states))
        except redis.RedisError as error:
            log.warning("health page without the ledger: %s", error)
    if checks["broker"] == checking.OK:
        try:
            depth = tools.broker.depth()
            held = "unknown" if depth.unacked is None else depth.unacked
            tables.append(("Messages in the broker", {**depth.queues, "held by workers": held}))
        except BrokerError as error:
            log.warning("health page without the broker: %s", error)
    return tables


def _submit_json() -> Response:
    data, key = read_body(), submitting.key_of_request()
    ours = in_our_words(data) if isinstance(data, dict) else data
    if ours != data and len(ours) != len(data):
        raise invalid(422, "the body has wrong fields", {"recipient": "must not be given twice"})
    wanted, errors = read_job(ours)
    if wanted is None:
        raise invalid(422, "the body has wrong fields", in_their_words(errors))
    accepted = submitting.submit(wanted, key)
    response = jsonify(_receipt(accepted))
    response.status_code = 202
    if accepted.how == "replayed":
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _receipt(accepted: Accepted) -> dict[str, str]:
    return {
        "task_id": accepted.job_id,
        "message": AGAIN if accepted.how == "replayed" else MESSAGE,
        "status_url": url_for("jobs.show", job_id=accepted.job_id),
    }
