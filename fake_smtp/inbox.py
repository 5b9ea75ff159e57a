"""The inbox over HTTP: search, look at a mail, verify, follow. Registered by the control API.

Reads the index and the raw mails; never the sockets, never the plan. Bad input is a 422 with words.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from fake_smtp.asked import BadRequest, expected, query, refusal
from fake_smtp.capture import Capture
from fake_smtp.entries import Entry
from fake_smtp.parts import Part, decoded, take_apart

_QUEUE = 1000
_BEAT_S = 15.0


class Inbox:
    """The handlers of one sink's inbox."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._index = capture.index

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/mails", self.search),
            web.delete("/mails", self.clear),
            web.get(r"/mails/{number:\d{1,15}}", self.show),
            web.get(r"/mails/{number:\d{1,15}}/raw", self.raw),
            web.get(r"/mails/{number:\d{1,15}}/attachments/{part:\d{1,4}}", self.attachment),
            web.post("/verify", self.verify),
        ]

    async def search(self, request: web.Request) -> web.Response:
        """List the newest mails that fit; `next` is the `before` of the next page, or null."""
        try:
            wanted, most = query(request.query)
        except BadRequest as error:
            return refusal(error)
        found = self._index.search(wanted, most + 1)
        more = len(found) > most
        return web.json_response(
            {
                "mails": [entry.to_json() for entry in found[:most]],
                "next": found[most - 1].mail if more else None,
                "total": self._index.count(),
            }
        )

    async def clear(self, _request: web.Request) -> web.Response:
        """Empty the inbox; evidence, receipts and counters stay."""
        return web.json_response({"forgotten": self._index.clear()})

    async def show(self, request: web.Request) -> web.Response:
        """Show one mail: its envelope, headers, text, HTML, attachments and copies."""
        entry = self._entry(request)
        headers, parts = take_apart(self._capture.raw(entry))
        files = _files(parts)
        shown = [part for part in parts if part not in files]
        return web.json_response(
            {
                **entry.to_json(),
                "headers": [[name, decoded(value)] for name, value in headers],
                "text": next((part.text() for part in shown if part.kind == "text/plain"), None),
                "html": next((part.text() for part in shown if part.kind == "text/html"), None),
                "attachments": [
                    {"name": part.name or None, "type": part.kind, "size": len(part.content)}
                    for part in files
                ],
                "same": self._index.copies(entry.name) if entry.name else [entry.mail],
            }
        )

    async def raw(self, request: web.Request) -> web.Response:
        """Give one mail as it came."""
        entry = self._entry(request)
        body = self._capture.raw(entry)
        return web.Response(body=body, content_type="message/rfc822")

    async def attachment(self, request: web.Request) -> web.Response:
        """Give one attachment, always to be saved: what a mail carries is not run here."""
        entry = self._entry(request)
        files = _files(take_apart(self._capture.raw(entry))[1])
        number = int(request.match_info["part"])
        if number >= len(files):
            raise web.HTTPNotFound(text=f"mail {entry.mail} has {len(files)} attachments")
        name = quote(files[number].name or "attachment", safe="")
        return web.Response(
            body=files[number].content,
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def verify(self, request: web.Request) -> web.Response:
        """Hold the inbox against the mails that must be there exactly once."""
        try:
            wanted = expected(await request.read())
        except BadRequest as error:
            return refusal(error)
        found = self._index.verify(wanted)
        return web.json_response(
            {
                "ok": found.ok,
                "expected": len(wanted),
                "missing": found.missing,
                "duplicated": found.duplicated,
                "unexpected": found.unexpected,
                "corrupted": found.corrupted,
            }
        )

    def _entry(self, request: web.Request) -> Entry:
        entry = self._index.get(int(request.match_info["number"]))
        if entry is None:
            raise web.HTTPNotFound(text="there is no such mail in the inbox")
        return entry


def _files(parts: list[Part]) -> list[Part]:
    """Return what is not the mail's own text or HTML."""
    return [part for part in parts if part.attached or part.name or not part.kind.startswith("text/")]
