"""The control API: plan, counters, metrics and receipts over HTTP, in the server's own loop.

Spoken to by the experiment (plan, counters) and by the system under test (receipts only).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from fake_smtp.context import Context
from fake_smtp.events import Events
from fake_smtp.hand import WorkerGoneError
from fake_smtp.inbox import Inbox
from fake_smtp.index import IndexLost
from fake_smtp.mailpit import Mailpit
from fake_smtp.metrics import Exposition
from fake_smtp.openapi import OpenApi
from fake_smtp.page import Page, own_pages_only
from fake_smtp.plan import Plan, PlanError
from fake_smtp.session_pages import SessionPages
from fake_smtp.stored import StoredFeed

_RECEIPTS = "/receipts/"
_MAX_BODY = 2**26
"""Bytes: a million keys to verify fit."""
_AT_ONCE = frozenset({"/health", "/livez", "/counters", "/plan", "/phase", "/stored"})
"""What has nothing to do with mails, or follows them by itself, and shall not wait for all of them."""


class Control:
    """The HTTP handlers of one sink."""

    def __init__(self, context: Context, smtp_port: int, pid: int) -> None:
        self._context = context
        self._health = {"status": "ok", "run": context.options.run, "smtp_port": smtp_port, "pid": pid}
        if context.workers:
            self._health["workers"] = context.workers
        self._exposition = Exposition(context.capture.index.duplicates, context.capture.allocated)

    def app(self) -> web.Application:
        """Build the application."""
        middlewares = [own_pages_only, _without_inbox, self._caught_up]
        events = Events(self._context.capture.index)
        app = web.Application(middlewares=middlewares, client_max_size=_MAX_BODY)
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/plan", self.plan),
                web.put("/plan", self.set_plan),
                web.delete("/plan", self.clear_plan),
                web.get("/phase", self.phase),
                web.put("/phase", self.set_phase),
                web.get("/counters", self.counters),
                web.get("/metrics", self.metrics),
                web.get("/receipts", self.limits),
                web.get(_RECEIPTS + "{message_id:.+}", self.receipt),
                *Inbox(self._context.capture).routes(),
                *events.routes(),
                *StoredFeed(self._context).routes(),
                *SessionPages(self._context.sessions).routes(),
                *Page().routes(),
                *Mailpit(self._context).routes(),
                *OpenApi().routes(),
            ]
        )
        app.on_shutdown.append(events.end)
        return app

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the loop turns, and who this is."""
        return web.json_response(self._health)

    async def plan(self, _request: web.Request) -> web.Response:
        """Show the plan in force."""
        return web.json_response(self._context.decider.plan.to_json())

    async def set_plan(self, request: web.Request) -> web.Response:
        """Replace the plan; 422 with words keeps the old one."""
        try:
            await self._context.set_plan(Plan.from_json(_json(await request.read())))
        except PlanError as error:
            return web.json_response({"error": str(error)}, status=422)
        return await self.plan(request)

    async def clear_plan(self, request: web.Request) -> web.Response:
        """Go back to an honest server."""
        await self._context.set_plan(Plan())
        return await self.plan(request)

    async def phase(self, _request: web.Request) -> web.Response:
        """Show which phase is on; null: none."""
        return web.json_response({"phase": self._context.decider.phase})

    async def set_phase(self, request: web.Request) -> web.Response:
        """Say which phase is on; 422 with words keeps the old one."""
        try:
            data = _json(await request.read())
            if not isinstance(data, dict) or set(data) != {"phase"}:
                raise PlanError("phase: must be a JSON object with the one field 'phase'")
            if data["phase"] is not None and (not isinstance(data["phase"], str) or not data["phase"]):
                raise PlanError(f"phase: must be a name, or null for none, not {data['phase']!r}")
        except PlanError as error:
            return web.json_response({"error": str(error)}, status=422)
        await self._context.set_phase(data["phase"])
        return await self.phase(request)

    async def counters(self, _request: web.Request) -> web.Response:
        """Show the counters as JSON."""
        return web.json_response((await self._context.all_counters()).to_json())

    async def metrics(self, _request: web.Request) -> web.Response:
        """Show the counters as Prometheus text."""
        return web.Response(
            body=self._exposition.text(await self._context.all_counters()),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def limits(self, _request: web.Request) -> web.Response:
        """Tell a sender how long a conversation can stay undecided."""
        options = self._context.options
        return web.json_response({"data_limit_s": options.data_limit_s, "idle_limit_s": options.idle_limit_s})

    async def receipt(self, request: web.Request) -> web.Response:
        """Answer "did you store this Message-ID?"; not stored is a 200 as well."""
        # From the raw path: an id may hold a quoted slash, which the router would have taken apart.
        message_id = unquote(request.rel_url.raw_path.removeprefix(_RECEIPTS))
        copies = self._context.capture.copies(message_id)
        return web.json_response({"message_id": message_id, "stored": copies > 0, "copies": copies})

    @web.middleware
    async def _caught_up(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer from all that was stored before the question came, whoever stored it."""
        if request.path not in _AT_ONCE:
            await self._context.catch_up()
        return await handler(request)


@web.middleware
async def _without_inbox(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (IndexLost, WorkerGoneError) as error:
        return web.json_response({"error": str(error)}, status=503)
    except web.RequestPayloadError as error:
        return web.json_response({"error": f"the body cannot be read: {error}"}, status=400)
    except (ConnectionError, RuntimeError):
        if request.transport is not None:
            raise
        # Whoever asked has gone; nobody hears this.
        return web.Response(status=400)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"plan: not JSON: {error}") from None
