"""The control API of a running harness, for programs on this machine: state, catalogue, start, heal.

Served by `up` on loopback. No web page may use it, wherever it came from: it kills processes.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from chaos import exposition
from chaos.control import catalogue
from chaos.control.catalogue import ParameterError
from chaos.control.director import BusyError, Director, Job
from chaos.errors import HarnessError
from chaos.live import Live
from chaos.observe import Observer
from chaos.scenarios import SCENARIOS
from chaos.stack.local import LocalStack

HOSTS = ("127.0.0.1", "localhost", "::1")
RATE_WINDOW_S = 3.0
MAX_BODY_BYTES = 64 * 1024
SHOWN = 50


class UnknownError(LookupError):
    """There is nothing of that name."""


STATUS: dict[type[Exception], int] = {
    UnknownError: 404,
    BusyError: 409,
    ParameterError: 422,
    HarnessError: 500,
    requests.RequestException: 502,
}


class Control:
    """The handlers; what they show comes from `live`, what they do is done by the director."""

    def __init__(self, stack: LocalStack, observer: Observer, director: Director, live: Live) -> None:
        self._stack = stack
        self._observer = observer
        self._director = director
        self._live = live

    def app(self) -> Flask:
        """Build the application."""
        app = Flask(__name__, static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.before_request(refuse_pages)
        app.add_url_rule("/state", view_func=self.state)
        app.add_url_rule("/catalogue", view_func=self.catalogue)
        app.add_url_rule("/metrics", view_func=self.metrics)
        app.add_url_rule("/scenarios/<name>", view_func=self.scenario, methods=["POST"])
        app.add_url_rule("/faults/<name>", view_func=self.fault, methods=["POST"])
        app.add_url_rule("/heal", view_func=self.heal, methods=["POST"])
        app.register_error_handler(HTTPException, lambda error: _said(error.description, error.code))
        for kind, status in STATUS.items():
            app.register_error_handler(kind, lambda error, status=status: _said(str(error), status))
        return app

    def state(self) -> dict[str, Any]:
        """What goes on, the last faults with their clocks (s since 1970), and what was noted."""
        numbered = [{"number": at, **fault} for at, fault in enumerate(self._live.faults(), 1)]
        return {
            "run": self._stack.run,
            "running": self._director.running(),
            "watching": self._director.watching(),
            "trouble": self._director.trouble,
            "active": self._live.active(),
            "faults": numbered[-SHOWN:],
            "notes": [{"at_s": at_s, "text": text} for at_s, text in self._live.notes()],
            "addresses": self._stack.for_people(),
            "stored_per_s": self._stored_per_s(),
        }

    def catalogue(self) -> dict[str, Any]:
        """What can be started."""
        return {
            "scenarios": catalogue.scenarios(self._stack),
            "faults": [choice.to_json() for choice in catalogue.single_faults(self._stack).values()],
        }

    def metrics(self) -> Response:
        """The same for Prometheus."""
        return Response(exposition.page(self._live), content_type=exposition.CONTENT_TYPE)

    def scenario(self, name: str) -> tuple[dict[str, Any], int]:
        """Start a story."""
        if name not in SCENARIOS:
            raise UnknownError(f"no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
        if given := _given():
            raise ParameterError(f"a scenario has no parameters, and {', '.join(given)} was given")
        found = SCENARIOS[name]
        if why := catalogue.why_not(found, self._stack):
            raise ParameterError(f"{name}: {why}")
        self._director.start(Job("scenario", name, lambda stage: stage.tell(found)))
        return {"started": name}, 202

    def fault(self, name: str) -> tuple[dict[str, Any], int]:
        """Start a single fault."""
        faults = catalogue.single_faults(self._stack)
        if name not in faults:
            raise UnknownError(f"no fault {name!r}; there are: {', '.join(faults)}")
        choice = faults[name]
        values = choice.values(_given())
        self._director.start(
            Job("fault", name, lambda stage: stage.single(partial(choice.act, stage, values)))
        )
        return {"started": name, "parameters": values}, 202

    def heal(self) -> dict[str, Any]:
        """Heal everything now; the answer comes when it is read back."""
        return self._director.heal(load_ended=_given().get("load_ended") is True)

    def _stored_per_s(self) -> float | None:
        try:
            return round(self._observer.stored_in_last(RATE_WINDOW_S) / RATE_WINDOW_S, 2)
        except HarnessError:
            return None  # the sink does not answer


def refuse_pages() -> tuple[Response, int] | None:
    """Let programs pass and no web page: one that rebound its name shows it in Host, any other in Origin."""
    host = urlsplit(f"//{request.host}").hostname
    if host not in HOSTS:
        return _said(f"this harness is called 127.0.0.1 here, not {host!r}", 403)
    if request.headers.get("Origin") is not None or request.headers.get("Sec-Fetch-Site", "none") != "none":
        return _said("no web page may use this; open the Delivery tab of the load's page instead", 403)
    if request.method == "POST" and request.mimetype != "application/json":
        return _said("send JSON, with Content-Type: application/json", 415)
    return None


def _given() -> dict[str, Any]:
    given = request.get_json(silent=True) if request.data else {}
    if not isinstance(given, dict):
        raise ParameterError("the body must be a JSON object")
    return given


def _said(words: str | None, status: int | None) -> tuple[Response, int]:
    return jsonify({"error": words or "?"}), status or 500
