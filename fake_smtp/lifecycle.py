"""The life of one SMTP connection: its records, its time limits and how it ends.

Base of everything that speaks SMTP here; knows no command, no reply and no mail.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from aiosmtpd.smtp import Session

from fake_smtp.capture import EvidenceError
from fake_smtp.context import Context
from fake_smtp.reader import Reader
from fake_smtp.session import How, SessionState
from fake_smtp.stock import FrugalSMTP, QuietSession

_WHY_ABORTED: dict[How, str] = {
    "closed": "peer gone in DATA",
    "quit": "peer gone in DATA",
    "idle": "no byte in DATA for the idle limit",
    "data_limit": "data phase over its limit",
    "fault": "fault",
    "shutdown": "sink shut down in DATA",
}


_SOON_S = 0.002


class RecordedSession(FrugalSMTP):
    """A connection of which everything is written down, and which never outlives its limits."""

    def __init__(
        self,
        context: Context,
        connections: set[RecordedSession],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`loop`: the running one, which those who have it need not look up for each connection."""
        super().__init__(loop or asyncio.get_running_loop())
        options = context.options
        self._input = Reader(self.loop)
        self.data_size_limit = options.max_size
        self._timeout_duration = options.idle_limit_s
        # Set afterwards: asked for in __init__, it warns about AUTH without TLS for each connection.
        self._auth_required = options.username is not None
        self._context = context
        self._connections = connections
        self._in_data = False
        self._thinking = False
        self._heard = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session, and its record."""
        super().connection_made(transport)
        assert self._handler_coroutine is not None
        # Then drain() means "all bytes are in the kernel", which `flushed` needs.
        self._wire().set_write_buffer_limits(0)
        self._input.transport = self._wire()
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self.state = SessionState(self._context.capture.next_session(), f"{host}:{port}")
        self._context.counters.sessions += 1
        self._context.counters.open_sessions += 1
        self._connections.add(self)
        self._handler_coroutine.add_done_callback(self._finished)
        self._record("session_begin", peer=self.state.peer)

    def _record(self, event: str, **fields: Any) -> None:
        """Write a record of this session, and with it what has been said since the last one.

        It is on disk before anything leaves the sink that could rest on it, at the latest after `_SOON_S`.
        """
        fields["session"] = self.state.number
        said = self.state.transcript.take()
        if said:
            fields["said"] = said
        if self._context.capture.record_later(event, fields):
            self.loop.call_later(_SOON_S, self._context.flush)

    def data_received(self, data: bytes) -> None:
        """Count what arrives."""
        self.state.bytes_in += len(data)
        self._context.counters.received_bytes += len(data)
        self._input.feed(data)

    def _wire(self) -> asyncio.Transport:
        """The transport, which is always one that writes (uvloop's classes do not say so)."""
        return cast("asyncio.Transport", self.transport)

    def cut(self, how: How) -> asyncio.Task[None]:
        """End the session at once, without another word; return the task to wait for."""
        self._context.outbox.flush()
        if self.state.how is None:
            self.state.how = how
        if self.transport is not None:
            self._wire().abort()
        assert self._handler_coroutine is not None
        self._handler_coroutine.cancel()
        return self._handler_coroutine

    async def _leave(self, how: How, polite: bool = False) -> None:
        """End the session from inside its own task; does not return."""
        self._context.outbox.flush()
        self.state.how = self.state.how or how
        assert self._handler_coroutine is not None
        if polite and self.transport is not None:
            self.transport.close()
            self._handler_coroutine.cancel()
        else:
            self.cut(how)
        await asyncio.sleep(0)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Write the end of the session, the one place where it ends."""
        if not task.cancelled():
            task.exception()
        state, context = self.state, self._context
        how = state.how = state.how or "closed"
        self._connections.discard(self)
        context.counters.open_sessions -= 1
        context.counters.ended[state.stage, how] += 1
        if self.transport is not None:
            self.transport.close()
        if self._timeout_handle is not None:
            # connection_lost does not come when TLS never came about.
            self._timeout_handle.cancel()
        try:
            if self._in_data:
                self._record("aborted", stage="data", why=_WHY_ABORTED[how])
            self._record(
                "session_end",
                tls=state.tls,
                auth=state.auth,
                stage=state.stage,
                mails=state.mails,
                bytes_in=state.bytes_in,
                fault=state.fault,
                how=how,
            )
        except EvidenceError as error:
            context.broken(error)

    def _touch(self) -> None:
        self._heard = time.monotonic()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Note the time; one timer for the session looks at it when it is due, instead of one per command."""
        self._touch()
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_later(self._timeout_duration, self._timeout_cb)

    def _timeout_cb(self) -> None:
        if self.transport is None:
            return
        left = self._heard + self._timeout_duration - time.monotonic()
        if self._thinking:
            left = self._timeout_duration
        if left > 0:
            self._timeout_handle = self.loop.call_later(left, self._timeout_cb)
        else:
            self.cut("idle")

    def _new_envelope(self) -> None:
        self.envelope = self._create_envelope()

    def _create_session(self) -> Session:
        return QuietSession(self.loop)
