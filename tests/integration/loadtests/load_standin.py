"""A scripted stand-in for the jobs API, for the tests of the load alone: gives every outcome on command.

Runs in a thread of the test process. Remembers every request and every connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PROBLEMS = {"not-accepted": 503, "outcome-unknown": 503, "invalid": 422}


@dataclass
class Seen:
    """One request: method and path, its key, which connection it came on, when (monotonic seconds)."""

    method: str
    path: str
    key: str
    connection: int
    at: float
    body: dict = field(default_factory=dict)


class StandIn:
    """`script(seen, try)` names each answer.

    One of accept, plain202, cut202, reset, close, hold, redirect, a problem's name, a status.
    """

    def __init__(self, script: Callable[[Seen, int], str] = lambda *_: "accept", port: int = 0) -> None:
        self.script, self.seen, self.connections = script, [], 0
        self.states = ["PENDING", "SUCCESS"]
        self._tries: dict[str, int] = {}
        self._reads: dict[str, int] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: dict[asyncio.Task, socket.socket] = {}
        self._frozen_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listening = socket.create_server(("127.0.0.1", port), backlog=100)
        self._listening.setblocking(False)
        self._call(self._listen())
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def freeze(self, seconds: float) -> None:
        """Answer nothing for so many seconds, then go on."""
        self._frozen_until = time.monotonic() + seconds

    def drop_connections(self) -> None:
        """Close every idle connection, as a server does after its keep-alive time; return when it is done."""

        async def drop() -> None:
            for writer in list(self._writers):
                writer.close()
                await writer.wait_closed()

        self._call(drop())

    def die(self) -> None:
        """Stop listening and reset every connection, as a killed process does."""
        self._call(self._die())

    def close(self) -> None:
        """Die, and end the thread."""
        self._call(self._die())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def posts(self, key: str | None = None) -> list[Seen]:
        """Every POST seen, or those of one key."""
        return [seen for seen in list(self.seen) if seen.method == "POST" and key in (None, seen.key)]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        # By hand: asyncio's own ways lose connections when they are stopped while they accept them.
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        self._serving[self._loop.create_task(self._serve(connection))] = connection

    async def _die(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()
        for writer in list(self._writers):
            _reset(writer)
        serving, self._serving = self._serving, {}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for connection in serving.values():
            connection.close()  # of a task that was cancelled before it began

    async def _serve(self, sock: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=sock)
        self.connections += 1
        connection = self.connections
        self._writers.add(writer)
        try:
            while True:
                seen = await _request(reader, connection)
                self.seen.append(seen)
                await asyncio.sleep(max(0.0, self._frozen_until - time.monotonic()))
                if not await self._answer(seen, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            self._serving.pop(asyncio.current_task(), None)
            writer.close()

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        if seen.method == "GET" and self.script(seen, 0) == "accept":
            self._reads[seen.path] = number = self._reads.get(seen.path, -1) + 1
            state = self.states[min(number, len(self.states) - 1)]
            return _write(writer, 200, json.dumps({"state": state}))
        number = self._tries[seen.key] = self._tries.get(seen.key, 0) + 1
        what = self.script(seen, number)
        if what in ("hold", "reset", "close", "cut202"):
            await self._break(what, writer)
            return False
        if what == "redirect":
            _write(writer, 307, "", f"Location: {self.url}/elsewhere\r\n")
        elif what in PROBLEMS:
            _write(writer, PROBLEMS[what], json.dumps({"type": f"https://x.test/problems/{what}"}))
        elif what.isdigit():
            _write(writer, int(what), "words")
        else:
            _write(writer, 202, json.dumps({"id": f"id-{seen.key}"}) if what == "accept" else "plain")
        return True

    async def _break(self, what: str, writer: asyncio.StreamWriter) -> None:
        if what == "hold":
            await asyncio.sleep(600)
        if what == "reset":
            _reset(writer)
        if what == "cut202":
            writer.write(b'HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"id": ')


async def _request(reader: asyncio.StreamReader, connection: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = head[0].split(" ")
    content = json.loads(body) if body else {}
    return Seen(method, path, headers.get("idempotency-key", ""), connection, time.monotonic(), content)


def _write(writer: asyncio.StreamWriter, status: int, body: str, extra: str = "") -> bool:
    data = body.encode()
    writer.write(f"HTTP/1.1 {status} X\r\n{extra}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw.fileno() < 0:
        return  # its client is gone already
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
