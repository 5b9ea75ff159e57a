"""One mail over HTTP as Mailpit shows it: whole, headers, raw, a part, and its HTML and text for a browser.

Registered by `mailpit`. Whatever a mail carries is sent so that it neither runs nor loads anything.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from aiohttp import web

from fake_smtp.capture import Capture
from fake_smtp.entries import Entry, Query
from fake_smtp.mailpit_asked import NUMBER, found
from fake_smtp.mailpit_shapes import Letter
from fake_smtp.parts import Part

_ONE = "/api/v1/message/{id}"
_QUIET = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class MailpitMail:
    """The handlers about one mail; `latest` instead of its ID is the newest, of those that `query` finds."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._index = capture.index

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get(_ONE, self.message),
            web.get(_ONE + "/headers", self.headers),
            web.get(_ONE + "/raw", self.raw),
            web.get(_ONE + "/part/{part}", self.part),
            web.get("/view/{id}.html", self.html),
            web.get("/view/{id}.txt", self.text),
        ]

    async def message(self, request: web.Request) -> web.Response:
        """Show a mail."""
        return web.json_response(self._letter(self._entry(request)).message())

    async def headers(self, request: web.Request) -> web.Response:
        """Show a mail's headers."""
        return web.json_response(self._letter(self._entry(request)).headers())

    async def raw(self, request: web.Request) -> web.Response:
        """Give a mail as it came."""
        entry = self._entry(request)
        headers = {**_QUIET, "Content-Type": "text/plain; charset=utf-8"}
        if request.query.get("dl") == "1":
            headers["Content-Disposition"] = f'attachment; filename="{entry.mail}.eml"'
        return web.Response(body=self._capture.raw(entry), headers=headers)

    async def part(self, request: web.Request) -> web.Response:
        """Give one part of a mail, decoded."""
        number = request.match_info["part"]
        for part in self._letter(self._entry(request)).parts:
            if part.number == number:
                return web.Response(body=part.content, headers={**_QUIET, **_described(part)})
        raise web.HTTPNotFound(text="the mail has no such part")

    async def html(self, request: web.Request) -> web.Response:
        """Show a mail's HTML; images that it carries are linked to their parts."""
        entry = self._entry(request)
        letter = self._letter(entry)
        if not letter.html:
            raise web.HTTPNotFound(text="the mail has no HTML")
        place = _ONE.format(id=entry.mail) + "/part/"
        known = {part.id: place + part.number for part in letter.parts if part.id}
        linked = re.sub(r"(?i)cid:([^\s\"'<>)]+)", lambda hit: known.get(hit[1], hit[0]), letter.html)
        return web.Response(text=linked, content_type="text/html", headers=_QUIET)

    async def text(self, request: web.Request) -> web.Response:
        """Show a mail's text."""
        return web.Response(text=self._letter(self._entry(request)).text, headers=_QUIET)

    def _entry(self, request: web.Request) -> Entry:
        name = request.match_info["id"]
        entry = None
        if name == "latest":
            mails = found(self._index, request) if request.query.get("query") else None
            entry = next(iter(self._index.search(Query(), 1) if mails is None else mails), None)
        elif NUMBER.fullmatch(name):
            entry = self._index.get(int(name))
        if entry is None:
            raise web.HTTPNotFound(text="there is no such mail in the inbox")
        return entry

    def _letter(self, entry: Entry) -> Letter:
        return Letter(entry, self._capture.raw(entry))


def _described(part: Part) -> dict[str, str]:
    name = quote(part.name or part.id, safe="")
    return {"Content-Type": part.kind, "Content-Disposition": f'inline; filename="{name}"'}
