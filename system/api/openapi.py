"""GET /openapi.json: what every address takes, and everything that it may answer, as OpenAPI 3.1.

Put together from the table of routes and the schemas beside it. Held true by tests: against the app's own
list of addresses, and by schemathesis against a running API. Never looks at a job.
"""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Response, jsonify

from system.api.context import context
from system.api.openapi_routes import OF_ONE_JOB, PROBLEM, ROUTES, Bodies, Route
from system.api.openapi_schemas import SCHEMAS, STRING, Schema, ref

blueprint = Blueprint("openapi", __name__)

_MEANING = {
    200: "Done",
    202: "Accepted: it will be carried out",
    302: "Look there; the body says it already",
    400: "The body is not JSON",
    401: "The API key is missing or wrong",
    403: "A browser sent this from another site",
    404: "There is no such job",
    409: "The job does not stand so that this can be done",
    410: "The key's job was accepted, and its record is lost",
    413: "The body is too large",
    422: "Something in it is wrong, or the key was used with another body",
    429: "Too many requests, or too many jobs are waiting",
    500: "A fault of this side; the log has the reason",
    503: "The ledger does not answer; the problem says whether anything was accepted",
}
_HEADERS = {
    "Location": "where to ask how the job stands",
    "Idempotency-Replayed": "`true` when the key already had its job",
    "Retry-After": "seconds after which to try again",
    "WWW-Authenticate": "how to bring the key",
}
_HEADERS_OF = {
    202: ("Location", "Idempotency-Replayed"),
    302: ("Location",),
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "any user, the key as password"},
}


@blueprint.get("/openapi.json")
def show() -> Response:
    """The document, as it is true for this app's settings."""
    return jsonify(document(protected=bool(context().settings.api_key.get_secret_value())))


@cache
def document(*, protected: bool) -> Schema:
    """The whole document; `protected`: an API key must be brought."""
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    problems = {status for route in ROUTES for status in route.problems} | {401, 500}
    answers = {str(status): _response(status, {PROBLEM: ref("problem")}) for status in sorted(problems)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mailstorm's job system", "version": "1.0.0"},
        "paths": paths,
        "components": {"schemas": SCHEMAS, "responses": answers, "securitySchemes": _KEYS},
        "security": [{way: []} for way in _KEYS] if protected else [],
    }


def _operation(route: Route) -> Schema:
    responses = {str(status): _response(status, bodies) for status, bodies in route.answers.items()}
    for status in (*(() if route.open else (401,)), *route.problems, 500):
        responses.setdefault(str(status), _problem(status, route.problems_as))
    if route.gives:
        responses["202"]["links"] = _links(route.gives)
    shown: Schema = {"operationId": route.name, "summary": route.summary, "responses": responses}
    if route.parameters:
        shown["parameters"] = list(route.parameters)
    if route.body:
        shown["requestBody"] = {"required": True, "content": _content(route.body)}
    if route.open:
        shown["security"] = []
    return shown


def _problem(status: int, types: tuple[str, ...]) -> Schema:
    if types == (PROBLEM,):
        return {"$ref": f"#/components/responses/{status}"}
    return _response(status, {kind: ref("problem") if kind == PROBLEM else STRING for kind in types})


def _response(status: int, bodies: Bodies) -> Schema:
    shown: Schema = {"description": _MEANING[status], "content": _content(bodies)}
    if names := _HEADERS_OF.get(status):
        shown["headers"] = {name: {"description": _HEADERS[name], "schema": STRING} for name in names}
    return shown


def _links(field: str) -> Schema:
    """Where the id of a new job leads."""
    job_id = {"job_id": f"$response.body#/{field}"}
    return {route.name: {"operationId": route.name, "parameters": job_id} for route in OF_ONE_JOB}


def _content(bodies: Bodies) -> Schema:
    return {kind: {"schema": schema} for kind, schema in bodies.items()}
