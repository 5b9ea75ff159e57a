"""Reads commands and has them obeyed, with aiosmtpd's answers to what is none.

Base of everything that obeys a command. aiosmtpd's own loop does the same with more steps, and lets nobody
listen: the transcript needs each line.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from fake_smtp.replies import Speaker
from fake_smtp.stock import HOSTNAME, Command, commands

_BOGUS_LIMIT = 5
_TURN = 32
_LINE_LIMIT = 512
"""Bytes of a command without its line end, as aiosmtpd counts them."""
_EXTENDED_LIMITS = {"MAIL": _LINE_LIMIT + 36}
"""MAIL may be longer after EHLO: SIZE (26) and SMTPUTF8 (10)."""


class CommandLoop(Speaker):
    """A session that listens."""

    _methods: ClassVar[dict[str, Command]] = {}
    _bogus_left = _BOGUS_LIMIT

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._methods = commands(cls)

    async def _handle_client(self) -> None:
        await self.push(f"220 {HOSTNAME} {self.__ident__}")
        obeyed = 0
        while self.transport is not None and not self.transport.is_closing():
            try:
                line = await self._input.line()
                self._hear(line)
                if line is None:
                    await self.push("500 Command line too long")
                else:
                    await self._obey(line.rstrip(b"\r\n"))
                obeyed += 1
                if obeyed % _TURN == 0 and self.state.tls is None:
                    # Nothing else waits while a client pipelines: without this one of them holds the loop.
                    # Under TLS that would let an end of the stream come between a reply and its bytes, which
                    # are then dropped without a word.
                    await asyncio.sleep(0)
            except (asyncio.CancelledError, ConnectionResetError):
                self._writer.close()
                raise
            except Exception as error:
                await self.push(await self.handle_exception(error))

    def _hear(self, line: bytes | None) -> None:
        transcript = self.state.transcript
        transcript.heard(b"(a line that is too long)" if line is None else line)
        if transcript.full:
            self._record("said")

    async def _obey(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        if not line or not verb.isascii():
            await self.push("500 Error: bad syntax")
            return
        command = verb.decode("ascii").upper()
        assert self.session is not None
        limit = _EXTENDED_LIMITS.get(command, _LINE_LIMIT) if self.session.extended_smtp else _LINE_LIMIT
        method = self._methods.get(command)
        if len(line) > limit:
            await self.push("500 Command line too long")
        elif method is None:
            await self._unknown(command)
        else:
            self._reset_timeout()
            # Whatever bytes came can be had back from the text.
            await method(self, rest.strip().decode("utf-8", "surrogateescape") if rest else None)

    async def _unknown(self, command: str) -> None:
        self._bogus_left -= 1
        if self._bogus_left > 0:
            await self.push(f'500 Error: command "{command}" not recognized')
            return
        await self.push("502 5.5.1 Too many unrecognized commands, goodbye.")
        await self._leave("closed", polite=True)
