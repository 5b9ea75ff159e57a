"""The tab's own addresses below Locust's: the page, what it shows, and its buttons.

Registered by attach.py in Locust's Flask application. Keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_from_directory

from loadtests.tab.breaker import Breaker
from loadtests.tab.guard import refusal
from loadtests.tab.remote import RemoteError
from loadtests.tab.watch import Watch

PAGE = Path(__file__).with_name("page")
MOUNT = '<script type="module" src="./delivery/mount.js"></script>'
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

View = Callable[..., Any]
Said = tuple[Response, int]


class Pages:
    """The handlers; `load_state` gives Locust's word for what the load does, `own_host` is its --web-host."""

    def __init__(self, watch: Watch, breaker: Breaker, load_state: Callable[[], str], own_host: str) -> None:
        self._watch = watch
        self._breaker = breaker
        self._load_state = load_state
        self._own_host = own_host

    def blueprint(self, base: str, allowed: Callable[[View], View]) -> Blueprint:
        """Build it; Locust's page is below the path `base`, and `allowed` is its own check of a login."""
        pages = Blueprint("delivery", __name__, url_prefix=f"{base}/delivery")
        pages.before_request(self._guard)
        pages.after_request(_headers)
        pages.register_error_handler(RemoteError, lambda error: _said(str(error), error.status))
        for path, view, method in (
            ("/", self.index, "GET"),
            ("/<path:file>", self.file, "GET"),
            ("/state", self.state, "GET"),
            ("/catalogue", self.catalogue, "GET"),
            ("/scenarios/<name>", self.scenario, "POST"),
            ("/faults/<name>", self.fault, "POST"),
            ("/heal", self.heal, "POST"),
        ):
            pages.add_url_rule(path, view.__name__, allowed(view), methods=[method])
        return pages

    def index(self) -> Response:
        """Give the tab as a page of its own."""
        return self.file("index.html")

    def file(self, file: str) -> Response:
        """Give a script or a style."""
        return send_from_directory(PAGE, file)

    def state(self) -> dict[str, Any]:
        """Say what is shown; `?since=` the number that the last answer called `next`."""
        since = request.args.get("since", 0, type=int)
        return {"load": self._load_state(), **self._watch.state(since)}

    def catalogue(self) -> dict[str, Any]:
        """Say what can be started."""
        return self._breaker.catalogue()

    def scenario(self, name: str) -> dict[str, Any]:
        """Start a scenario."""
        return self._breaker.scenario(name)

    def fault(self, name: str) -> dict[str, Any]:
        """Start a single fault."""
        given = request.get_json(silent=True)
        if not isinstance(given, dict):
            raise RemoteError("the body must be a JSON object", 422)
        return self._breaker.fault(name, given)

    def heal(self) -> dict[str, Any]:
        """Heal everything."""
        return self._breaker.heal()

    def _guard(self) -> Said | None:
        found = refusal(request.method, dict(request.headers), self._own_host)
        return None if found is None else _said(*found)


def mounted(response: Response) -> Response:
    """Return Locust's own page with the script that fills the tab."""
    # Its start page is one line of HTML and a script; all else stays as it is.
    response.set_data(response.get_data(as_text=True).replace("</body>", f"{MOUNT}</body>"))
    return response


def _headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _said(words: str, status: int) -> Said:
    return jsonify({"error": words}), status
