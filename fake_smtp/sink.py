"""One running sink: its sockets, from the first to the last record.

Used by `__main__`. Stops by itself only when evidence can no longer be written.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from aiohttp import web

from fake_smtp.capture import Capture, EvidenceError
from fake_smtp.context import Context
from fake_smtp.control import Control
from fake_smtp.lifecycle import RecordedSession
from fake_smtp.options import Options
from fake_smtp.server import Connection

_BACKLOG = 1024


class Sink:
    """The SMTP server and the control API, sharing one loop and one folder."""

    def __init__(self, options: Options) -> None:
        """Open the folder. Raises OSError and FolderInUseError."""
        self._context = Context(options, Capture(options.out, options.run), self._broken)
        if options.tls:
            # It takes a while to load, and few sinks need it.
            from fake_smtp.certificates import Certificates  # noqa: PLC0415

            self._context.certificates = Certificates(options.out, options.host)
        self._connections: set[RecordedSession] = set()
        self._server: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._started = False
        self.stopping = asyncio.Event()
        self.failure: EvidenceError | None = None

    async def start(self) -> dict[str, int]:
        """Listen; return the line to print. Raises OSError for a port that cannot be had."""
        options = self._context.options
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        self._server = await loop.create_server(
            lambda: Connection(self._context, self._connections),
            options.host,
            options.smtp_port,
            backlog=_BACKLOG,
            start_serving=False,
        )
        smtp_port = self._server.sockets[0].getsockname()[1]
        control_port = await self._start_control(smtp_port)
        self._context.capture.record(
            "sink_start",
            smtp_port=smtp_port,
            idle_limit_s=options.idle_limit_s,
            data_limit_s=options.data_limit_s,
            latency_s=options.latency_s,
        )
        if options.plan.rules:
            self._context.set_plan(options.plan)
        self._started = True
        await self._server.start_serving()
        return {"smtp_port": smtp_port, "control_port": control_port, "pid": os.getpid()}

    async def _start_control(self, smtp_port: int) -> int:
        options = self._context.options
        control = Control(self._context, smtp_port, os.getpid())
        self._runner = web.AppRunner(control.app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, options.host, options.control_port).start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """End every session and write the last records; safe to call after a failed start."""
        if self._server is not None:
            self._server.close()
        tasks = [connection.cut("shutdown") for connection in list(self._connections)]
        if tasks:
            await asyncio.wait(tasks)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._started and self.failure is None:
            self._last_record()
        self._context.sessions.close()
        self._context.capture.close()

    def _last_record(self) -> None:
        try:
            self._context.capture.record("sink_stop")
        except EvidenceError as error:
            self._broken(error)

    def _broken(self, error: EvidenceError) -> None:
        if self.failure is None:
            self.failure = error
            sys.stderr.write(f"fake_smtp: stopped, evidence cannot be written: {error}\n")
            self.stopping.set()

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, EvidenceError):
            self._broken(error)
        else:
            loop.default_exception_handler(context)
