"""One worker as the parent sees it: asked in JSON lines over a pair of sockets, watched, and buried.

Made by `crew`. Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

LINE_MOST = 2**27
"""Bytes: the largest plan fits."""


class WorkerGoneError(Exception):
    """A process of the sink has ended before it was told to; the sink stops."""


class Hand:
    """One worker, from its start to its end."""

    def __init__(self, number: int, pid: int, orders: socket.socket) -> None:
        """`number` counts from 1; `orders` is the parent's end."""
        self.number, self.pid, self._orders = number, pid, orders
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._ended: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    async def attach(self, ended: Callable[[Hand, int], None]) -> None:
        """Be able to ask; `ended` is told the exit code (of a signal: negative), whenever that is."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._orders, limit=LINE_MOST)
        self._ended = asyncio.create_task(self._listen(reader, ended))

    def ask(self, do: str, **what: Any) -> asyncio.Future[Any]:
        """Send an order at once; the future is its answer, or raises WorkerGoneError or OSError."""
        answer = asyncio.get_running_loop().create_future()
        if self.tell(do, **what):
            self._waiting.append(answer)
        else:
            answer.set_exception(WorkerGoneError(f"{self} has ended"))
        return answer

    def tell(self, do: str, **what: Any) -> bool:
        """Send an order that has no answer; return whether there is somebody to obey it."""
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(json.dumps({"do": do, **what}).encode() + b"\n")
        return True

    async def ends(self, within_s: float) -> bool:
        """Wait for its end; return whether it came in time."""
        assert self._ended is not None
        done, _ = await asyncio.wait([self._ended], timeout=within_s)
        return bool(done)

    async def kill(self) -> None:
        """End it at once."""
        assert self._ended is not None
        os.kill(self.pid, signal.SIGKILL)
        await self._ended

    def leave(self) -> None:
        """Close the parent's end in a process that is not the parent."""
        self._orders.close()

    def dismiss(self) -> None:
        """Let it go when there is no event loop: it stops at the end of its orders."""
        self._orders.close()
        os.waitpid(self.pid, 0)

    async def _listen(self, reader: asyncio.StreamReader, ended: Callable[[Hand, int], None]) -> None:
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                self._settle(json.loads(line))
        except ConnectionError:
            # It went with an order unread; the end is the same.
            pass
        _, status = os.waitpid(self.pid, 0)
        assert self._writer is not None
        self._writer.close()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(WorkerGoneError(f"{self} has ended"))
        ended(self, os.waitstatus_to_exitcode(status))

    def _settle(self, answer: dict[str, Any]) -> None:
        waiting = self._waiting.popleft()
        if waiting.done():
            # Whoever asked has gone.
            return
        if "error" in answer:
            waiting.set_exception(OSError(answer["errno"], answer["error"]))
        else:
            waiting.set_result(answer.get("answer"))
