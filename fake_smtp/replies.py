"""The replies of one SMTP connection: think time, faults, refusals on record, bytes known to be sent.

Base of the data phase and of the commands. Never decides what the ordinary reply is.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from fake_smtp.capture import EvidenceError
from fake_smtp.context import Context
from fake_smtp.decider import Subject
from fake_smtp.faults import Answer, Fault
from fake_smtp.lifecycle import RecordedSession
from fake_smtp.outbox import Reply
from fake_smtp.session import Stage

log = logging.getLogger("fake_smtp")

T = TypeVar("T")


_LOOK_S = 0.005


class Speaker(RecordedSession):
    """A session that answers, or is made to answer otherwise."""

    _plain_transport: asyncio.Transport | None = None
    """What lies below TLS."""

    def __init__(self, context: Context, connections: set[RecordedSession]) -> None:
        super().__init__(context, connections)
        self._fd: int | None = None
        """The socket, while replies may go to it directly."""
        self._unsaid = 0
        """Replies of which nobody knows yet whether they left."""
        self._late: list[Reply] = []
        """Replies that the kernel did not take whole, and that nobody knows to have left."""
        self._decided: dict[Stage, tuple[int, str, Answer | None]] = {}
        """By stage: the number of the plan that was asked, the fault and what it refuses with."""

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
        self._thinking = True
        try:
            return await doing
        finally:
            self._thinking = False
            self._touch()

    async def _think(self) -> None:
        if self._context.options.latency_s:
            await self._act(asyncio.sleep(self._context.options.latency_s))

    async def push(
        self, status: str | bytes | None, fault: str | None = None, key: str | None = None
    ) -> None:
        """Send one reply; None was already sent. A refusal of any kind is written down first."""
        if status is None:
            return
        reply = status.encode("utf-8", "surrogateescape") if isinstance(status, str) else status
        if reply[:1] in (b"4", b"5"):
            self._record_refusal(int(reply[:3]), fault, key)
        await self._say(reply + b"\r\n")

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
        self._touch()

        def told(flushed: bool) -> None:
            self._unsaid -= 1
            self.state.transcript.said(data, flushed)
            if settle is not None:
                settle(flushed)

        self._unsaid += 1
        self._context.outbox.put(Reply(self, data, told))

    def speak(self, reply: Reply) -> None:
        """Give a reply to the kernel, past the transport; what it does not take is left to the transport."""
        if self.transport is None or self.transport.is_closing():
            reply.settle(False)
            return
        sent = 0
        if not self._late:
            assert self._fd is not None
            # An error means that it is full, or the client gone: the transport knows what to do then.
            with suppress(OSError):
                sent = os.write(self._fd, reply.data)
        if sent == len(reply.data):
            reply.settle(True)
        else:
            self._be_late(reply, reply.data[sent:])

    def _be_late(self, reply: Reply, rest: bytes) -> None:
        self._wire().write(rest)
        self._late.append(reply)
        if len(self._late) == 1:
            self._catching_up = self.loop.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        flushed = False
        try:
            flushed = await self._drained()
        finally:
            self._settle_late(flushed)

    def _settle_late(self, flushed: bool) -> None:
        late, self._late = self._late, []
        for reply in late:
            reply.settle(flushed)

    async def _send(self, data: bytes) -> bool:
        """Send bytes, after all that was said before; return whether the kernel has all of them."""
        if self.state.delay_s:
            await self._act(asyncio.sleep(self.state.delay_s))
        self._context.outbox.flush()
        if self._late:
            await self._catching_up
        flushed = False
        try:
            if self.transport is not None and not self.transport.is_closing():
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

    def _record_refusal(self, code: int, fault: str | None, key: str | None) -> None:
        self._record(
            "refused",
            stage=self.state.stage,
            code=code,
            fault=fault,
            key=key,
            to=list(self.state.recipients),
        )

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong; with a mail in hand, cut instead: no reply could be true."""
        if isinstance(error, EvidenceError):
            self._context.broken(error)
            self.cut("shutdown")
        elif self.state.stage in ("dot", "stored"):
            log.error("session %d cut", self.state.number, exc_info=error)
            self.cut("closed")
        return "500 5.5.2 Error: cannot understand this command"

    def _decide(self, stage: Stage, subject: Callable[[], Subject]) -> Fault | None:
        """Ask the plan; what it decides is counted and on record before it is done."""
        if not self._context.decider.asks(stage):
            return None
        return self._decided_of(stage, subject())

    def _decided_of(self, stage: Stage, subject: Subject) -> Fault | None:
        decision = self._context.decider.decide(stage, self.state, subject)
        if decision is None:
            return None
        fault = decision.fault
        self._context.counters.faults[fault.name] += 1
        self.state.fault = fault.name
        self._record(
            "fault",
            stage=stage,
            fault=fault.name,
            rule=decision.rule,
            key=subject.key,
            attempt=subject.attempt,
        )
        return fault

    async def _refused_once(self, stage: Stage, hook: Callable[[Fault], Awaitable[Answer | None]]) -> bool:
        """Ask the plan once for the session, and refuse as often as the client tries; return whether.

        Clients try again at once (AUTH with the next mechanism, HELO after EHLO), and must fare no better.
        """
        if self._is_undecided(stage):
            number = self._context.decider.number
            fault = self._decide(stage, self._of_session)
            answer = await self._act(hook(fault)) if fault else None
            self._decided[stage] = (number, fault.name if fault else "", answer)
        _, name, answer = self._decided[stage]
        if answer is not None:
            await self._refuse(answer, name)
        return answer is not None

    def _is_undecided(self, stage: Stage) -> bool:
        known = self._decided.get(stage)
        return known is None or known[0] != self._context.decider.number

    def _of_session(self) -> Subject:
        return Subject(f"session/{self.state.number}")

    def _envelope_subject(self, name: str) -> Subject:
        """Return what is known before the mail itself has come."""
        sender = self.envelope.mail_from if self.envelope else None
        return Subject(name, sender or "", tuple(self.state.recipients))

    async def _refuse(self, answer: Answer, fault: str, key: str | None = None) -> None:
        if answer.raw is None:
            await self.push(f"{answer.code} {answer.text}", fault, key)
        else:
            self._record_refusal(answer.code, fault, key)
            await self._send(answer.raw)
        if answer.then != "stay":
            await self._leave("fault", polite=answer.then == "close")
