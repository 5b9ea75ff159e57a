"""The feed of stored mails over HTTP. Registered by the control API; asked by load generators.

Tells only what is on disk. Bad input is a 422 with words.
"""

from __future__ import annotations

import time

import orjson
from aiohttp import web

from fake_smtp.asked import BadRequest, known, limit, refusal, whole
from fake_smtp.context import Context
from reports.evidence import DELIVERIES


class StoredFeed:
    """The handler of one sink's feed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        folder = (context.options.out / DELIVERIES).stat()
        self._folder = f"{folder.st_dev:x}-{folder.st_ino:x}"

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/stored", self.stored)]

    async def stored(self, request: web.Request) -> web.Response:
        """List mails in the order of storage; `next` is the `after` of the next request."""
        try:
            known(request.query, ("after", "limit"))
            after, most = whole(request.query, "after") or 0, limit(request.query)
        except BadRequest as error:
            return refusal(error)
        if not await self._context.take_in():
            return web.json_response({"error": "evidence cannot be written: the sink stops"}, status=503)
        feed = self._context.capture.feed
        found = feed.after(after, most)
        answer = {
            "folder": self._folder,
            "mails": [{"mail": one.mail, "at_s": one.at_s, "key": one.key} for one in found],
            "next": found[-1].at if found else after,
            "last": feed.last,
            # Taken last: whoever asks sets its clock by it.
            "now_s": time.time(),
        }
        return web.Response(body=orjson.dumps(answer), content_type="application/json")
