"""The OpenAPI document of the control API, as JSON and as a plain page that loads nothing.

Registered by the control API. The document is data (`openapi.json`, and `openapi_mailpit.json` for its part);
only the names of the faults are put in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any

from aiohttp import web

from fake_smtp.faults import FAULTS

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto}summary{cursor:pointer}"
    "details{margin:.4rem 0}td,th{text-align:left;vertical-align:top;padding-right:1rem}"
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    whole, mailpit = _read("openapi.json"), _read("openapi_mailpit.json")
    whole["paths"].update(mailpit["paths"])
    for kind, named in mailpit["components"].items():
        whole["components"][kind].update(named)
    whole["components"]["schemas"]["FaultName"]["enum"] = list(FAULTS)
    return whole


class OpenApi:
    """The handlers; both answers are made once."""

    def __init__(self) -> None:
        shown = document()
        self._json = json.dumps(shown, ensure_ascii=False).encode()
        self._page = page(shown)

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/openapi.json", self.json), web.get("/docs", self.docs)]

    async def json(self, _request: web.Request) -> web.Response:
        """Give the document."""
        return web.Response(body=self._json, content_type="application/json")

    async def docs(self, _request: web.Request) -> web.Response:
        """Give the page."""
        return web.Response(text=self._page, content_type="text/html", headers=_HEADERS)


def page(shown: dict[str, Any]) -> str:
    """Return the document as a page of HTML."""
    info = shown["info"]
    return "".join(
        (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
            '<meta name="viewport" content="width=device-width">',
            f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>",
            '<p>The same for programs: <a href="openapi.json">openapi.json</a></p>',
            *(text for tag in shown["tags"] for text in _chapter(shown, tag)),
            "<h2>Schemas</h2>",
            *(_folded(name, schema) for name, schema in shown["components"]["schemas"].items()),
            "</html>",
        )
    )


def _chapter(shown: dict[str, Any], tag: dict[str, str]) -> Iterator[str]:
    yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
    for path, operations in shown["paths"].items():
        for method, operation in operations.items():
            if tag["name"] in operation["tags"]:
                yield from _operation(shown, f"{method.upper()} {path}", operation)


def _operation(shown: dict[str, Any], name: str, told: dict[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{escape(name)}</code></h3><p>{escape(told['summary'])}. "
    yield escape(told.get("description", "")) + "</p><table>"
    for parameter in (_resolved(shown, one) for one in told.get("parameters", ())):
        yield _row(parameter["name"], parameter.get("description", ""))
    for status, answer in told["responses"].items():
        yield _row(status, _resolved(shown, answer)["description"])
    yield "</table>"
    if "requestBody" in told:
        yield _folded("Body", told["requestBody"]["content"])
    yield _folded("200", _resolved(shown, told["responses"]["200"]).get("content", {}))


def _row(name: str, text: str) -> str:
    return f"<tr><th><code>{escape(name)}</code></th><td>{escape(text)}</td></tr>"


def _folded(name: str, data: object) -> str:
    shown = escape(json.dumps(data, indent=1, ensure_ascii=False))
    return f"<details><summary>{escape(name)}</summary><pre>{shown}</pre></details>"


def _resolved(shown: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter or a response; a reference to one is followed."""
    if "$ref" not in given:
        return given
    _, _, kind, name = given["$ref"].split("/")
    found: dict[str, Any] = shown["components"][kind][name]
    return found


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((files("fake_smtp") / name).read_text("utf-8"))
    return data
