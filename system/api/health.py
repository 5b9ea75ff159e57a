"""Whether the process lives (/health), whether the whole can work (/ready), and its figures (/metrics).

Asked by load balancers, operators and the harness. Never hangs: every look has a short time-out.
"""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from system import metrics
from system.api.context import Context, context
from system.api.figures import Figures
from system.delivery.overview import Overview, read_overview
from system.settings import Settings

blueprint = Blueprint("health", __name__)

OK = "ok"
RELAY_SILENT_S = 10.0


@blueprint.get("/health")
def health() -> Response:
    """200 while the process answers."""
    return jsonify(status="ok")


@blueprint.get("/ready")
def ready() -> Response:
    """200 when a job accepted now can be carried out, else 503; each check is `ok` or words."""
    found = checks(context())
    good = all(words == OK for words in found.values())
    response = jsonify(ready=good, checks=found)
    response.status_code = 200 if good else 503
    return response


def checks(tools: Context) -> dict[str, str]:
    """How each part stands, `ok` or words, without any exception; for /ready and the page."""
    return {**_of_ledger(tools), "broker": _broker(tools)}


@blueprint.get("/metrics")
def figures() -> Response:
    """The HTTP figures of all API processes, and those of the ledger and the broker."""
    registry = metrics.shared_registry()
    registry.register(Figures(context().watch, context().broker))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _of_ledger(tools: Context) -> dict[str, str]:
    try:
        seen = read_overview(tools.watch)
    except redis.RedisError as error:
        unknown = "cannot say: the ledger does not answer"
        silent = f"does not answer: {type(error).__name__}"
        return {"ledger": silent, **dict.fromkeys(("smtp_login", "relay", "backlog"), unknown)}
    return {
        "ledger": OK,
        "smtp_login": f"refused: {seen.breaker_reason}" if seen.breaker_open else OK,
        "relay": _relay(tools.settings, seen),
        "backlog": _backlog(tools.settings, seen),
    }


def _relay(settings: Settings, seen: Overview) -> str:
    if not settings.guarded:
        return OK
    if seen.relay_age_s is None:
        return "has never run"
    return OK if seen.relay_age_s < RELAY_SILENT_S else f"last ran {seen.relay_age_s:.0f} s ago"


def _backlog(settings: Settings, seen: Overview) -> str:
    if not settings.max_backlog or seen.due < settings.max_backlog:
        return OK
    return f"full: {seen.due} jobs wait, new ones are refused from {settings.max_backlog}"


def _broker(tools: Context) -> str:
    try:
        tools.broker.ping()
    except Exception as error:
        return f"does not answer: {type(error).__name__}"
    return OK
