"""Errors as problem documents (RFC 9457), all of them, and never with a traceback.

Used by every view through `Problem`, and by Flask for what the framework itself refuses.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

BASE = "https://mailstorm.invalid/problems"
_NAMES = {
    400: "invalid",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    429: "rate-limited",
}
TITLES = {
    "invalid": "The request is not valid",
    "idempotency-conflict": "The idempotency key belongs to another request",
    "unsupported-media-type": "The body has a type that is not taken here",
    "too-large": "The request is too large",
    "unauthorized": "The API key is missing or wrong",
    "cross-site": "The request comes from another site",
    "rate-limited": "Too many requests",
    "backlog-full": "Too many jobs are waiting",
    "unknown-job": "There is no such job",
    "too-late": "The job can no longer be cancelled",
    "not-in-doubt": "The job is not in doubt",
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address does not take that method",
    "not-accepted": "Nothing was accepted",
    "outcome-unknown": "It is not known whether this was done",
    "internal": "Something went wrong here",
}


@dataclass
class Problem(Exception):
    """A refusal. `name` is the end of its type; `retry_after_s` and `headers` become headers."""

    status: int
    name: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    retry_after_s: int | None = None
    headers: Sequence[tuple[str, str]] = ()

    def response(self) -> Response:
        """The document as a response."""
        body: dict[str, object] = {
            "type": f"{BASE}/{self.name}",
            "title": TITLES.get(self.name, self.name),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        response = Response(json.dumps(body), self.status, content_type="application/problem+json")
        response.headers.extend(self.headers)
        if self.retry_after_s is not None:
            response.headers["Retry-After"] = str(self.retry_after_s)
        return response


def invalid(status: int, detail: str, fields: Mapping[str, str] | None = None) -> Problem:
    """A request to be mended; `fields` maps a field to what is wrong with it."""
    errors = [{"field": name, "message": message} for name, message in (fields or {}).items()]
    return Problem(status, "invalid", detail, errors)


def install(app: Flask) -> None:
    """Makes every error of `app` a problem document."""

    def on_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:
            return Response(error.get_response().get_data(), status, dict(error.get_headers()))
        name = _NAMES.get(status, "invalid" if status < 500 else "internal")
        response = Problem(status, name, error.description or error.name).response()
        for header in ("Allow",):
            if header in (headers := dict(error.get_headers())):
                response.headers[header] = headers[header]
        return response

    def on_anything(error: Exception) -> Response:
        log.exception("%s %s failed", request.method, request.path, exc_info=error)
        return Problem(500, "internal", "the request could not be handled; the log has the reason").response()

    def on_problem(problem: Problem) -> Response:
        return problem.response()

    app.register_error_handler(Problem, on_problem)
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(Exception, on_anything)
