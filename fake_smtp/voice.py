"""How the bytes of one connection's replies leave, and who knows whether all of them did.

Base of the replies. Ordinary ones leave through the outbox, those of a fault or under TLS by themselves; in
either case after everything that was said before, and after the evidence. Never decides what is said.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from fake_smtp.lifecycle import RecordedSession
from fake_smtp.outbox import Reply

T = TypeVar("T")

_LOOK_S = 0.005


class Voice(RecordedSession):
    """A session that can be heard, and knows what was."""

    _plain_transport: asyncio.Transport | None = None
    """What lies below TLS."""

    _fd: int | None = None
    """The socket, while replies may go to it directly."""
    _unsaid = 0
    """Replies of which nobody knows yet whether they left."""
    _late: tuple[Reply, ...] = ()
    """Those among them that the kernel did not take whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; from now on there is somebody to answer."""
        super().connection_made(transport)
        self._fd = transport.get_extra_info("socket").fileno()

    def _hang_up(self) -> None:
        """End the session in order, when its last reply has left."""
        if self.transport is not None:
            self.transport.close()
        assert self._handler_coroutine is not None
        self._handler_coroutine.cancel()

    async def _act(self, doing: Awaitable[T]) -> T:
        """Let a fault act, or sleep: while we wait on purpose, the client's silence does not count."""
        # A stored mail is among what waits, and its reply, which would put it on disk, may be a minute away.
        self._context.flush()
        self._thinking = True
        try:
            return await doing
        finally:
            self._thinking = False
            self._touch()

    async def _think(self) -> None:
        if self._context.options.latency_s:
            await self._act(asyncio.sleep(self._context.options.latency_s))

    async def _say(self, data: bytes, settle: Callable[[bool], None] | None = None) -> None:
        """Send bytes in this turn of the loop; `settle` hears whether the kernel took all of them."""
        if self._fd is None or self._late or self.state.delay_s:
            flushed = False
            try:
                flushed = await self._send(data)
            finally:
                if settle is not None:
                    settle(flushed)
            return
        self._heard = time.monotonic()
        self._unsaid += 1
        self._context.outbox.put(Reply(self, data, settle), self.loop)

    def speak(self, reply: Reply) -> None:
        """Give a reply to the kernel, past the transport; what it does not take is left to the transport."""
        if self.transport is None or self.transport.is_closing():
            self._settle(reply, False)
            return
        sent = 0
        if not self._late:
            assert self._fd is not None
            # An error means that it is full, or the client gone: the transport knows what to do then.
            with suppress(OSError):
                sent = os.write(self._fd, reply.data)
        if sent == len(reply.data):
            self._settle(reply, True)
        else:
            self._be_late(reply, reply.data[sent:])

    def _be_late(self, reply: Reply, rest: bytes) -> None:
        self._wire().write(rest)
        self._late = (*self._late, reply)
        if len(self._late) == 1:
            self._catching_up = self.loop.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        flushed = False
        try:
            flushed = await self._drained()
        finally:
            self._settle_late(flushed)

    def _settle_late(self, flushed: bool) -> None:
        late, self._late = self._late, ()
        for reply in late:
            self._settle(reply, flushed)

    def _settle(self, reply: Reply, flushed: bool) -> None:
        self._unsaid -= 1
        self.state.transcript.said(reply.data, flushed)
        if reply.settle is not None:
            reply.settle(flushed)

    async def _send(self, data: bytes) -> bool:
        """Send bytes, after all that was said before; return whether the kernel has all of them."""
        if self.state.delay_s:
            await self._act(asyncio.sleep(self.state.delay_s))
        secured = self._context.outbox.flush()
        if self._late:
            await self._catching_up
        flushed = False
        try:
            if secured and self.transport is not None and not self.transport.is_closing():
                self._wire().write(data)
                self._touch()
                flushed = await self._drained()
        finally:
            self.state.transcript.said(data, flushed)
        return flushed

    async def _drained(self) -> bool:
        """Wait until all bytes are in the kernel; return whether they are."""
        if self.transport is None:
            return False
        wire = self._wire()
        if wire.get_write_buffer_size():
            await self._writer.drain()
        if self._plain_transport is not None:
            # TLS hands on what it has made; whether that left, only the connection below knows.
            while self._plain_transport.get_write_buffer_size() and not wire.is_closing():
                await asyncio.sleep(_LOOK_S)
        return not wire.is_closing() and wire.get_write_buffer_size() == 0

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Settle what can no longer leave, before the last record."""
        if self._unsaid:
            self._context.outbox.flush()
        if self._late:
            self._catching_up.cancel()
            self._settle_late(False)
        super()._finished(task)
