"""One running sink: its sockets, from the first to the last record.

Used by `__main__`. Stops by itself only when evidence can no longer be written, or a worker has died.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys

from aiohttp import web

from fake_smtp import holes
from fake_smtp.capture import Capture, EvidenceError
from fake_smtp.context import Context, unhandled
from fake_smtp.control import Control
from fake_smtp.crew import Crew
from fake_smtp.folder import RAWS
from fake_smtp.hand import WorkerGoneError
from fake_smtp.intake import Intake
from fake_smtp.lifecycle import RecordedSession
from fake_smtp.listener import Listener
from fake_smtp.options import ADHOC, Options
from fake_smtp.place import certificates
from fake_smtp.retention import Retention
from reports.evidence import DELIVERIES


class Sink:
    """The SMTP server and the control API, sharing one loop and one folder."""

    def __init__(self, options: Options, crew: Crew | None = None) -> None:
        """Open the folder; the `crew` takes the mails, if any. Raises OSError and FolderInUseError."""
        capture = Capture(options.out, options.run, crew.raw if crew else None)
        # With a crew, those who take the mails have them.
        shown = certificates(options) if crew is None else None
        self._context = Context(options, capture, self._broken, shown, crew)
        self._connections: set[RecordedSession] = set()
        self._smtp = crew or Listener(self._context, self._connections)
        self._following: asyncio.Task[None] | None = None
        self._retention = self._limits() if options.forgets else None
        self._trimming: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._started = False
        self.stopping = asyncio.Event()
        self.failure: EvidenceError | WorkerGoneError | None = None

    def _limits(self) -> Retention:
        context = self._context
        out = context.options.out
        holes.probe(out)
        if named := sorted(context.capture.runs - {ADHOC}):
            words = f"it holds the evidence of {named[0]}, of which nothing is ever forgotten"
            raise OSError(errno.EEXIST, words)
        if len(list(out.glob(RAWS))) > 1:
            words = "it holds mails of several processes, and retention limits are for one"
            raise OSError(errno.EEXIST, words)
        return Retention(
            context.options,
            context.capture,
            context.counters,
            lambda: {connection.state.number for connection in self._connections},
        )

    async def start(self) -> dict[str, int]:
        """Listen; return the line to print. Raises OSError for a port that cannot be had.

        Raises WorkerGoneError when one of the crew ended at once.
        """
        options = self._context.options
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(unhandled(self._broken))
        smtp_port = await self._open()
        control_port = await self._start_control(smtp_port)
        self._context.capture.record(
            "sink_start",
            smtp_port=smtp_port,
            idle_limit_s=options.idle_limit_s,
            data_limit_s=options.data_limit_s,
            latency_s=options.latency_s,
        )
        if options.plan.rules:
            await self._context.set_plan(options.plan)
        self._started = True
        if self._retention is not None:
            self._trimming = loop.create_task(self._retention.run())
            self._trimming.add_done_callback(self._tell)
        await self._smtp.serve()
        return {"smtp_port": smtp_port, "control_port": control_port, "pid": os.getpid()}

    async def _open(self) -> int:
        """Bind the SMTP port, here or in the crew."""
        context = self._context
        if isinstance(self._smtp, Listener):
            return await self._smtp.open(context.options.smtp_port)
        context.intake = Intake(context.capture, context.options.out / DELIVERIES)
        await self._smtp.open(context.capture.last_session, context.capture.newest, self._lost)
        self._following = asyncio.create_task(context.intake.run())
        self._following.add_done_callback(self._tell)
        return self._smtp.port

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
        if self._trimming is not None:
            self._trimming.cancel()
        await self._smtp.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._following is not None:
            self._following.cancel()
        if self._started and not isinstance(self.failure, EvidenceError):
            self._last_record()
        if self._retention is not None:
            self._retention.close()
        self._context.sessions.close()
        self._context.capture.close()

    def _last_record(self) -> None:
        try:
            self._context.capture.record("sink_stop")
        except EvidenceError as error:
            self._broken(error)

    def _tell(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            # What it raises here comes to `unhandled`.
            task.result()

    def _broken(self, error: EvidenceError) -> None:
        if self.failure is None:
            self.failure = error
            sys.stderr.write(f"fake_smtp: stopped, evidence cannot be written: {error}\n")
            self.stopping.set()

    def _lost(self, words: str) -> None:
        if self.failure is None:
            self.failure = WorkerGoneError(words)
            sys.stderr.write(f"fake_smtp: stopped, {words}\n")
            self.stopping.set()
