"""The DATA phase of one SMTP connection: 354, the mail within its limit, the disk, the reply.

Base of the commands. Never answers the final dot before the mail is on disk,
and never stores a mail whose dot came after the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fake_smtp.commands import CommandLoop
from fake_smtp.decider import Subject
from fake_smtp.dotdata import DataRefusedError, read_mail
from fake_smtp.faults import Answer, Fault
from fake_smtp.message import Mail, parse

_OK = Answer(250, "OK")


class DataPhase(CommandLoop):
    """A session that can take mails."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Take one mail: 354, the data within its limit, the disk, the reply."""
        self.state.stage = "data"
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self._think()
        self.state.bytes_per_s = self.state.drop_at_byte = None
        fault = self._decide("data", self._of_envelope)
        answer = await self._act(fault.on_data(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
            return
        await self._receive()

    def _of_envelope(self) -> Subject:
        assert self.envelope is not None
        return self._envelope_subject(self.envelope.rcpt_tos[0])

    async def _receive(self) -> None:
        self._record("data_begin")
        self._in_data, self._data_bytes = True, 0
        limit_s = self._context.options.data_limit_s
        # Taken before the 354 leaves: the sender's lease starts when it reads it, never earlier.
        deadline = time.monotonic() + limit_s
        timer = self._data_timer = self.loop.call_later(limit_s, self.cut, "data_limit")
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            self._heard_of(0)
            raw = await read_mail(self._input, self._context.options.max_size, self._heard_of)
            self.state.transcript.heard_mail(len(raw))
        except DataRefusedError as refusal:
            self.state.transcript.heard_mail(self._data_bytes)
            self.state.stage = "dot"
            self._in_data = False
            self._new_envelope()
            await self.push(str(refusal))
        else:
            self.state.stage = "dot"
            await self._take(raw, deadline)
        finally:
            self._thinking = False
            timer.cancel()

    def _heard_of(self, size: int) -> float:
        """Note what has come of the mail; answer for how long a fault keeps the rest waiting."""
        self._touch()
        state = self.state
        self._data_bytes += size
        if state.drop_at_byte is not None and self._data_bytes >= state.drop_at_byte:
            self.cut("fault")
            raise ConnectionResetError("cut by a fault")
        wait_s = size / state.bytes_per_s if state.bytes_per_s else 0.0
        self._thinking = wait_s > 0
        return wait_s

    async def _take(self, raw: bytes, deadline: float) -> None:
        if self.state.drop_at_byte is not None:
            await self._leave("fault")
        mail = parse(raw)
        envelope = self.envelope
        assert envelope is not None
        to = tuple(envelope.rcpt_tos)

        def subject() -> Subject:
            return Subject(mail.key or to[0], envelope.mail_from or "", to, mail.key, mail.attempt)

        fault = self._decide("dot", subject)
        answer = await self._act(fault.on_dot(self.state)) if fault else None
        if fault and answer:
            self._in_data = False
            self._new_envelope()
            await self._refuse(answer, fault.name, mail.key)
            return
        # The timer alone is not enough: a sink that was paused finds the dot and the timer at once.
        # From this comparison to the `stored` record nothing awaits, so no receipt can come between: whoever
        # asks for one gets it after what waits has been put on disk.
        if time.monotonic() >= deadline or self.state.how is not None:
            await self._leave("data_limit")
        number = self._store(raw, mail)
        for _ in range(fault.copies - 1 if fault else 0):
            # The copy before gets no reply of its own.
            self._replied(number, _OK.code, False, fault)
            number = self._store(raw, mail)
        # The conversation is complete: what is left of it cannot store any more, however long it takes.
        self._data_timer.cancel()
        self._in_data = False
        self.state.stage = "stored"
        self.state.mails += 1
        self._new_envelope()
        await self._reply(number, subject)

    def _store(self, raw: bytes, mail: Mail) -> int:
        envelope = self.envelope
        assert envelope is not None
        self._context.counters.stored += 1
        return self._context.capture.store(self.state, envelope.mail_from or "", envelope.rcpt_tos, raw, mail)

    async def _reply(self, number: int, subject: Callable[[], Subject]) -> None:
        """Answer a stored mail; exactly one `reply` record follows, whatever happens."""
        answer, dot_s = _OK, time.monotonic()
        fault: Fault | None = None

        def settle(flushed: bool) -> None:
            self._replied(number, answer.code, flushed, fault)
            self._context.counters.latency.observe(time.monotonic() - dot_s)

        settled = False
        try:
            fault = self._decide("stored", subject)
            if fault is not None:
                given = await self._act(fault.after_store(self.state))
                answer = given or _OK
            await self._think()
            if answer.raw is None:
                settled = True
                await self._say(f"{answer.code} {answer.text}\r\n".encode(), settle)
            else:
                await self._send(answer.raw)
        finally:
            if not settled:
                settle(False)
        if answer.then != "stay":
            await self._leave("fault", polite=answer.then == "close")

    def _replied(self, number: int, code: int, flushed: bool, fault: Fault | None) -> None:
        """Record and count how one stored mail was answered."""
        self._record(
            "reply",
            mail=number,
            code=code,
            flushed=flushed,
            fault=fault.name if fault else None,
        )
        if flushed:
            self._context.counters.replied += 1
        else:
            self._context.counters.aborted_after_store += 1
