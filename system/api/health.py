"""Whether the process lives (/health), whether the whole can work (/ready), and its figures (/metrics).

Asked by load balancers, operators and the harness. Never hangs: every look has a short time-out.
"""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from system import metrics
from system.api.context import context
from system.api.figures import Figures
from system.delivery.overview import Overview, read_overview

blueprint = Blueprint("health", __name__)

RELAY_SILENT_S = 10.0


@blueprint.get("/health")
def health() -> Response:
    """200 while the process answers."""
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready() -> Response:
    """200 when a job accepted now can be carried out, else 503; each check is `ok` or words."""
    tools = context()
    try:
        seen = read_overview(tools.watch)
        checks = {"ledger": "ok", "smtp_login": _login(seen), "relay": _relay(seen)}
    except redis.RedisError as error:
        unknown = "cannot say: the ledger does not answer"
        checks = {
            "ledger": f"does not answer: {type(error).__name__}",
            "smtp_login": unknown,
            "relay": unknown,
        }
    try:
        tools.broker.ping()
        checks["broker"] = "ok"
    except Exception as error:
        checks["broker"] = f"does not answer: {type(error).__name__}"
    good = all(words == "ok" for words in checks.values())
    response = jsonify(ready=good, checks=checks)
    response.status_code = 200 if good else 503
    return response


@blueprint.get("/metrics")
def figures() -> Response:
    """The HTTP figures of all API processes, and those of the ledger and the broker."""
    registry = metrics.shared_registry()
    registry.register(Figures(context().watch, context().broker))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _login(seen: Overview) -> str:
    return f"refused: {seen.breaker_reason}" if seen.breaker_open else "ok"


def _relay(seen: Overview) -> str:
    if not context().settings.guarded:
        return "ok"
    if seen.relay_age_s is None:
        return "has never run"
    return "ok" if seen.relay_age_s < RELAY_SILENT_S else f"last ran {seen.relay_age_s:.0f} s ago"
