"""Answers every POST with a 202 and an id, as fast as Python can: what the load benchmarks are pointed at.

Run as a process of its own: `python -m benchmarks.load_server PORT`. Reads no body and keeps nothing. Says
every hundredth answer on stdout, so that somebody can freeze it (SIGSTOP) at a known one.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

import uvloop

TELL = 100
HEAD_END, LENGTH = b"\r\n\r\n", b"content-length:"
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n"


class Responder(asyncio.Protocol):
    """One connection."""

    numbers = itertools.count(1)

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where the answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer = self._buffer + data if self._buffer else data
        while (size := whole(self._buffer)) and size <= len(self._buffer):
            self._buffer = self._buffer[size:]
            number = next(self.numbers)
            self._transport.write(ANSWER + (b'{"id": "%024d"}\n' % number).ljust(36))  # type: ignore[attr-defined]
            if number % TELL == 0:
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()


def whole(data: bytes) -> int:
    """Return how many bytes the first request has; 0: not known yet."""
    end = data.find(HEAD_END)
    if end < 0:
        return 0
    head = data[:end].lower()
    at = head.find(LENGTH)
    if at < 0:
        return end + 4
    return end + 4 + int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
