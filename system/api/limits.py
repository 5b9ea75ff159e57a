"""How often one address may ask for new jobs.

Installed by the app factory after the routes. Without a rate limit nothing is installed. Never fails or holds
up a request because the counters' Redis is away: each process then counts for itself.
"""

from __future__ import annotations

import math
import time

import redis
from flask import Flask, Response
from flask_limiter import Limiter, RateLimitExceeded, RequestLimit
from flask_limiter.util import get_remote_address

from system.api.problems import Problem
from system.settings import Settings

# POST addresses that create no job; a new one is limited until it is named here.
UNLIMITED = frozenset({"jobs.resolve", "pages.resolve", "pages.cancel"})


def install(app: Flask, settings: Settings, counters: redis.Redis) -> None:
    """Limits all views of `app` that create jobs, together. `counters`: short time-outs and no retries."""
    if not settings.rate_limit:
        return
    limiter = Limiter(
        get_remote_address,
        storage_uri="redis://",
        storage_options={"connection_pool": counters.connection_pool},  # type: ignore[dict-item]
        key_prefix="mail",
        in_memory_fallback_enabled=True,
        # Of two threads that both find Redis away, the extension lets one fail.
        swallow_errors=True,
        on_breach=_refusal,
    )
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, _as_problem)
    together = limiter.shared_limit(settings.rate_limit, "jobs")
    creating = {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    for name in creating - UNLIMITED:
        app.view_functions[name] = together(app.view_functions[name])  # type: ignore[assignment]


def _refusal(limit: RequestLimit) -> Response:
    wait_s = max(1, math.ceil(limit.window.reset_time - time.time()))
    words = f"no more than {limit.limit} for new jobs from one address"
    return Problem(429, "rate-limited", words, retry_after_s=wait_s).response()


def _as_problem(error: RateLimitExceeded) -> Response:
    if isinstance(error.response, Response):
        return error.response
    return Problem(429, "rate-limited", error.description or "too many requests", retry_after_s=1).response()
