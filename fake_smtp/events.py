"""New mails as Server-Sent Events, for the page and for whoever follows. Registered by the control API.

Told by the index of each mail; whoever reads too slowly is cut, and may search.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from fake_smtp.index import Index

_QUEUE = 1000
_TOGETHER = 50
_BEAT_S = 15.0


class Events:
    """The streams of one sink."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._streams: set[asyncio.Task[object]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/events", self.events)]

    async def end(self, _app: web.Application) -> None:
        """End all streams: the sink stops, and they would never end by themselves."""
        for stream in self._streams:
            stream.cancel()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Follow new mails as Server-Sent Events; whoever reads too slowly is cut and may search."""
        queue: asyncio.Queue[int] = asyncio.Queue(_QUEUE)

        def listen(number: int) -> None:
            if queue.full():
                self._index.listeners.discard(listen)
            else:
                queue.put_nowait(number)

        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        stream = asyncio.current_task()
        assert stream is not None
        self._streams.add(stream)
        self._index.listeners.add(listen)
        try:
            while listen in self._index.listeners or not queue.empty():
                await response.write(await self._next_events(queue))
        except ConnectionResetError:
            # Whoever listened has gone; only a write can find that out.
            pass
        finally:
            self._streams.discard(stream)
            self._index.listeners.discard(listen)
        return response

    async def _next_events(self, queue: asyncio.Queue[int]) -> bytes:
        """Wait for mails and return their events, together when there are many; a comment when none comes."""
        try:
            numbers = [await asyncio.wait_for(queue.get(), _BEAT_S)]
        except TimeoutError:
            # Finds out who has gone.
            return b": still here\n\n"
        while not queue.empty() and len(numbers) < _TOGETHER:
            numbers.append(queue.get_nowait())
        events = [
            f"id: {entry.mail}\nevent: mail\ndata: {json.dumps(entry.to_json())}\n\n"
            for entry in self._index.some(numbers)
        ]
        return "".join(events).encode()
