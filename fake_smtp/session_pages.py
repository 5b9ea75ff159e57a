"""The sessions over HTTP: a list, and one with all that was said. Registered by the control API.

Reads the evidence through `sessions`; never the sockets.
"""

from __future__ import annotations

from aiohttp import web

from fake_smtp.asked import BadRequest, known, limit, refusal, whole
from fake_smtp.sessions import Sessions


class SessionPages:
    """The handlers about sessions."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/sessions", self.newest),
            web.get(r"/sessions/{number:\d{1,15}}", self.show),
        ]

    async def newest(self, request: web.Request) -> web.Response:
        """List the newest sessions; `next` is the `before` of the next page, or null."""
        try:
            known(request.query, ("before", "limit"))
            most, before = limit(request.query), whole(request.query, "before")
        except BadRequest as error:
            return refusal(error)
        found = await self._sessions.newest(before, most + 1)
        more = len(found) > most
        return web.json_response(
            {"sessions": found[:most], "next": found[most - 1]["session"] if more else None}
        )

    async def show(self, request: web.Request) -> web.Response:
        """Show one session, line by line."""
        found = await self._sessions.show(int(request.match_info["number"]))
        if found is None:
            raise web.HTTPNotFound(text="there is no such session")
        return web.json_response(found)
