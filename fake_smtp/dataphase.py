"""The DATA phase of one SMTP connection: 354, the mail within its limit, the disk, the reply.

Base of the commands. Never answers the final dot before the mail is on disk,
and never stores a mail whose dot came after the limit.
"""

from __future__ import annotations

import time

from fake_smtp.dotdata import DataRefusedError, read_mail
from fake_smtp.faults import Answer
from fake_smtp.message import Mail, parse
from fake_smtp.replies import Speaker

_OK = Answer(250, "OK")


class DataPhase(Speaker):
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
        fault = self._decide("data", self.envelope.rcpt_tos[0])
        answer = await fault.on_data(self.state) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
            return
        await self._receive()

    async def _receive(self) -> None:
        self._context.capture.record("data_begin", session=self.state.number)
        self._in_data = True
        limit_s = self._context.options.data_limit_s
        # Taken before the 354 leaves: the sender's lease starts when it reads it, never earlier.
        deadline = time.monotonic() + limit_s
        timer = self.loop.call_later(limit_s, self.cut, "data_limit")
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            raw = await read_mail(self._reader, self._context.options.max_size, self._touch)
        except DataRefusedError as refusal:
            self.state.stage = "dot"
            self._in_data = False
            self._new_envelope()
            await self.push(str(refusal))
        else:
            self.state.stage = "dot"
            await self._take(raw, deadline)
        finally:
            timer.cancel()

    async def _take(self, raw: bytes, deadline: float) -> None:
        mail = parse(raw)
        envelope = self.envelope
        assert envelope is not None
        key = mail.key or envelope.rcpt_tos[0]
        fault = self._decide("dot", key, mail.attempt)
        answer = await fault.on_dot(self.state) if fault else None
        if fault and answer:
            self._in_data = False
            self._new_envelope()
            await self._refuse(answer, fault.name, mail.key)
            return
        # The timer alone is not enough: a sink that was paused finds the dot and the timer at once.
        # From this comparison to the `stored` record nothing awaits, so no receipt can come between.
        if time.monotonic() >= deadline or self.state.how is not None:
            await self._leave("data_limit")
        number = self._context.capture.store(
            self.state, envelope.mail_from or "", envelope.rcpt_tos, raw, mail
        )
        self._in_data = False
        self.state.stage = "stored"
        self.state.mails += 1
        self._context.counters.stored += 1
        self._new_envelope()
        await self._reply(number, key, mail)

    async def _reply(self, number: int, key: str, mail: Mail) -> None:
        """Answer a stored mail; exactly one `reply` record follows, whatever happens."""
        answer, fault, flushed = _OK, None, False
        try:
            fault = self._decide("stored", key, mail.attempt)
            if fault is not None:
                answer = await fault.after_store(self.state) or _OK
            await self._think()
            if answer.raw is None:
                flushed = await self._send(f"{answer.code} {answer.text}\r\n".encode())
            else:
                await self._send(answer.raw)
        finally:
            self._context.capture.record(
                "reply",
                mail=number,
                session=self.state.number,
                code=answer.code,
                flushed=flushed,
                fault=fault.name if fault else None,
            )
            if flushed:
                self._context.counters.replied += 1
            else:
                self._context.counters.aborted_after_store += 1
        if answer.then != "stay":
            await self._leave("fault", polite=answer.then == "close")
