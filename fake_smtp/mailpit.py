"""The most used part of Mailpit's HTTP API v1 over the same inbox, so that tests made for it run unchanged.

Registered by the control API. Lists, searches and deletes; deleting empties the inbox, never the evidence.
What differs is told in docs/mailpit.md.
"""

from __future__ import annotations

import asyncio
import resource
import time

from aiohttp import web

from fake_smtp.context import Context
from fake_smtp.entries import Entry, Query
from fake_smtp.mailpit_asked import before, found, numbers, whole
from fake_smtp.mailpit_mail import MailpitMail
from fake_smtp.mailpit_query import EVERYTHING
from fake_smtp.mailpit_shapes import Letter

_LIMIT = 50


class Mailpit:
    """The handlers of one sink."""

    def __init__(self, context: Context) -> None:
        self._all_counters = context.all_counters
        self._capture = context.capture
        self._index = context.capture.index
        self._begun_s = time.monotonic()
        self._deleted = 0

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/api/v1/messages", self.messages),
            web.delete("/api/v1/messages", self.delete),
            web.get("/api/v1/search", self.search),
            web.delete("/api/v1/search", self.delete_search),
            web.get("/api/v1/info", self.info),
            web.get("/livez", self.alive),
            web.get("/readyz", self.ready),
            *MailpitMail(self._capture).routes(),
        ]

    async def messages(self, request: web.Request) -> web.Response:
        """List mails, newest first; a limit of 0 is none."""
        start, most = whole(request, "start", 0), whole(request, "limit", _LIMIT) or EVERYTHING
        listed = self._index.search(Query(until_s=before(request)), start + most)
        return await self._page(start, listed[start:], None)

    async def search(self, request: web.Request) -> web.Response:
        """List the mails that a search finds, newest first."""
        start, most = whole(request, "start", 0), whole(request, "limit", _LIMIT)
        until_s, fit = before(request), found(self._index, request)
        if until_s is not None:
            fit = [entry for entry in fit if entry.at_s < until_s]
        return await self._page(start, fit[start : start + most], len(fit))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete the mails with these IDs; all without any."""
        named = numbers(await request.read())
        self._deleted += self._index.forget(named) if named else self._index.clear()
        return web.Response(text="ok")

    async def delete_search(self, request: web.Request) -> web.Response:
        """Delete the mails that a search finds."""
        self._deleted += self._index.forget([entry.mail for entry in found(self._index, request)])
        return web.Response(text="ok")

    async def info(self, _request: web.Request) -> web.Response:
        """Tell about the sink in the words of Mailpit."""
        total, newest = self._total(), self._index.search(Query(), 1)
        counters = await self._all_counters()
        return web.json_response(
            {
                "Version": "fake_smtp",
                "LatestVersion": "disabled",
                "Database": "mails.raw",
                "DatabaseSize": sum(entry.raw_at + entry.size for entry in newest),
                "Messages": total,
                "Unread": total,
                "Tags": {},
                "RuntimeStats": {
                    "Uptime": int(time.monotonic() - self._begun_s),
                    "Memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                    "MessagesDeleted": self._deleted,
                    "SMTPAccepted": counters.stored,
                    "SMTPAcceptedSize": counters.received_bytes,
                    "SMTPRejected": 0,
                    "SMTPIgnored": 0,
                },
            }
        )

    async def alive(self, _request: web.Request) -> web.Response:
        """Say that the loop turns."""
        return web.Response()

    async def ready(self, _request: web.Request) -> web.Response:
        """Say that the inbox answers; a lost one is a 503."""
        self._index.search(Query(), 1)
        return web.Response()

    def _total(self) -> int:
        return self._index.count()

    async def _page(self, start: int, listed: list[Entry], fit: int | None) -> web.Response:
        shown, total = [], self._total()
        fit = total if fit is None else fit
        for entry in listed:
            shown.append(Letter(entry, self._capture.raw(entry)).summary())
            # A long page must not keep SMTP waiting.
            await asyncio.sleep(0)
        return web.json_response(
            {
                "total": total,
                "unread": total,
                "count": len(shown),
                "messages_count": fit,
                "messages_unread": fit,
                "start": start,
                "tags": [],
                "messages": shown,
            }
        )
