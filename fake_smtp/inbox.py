"""The inbox over HTTP: search, look at a mail, verify, follow. Registered by the control API.

Reads the index and the raw mails; never the sockets, never the plan. Bad input is a 422 with words.
"""

from __future__ import annotations

import asyncio
import email
import json
import math
from collections.abc import Mapping
from email.message import EmailMessage, MIMEPart
from email.policy import default
from typing import Any
from urllib.parse import quote

from aiohttp import web

from fake_smtp.capture import Capture
from fake_smtp.index import Entry, Expected, Query
from reports.evidence import content_digest

_MOST = 1000
_PAGE = 50
_QUEUE = 1000
_BEAT_S = 15.0


class BadRequest(ValueError):
    """What is wrong with a request, in words."""


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
            web.get("/events", self.events),
        ]

    async def search(self, request: web.Request) -> web.Response:
        """List the newest mails that fit; `next` is the `before` of the next page, or null."""
        try:
            query, most = _query(request.query)
        except BadRequest as error:
            return _refusal(error)
        found = self._index.search(query, most + 1)
        more = len(found) > most
        return web.json_response(
            {
                "mails": [entry.to_json() for entry in found[:most]],
                "next": found[most - 1].mail if more else None,
            }
        )

    async def clear(self, _request: web.Request) -> web.Response:
        """Empty the inbox; evidence, receipts and counters stay."""
        return web.json_response({"forgotten": self._index.clear()})

    async def show(self, request: web.Request) -> web.Response:
        """Show one mail: its envelope, headers, text, HTML, attachments and copies."""
        entry = self._entry(request)
        mail = _parsed(self._capture.read(entry.raw_at, entry.size))
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        return web.json_response(
            {
                **entry.to_json(),
                "headers": [[name, str(value)] for name, value in mail.items()],
                "text": _content(text),
                "html": _content(html),
                "attachments": [
                    {"name": part.get_filename(), "type": part.get_content_type(), "size": len(_bytes(part))}
                    for part in mail.iter_attachments()
                ],
                "copies": self._index.copies(entry.key) if entry.key else [entry.mail],
            }
        )

    async def raw(self, request: web.Request) -> web.Response:
        """Give one mail as it came."""
        entry = self._entry(request)
        body = self._capture.read(entry.raw_at, entry.size)
        return web.Response(body=body, content_type="message/rfc822")

    async def attachment(self, request: web.Request) -> web.Response:
        """Give one attachment, always to be saved: what a mail carries is not run here."""
        entry = self._entry(request)
        mail = _parsed(self._capture.read(entry.raw_at, entry.size))
        parts = list(mail.iter_attachments())
        number = int(request.match_info["part"])
        if number >= len(parts):
            raise web.HTTPNotFound(text=f"mail {entry.mail} has {len(parts)} attachments")
        name = quote(parts[number].get_filename() or "attachment", safe="")
        return web.Response(
            body=_bytes(parts[number]),
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def verify(self, request: web.Request) -> web.Response:
        """Hold the inbox against the mails that must be there exactly once."""
        try:
            expected = _expected(await request.read())
        except BadRequest as error:
            return _refusal(error)
        found = self._index.verify(expected)
        return web.json_response(
            {
                "ok": found.ok,
                "expected": len(expected),
                "missing": found.missing,
                "duplicated": found.duplicated,
                "unexpected": found.unexpected,
                "corrupted": found.corrupted,
            }
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Follow new mails as Server-Sent Events; whoever reads too slowly is cut and may search."""
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(_QUEUE)

        def listen(entry: Entry) -> None:
            if queue.full():
                self._index.listeners.discard(listen)
            else:
                queue.put_nowait(entry)

        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        self._index.listeners.add(listen)
        try:
            while listen in self._index.listeners or not queue.empty():
                try:
                    entry = await asyncio.wait_for(queue.get(), _BEAT_S)
                except TimeoutError:
                    # Finds out who has gone.
                    await response.write(b": still here\n\n")
                    continue
                assert entry is not None
                data = json.dumps(entry.to_json())
                await response.write(f"id: {entry.mail}\nevent: mail\ndata: {data}\n\n".encode())
        finally:
            self._index.listeners.discard(listen)
        return response

    def _entry(self, request: web.Request) -> Entry:
        entry = self._index.get(int(request.match_info["number"]))
        if entry is None:
            raise web.HTTPNotFound(text="there is no such mail in the inbox")
        return entry


def _refusal(error: BadRequest) -> web.Response:
    return web.json_response({"error": str(error)}, status=422)


_WORDS = ("key", "recipient", "sender", "subject", "text")
_KNOWN = (*_WORDS, "since_s", "until_s", "before", "limit")


def _query(given: Mapping[str, str]) -> tuple[Query, int]:
    for name in given:
        if name not in _KNOWN:
            raise BadRequest(f"unknown parameter {name!r}; known are {', '.join(_KNOWN)}")
    most = _whole(given, "limit") or _PAGE
    if most > _MOST:
        raise BadRequest(f"'limit' must be from 1 to {_MOST}")
    key, recipient, sender, subject, text = map(given.get, _WORDS)
    since_s, until_s = _seconds(given, "since_s"), _seconds(given, "until_s")
    return Query(key, recipient, sender, subject, text, since_s, until_s, _whole(given, "before")), most


def _whole(given: Mapping[str, str], name: str) -> int | None:
    if name not in given:
        return None
    text = given[name]
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise BadRequest(f"{name!r} must be a whole number from 1, not {text!r}")
    return int(text)


def _seconds(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        value = float(given[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequest(f"{name!r} must be seconds since 1970, not {given[name]!r}")
    return value


def _expected(body: bytes) -> list[Expected]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest('the body must be JSON such as {"expected": ["key-1"]}') from None
    listed = data.get("expected") if isinstance(data, dict) and set(data) == {"expected"} else None
    if not isinstance(listed, list) or not listed:
        raise BadRequest(
            "the body must have the one field 'expected', a list of at least one mail: no data proves nothing"
        )
    expected = [_one(item, f"expected[{number}]") for number, item in enumerate(listed)]
    if len({one.key for one in expected}) != len(expected):
        raise BadRequest("a key stands in 'expected' twice; each mail must be there exactly once")
    return expected


def _one(item: object, where: str) -> Expected:
    """Read a key, or {"key", "digest"} or {"key", "subject", "text"}."""
    if isinstance(item, str) and item:
        return Expected(item)
    if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
        raise BadRequest(f"{where} must be a key or an object of texts")
    match item:
        case {"key": key, **rest} if key and not rest:
            return Expected(key)
        case {"key": key, "digest": digest, **rest} if key and not rest:
            return Expected(key, digest)
        case {"key": key, "subject": subject, "text": text, **rest} if key and not rest:
            return Expected(key, content_digest(subject, text))
    raise BadRequest(f"{where} must have 'key', and 'digest' or 'subject' and 'text' or nothing more")


def _parsed(raw: bytes) -> EmailMessage:
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def _content(part: MIMEPart | None) -> str | None:
    """The text of a part; None without one. Broken ones are shown as well as can be."""
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError, AttributeError):
        return _bytes(part).decode("utf-8", "replace")


def _bytes(part: Any) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else part.as_bytes()
