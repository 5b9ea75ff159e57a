"""The SMTP side of one process: its port and its connections.

Used by `sink`, or by a worker when there are several. Writes no record of its own.
"""

from __future__ import annotations

import asyncio

from fake_smtp.context import Context
from fake_smtp.lifecycle import RecordedSession
from fake_smtp.server import Connection

_BACKLOG = 1024


class Listener:
    """Takes connections from `serve` to `stop`."""

    def __init__(self, context: Context, connections: set[RecordedSession]) -> None:
        """`connections` will hold those that are open."""
        self._context, self._connections = context, connections
        self._server: asyncio.Server | None = None

    async def open(self, port: int, shared: bool = False) -> int:
        """Bind the port, 0 for a free one, and return it; `shared`: with other processes. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._context, self._connections, loop),
            self._context.options.host,
            port,
            backlog=_BACKLOG,
            # None, not False: False is an error where there is no such option.
            reuse_port=shared or None,
            start_serving=False,
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def serve(self) -> None:
        """Take connections."""
        assert self._server is not None
        await self._server.start_serving()

    async def stop(self) -> None:
        """Take no more, and cut those that are open; their last records are written when this returns."""
        if self._server is not None:
            self._server.close()
        tasks = [connection.cut("shutdown") for connection in list(self._connections)]
        if tasks:
            await asyncio.wait(tasks)
