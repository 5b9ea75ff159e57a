"""The Flask app factory.

Called by gunicorn in each of its processes: `gunicorn "system.api.app:create_app()"`. Connects to nothing by
itself; every connection is made when it is first needed, after the fork.
"""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from system import logs
from system.api import classic, health, jobs, limits, meters, openapi, pages, problems, security
from system.api.context import Context, make_context
from system.settings import Settings, get_settings

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def create_app(settings: Settings | None = None, tools: Context | None = None) -> Flask:
    """The app; tests bring their own settings and tools."""
    settings = settings or get_settings()
    if not logging.getLogger().handlers:
        logs.configure(settings, "api")
    app = Flask("system.api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    mail = app.extensions["mail"] = tools or make_context(settings)
    problems.install(app)
    security.install(app, settings)
    for part in (jobs, classic, health, openapi, pages):
        app.register_blueprint(part.blueprint)
    limits.install(app, settings, mail.watch)
    _count_requests(app)
    return app


def _count_requests(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        meters.http_requests.labels(method, route, str(response.status_code)).inc()
        meters.http_seconds.labels(route).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        return response
