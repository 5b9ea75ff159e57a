"""The page of the sink: its files, the faults as data for it, and a guard against foreign pages.

Registered by the control API. Never touches mails, plan or sockets: the page asks the API for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from aiohttp import web

from fake_smtp.faults import FAULTS, Fault

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The frame of an HTML mail is bound by this policy as well, and mails live on inline styles.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Only the module that fills that frame may turn text into HTML.
        "require-trusted-types-for 'script'",
        "trusted-types mail-frame",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "Cache-Control": "no-cache",
}
_SAFE = ("GET", "HEAD", "OPTIONS")
_INDEX = "index.html"


class Page:
    """The files of the page, read once."""

    def __init__(self) -> None:
        folder = files("fake_smtp") / "page"
        self._files = {
            one.name: (one.read_bytes(), _TYPES[suffix])
            for one in folder.iterdir()
            if (suffix := PurePath(one.name).suffix) in _TYPES
        }

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/", self.index),
            web.get("/page/{file}", self.file),
            web.get("/faults", self.faults),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        """Give the page itself."""
        return self._answer(_INDEX)

    async def file(self, request: web.Request) -> web.Response:
        """Give a script or a style of the page."""
        return self._answer(request.match_info["file"])

    async def faults(self, _request: web.Request) -> web.Response:
        """List the faults with what they do, in the order of a conversation."""
        return web.json_response({"faults": [_shown(fault) for fault in FAULTS.values()]})

    def _answer(self, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound(text="the page has no such file")
        body, content_type = self._files[name]
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)


@web.middleware
async def own_pages_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what changes something when a page of another origin asks; programs are no browsers and pass."""
    if request.method not in _SAFE and _foreign(request.headers):
        return web.json_response({"error": "a page of another origin may not change this sink"}, status=403)
    return await handler(request)


def _foreign(headers: Mapping[str, str]) -> bool:
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    # Behind a proxy the host may be another one; what the browser says of the site still holds.
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and origin.partition("://")[2] != headers.get("Host")


def _shown(fault: type[Fault]) -> dict[str, Any]:
    return {
        "name": fault.name,
        "does": (fault.__doc__ or "").strip(),
        "client_sees": fault.client_sees,
        "stored": fault.stored,
        "copies": fault.copies,
        "retry_duplicates": fault.retry_duplicates,
        "defaults": dict(fault.defaults),
    }
