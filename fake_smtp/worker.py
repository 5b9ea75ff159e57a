"""One of several processes that take mails: SMTP and its own evidence, and nothing else.

Started by `crew`, obeys its orders. Ends when they end, however that comes.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from fake_smtp.capture import Capture, EvidenceError
from fake_smtp.context import Context, unhandled
from fake_smtp.decider import Decider
from fake_smtp.folder import open_raw
from fake_smtp.hand import LINE_MOST
from fake_smtp.lifecycle import RecordedSession
from fake_smtp.listener import Listener
from fake_smtp.message import Mail
from fake_smtp.options import ENVIRONMENT, Options
from fake_smtp.place import Place
from fake_smtp.plan import Plan
from fake_smtp.tally import SharedTally


class WorkerCapture(Capture):
    """The evidence of one worker; it has no index, and numbers that no other worker uses."""

    def __init__(self, options: Options, place: Place, sessions: int, mails: int) -> None:
        """`sessions`, `mails`: the last numbers that the folder has seen. Raises OSError."""
        raw = place.raw
        if place.number > 1:
            self._raw_file = f"mails-{place.number}.raw"
            raw = open_raw(options.out / self._raw_file)
        super().__init__(options.out, options.run, raw)
        self._step = options.processes
        self._sessions, self._mails = (last + place.number - self._step for last in (sessions, mails))

    def _take_over(self, _deliveries: Path) -> None:
        """Nothing to do: the parent has read it."""

    def _remember(self, stored: dict[str, Any], mail: Mail) -> None:
        """Nothing to do: the parent reads the record."""


async def _next(reader: asyncio.StreamReader) -> bytes:
    """Return the next order; nothing when there will be none."""
    try:
        line = await reader.readline()
    except ConnectionError:
        # The parent died with an answer unread.
        return b""
    return line if line.endswith(b"\n") else b""


class Worker:
    """One worker, from its first order to its last record."""

    def __init__(self, options: Options, place: Place) -> None:
        self._options, self._place = options, place
        self._context: Context | None = None
        self._listener: Listener | None = None
        self._connections: set[RecordedSession] = set()
        self._started = False
        self._failed = asyncio.Event()

    async def work(self, orders: socket.socket) -> int:
        """Obey until there is nobody to obey, or evidence cannot be written; return the exit code."""
        asyncio.get_running_loop().set_exception_handler(unhandled(self._broken))
        reader, writer = await asyncio.open_unix_connection(sock=orders, limit=LINE_MOST)
        ends = [asyncio.create_task(self._obey(reader, writer)), asyncio.create_task(self._failed.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await self._stop()
        if ends[0].done():
            # What it did not expect is told as it is, and the parent sees that this is no orderly end.
            ends[0].result()
        return ENVIRONMENT if self._failed.is_set() else 0

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await _next(reader):
            order = json.loads(line)
            do = order.pop("do")
            if do == "stop":
                return
            writer.write(json.dumps(await self._answer(do, order)).encode() + b"\n")
        # The parent is dead, and cannot clean up.
        shutil.rmtree(self._place.tallies, ignore_errors=True)

    async def _answer(self, do: str, what: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"answer": await getattr(self, f"_on_{do}")(**what)}
        except OSError as error:
            return {"errno": error.errno, "error": error.strerror or str(error)}
        except EvidenceError as error:
            self._broken(error)
            return {"errno": errno.EIO, "error": str(error)}

    async def _on_open(self, sessions: int, mails: int) -> None:
        capture = WorkerCapture(self._options, self._place, sessions, mails)
        self._context = Context(self._options, capture, self._broken, self._place.certificates)
        self._listener = Listener(self._context, self._connections)
        await self._listener.open(self._place.port, shared=True)

    async def _on_serve(self) -> None:
        assert self._context is not None
        assert self._listener is not None
        self._context.capture.record("sink_start", process=self._place.number)
        self._started = True
        await self._listener.serve()

    async def _on_plan(self, number: int, plan: dict[str, Any]) -> None:
        assert self._context is not None
        tally = SharedTally(self._place.tallies / str(number))
        phase, tls = self._context.decider.phase, self._options.tls
        self._context.use(Decider(Plan.from_json(plan), number, phase, tls, tally))

    async def _on_phase(self, phase: str | None) -> None:
        assert self._context is not None
        self._context.decider.phase = phase

    async def _on_settle(self) -> None:
        assert self._context is not None
        self._context.capture.flush()

    async def _on_counters(self) -> dict[str, Any]:
        assert self._context is not None
        return self._context.counters.dump()

    async def _stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop()
        if self._context is not None and self._started and not self._failed.is_set():
            try:
                self._context.capture.record("sink_stop")
            except EvidenceError as error:
                self._broken(error)

    def _broken(self, error: EvidenceError) -> None:
        if not self._failed.is_set():
            self._failed.set()
            sys.stderr.write(f"fake_smtp: stopped, evidence cannot be written: {error}\n")
