"""What a client has sent and nobody has read yet.

Fed by the connection, read by its one task, which the end of the stream cancels. Fewer steps for each line
than asyncio's StreamReader. Never holds much more than `_MOST` bytes.
"""

from __future__ import annotations

import asyncio

LINE_LIMIT = 1001
"""Bytes of the longest line, with its CRLF and its transparent dot (RFC 5321 4.5.3.1.6)."""
_MOST = 65536


class Reader:
    """The unread bytes of one connection."""

    __slots__ = ("_data", "_loop", "_paused", "_waiter", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Kept, because to ask which loop is running is a system call in some versions of Python.
        self._loop = loop
        self._data = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self.transport: asyncio.ReadTransport | None = None
        """To be paused while nobody reads; None: never."""

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._data += data
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        elif len(self._data) > _MOST and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    async def line(self) -> bytes | None:
        """Return the next line with its end; None when it was too long, and then it is thrown away."""
        too_long = False
        searched = 0
        while (end := self._data.find(b"\n", searched)) < 0:
            if len(self._data) > LINE_LIMIT:
                too_long = True
                self._data.clear()
            searched = len(self._data)
            await self._more()
        line = bytes(self._data[: end + 1])
        del self._data[: end + 1]
        return None if too_long or end > LINE_LIMIT else line

    async def some(self) -> bytearray:
        """Return all that is there, at least one byte."""
        if not self._data:
            await self._more()
        data, self._data = self._data, bytearray()
        return data

    def give_back(self, data: bytes | bytearray) -> None:
        """Put bytes back in front."""
        self._data[:0] = data

    def clear(self) -> None:
        """Forget what has come."""
        self._data.clear()

    async def _more(self) -> None:
        if self._paused and self.transport is not None:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
