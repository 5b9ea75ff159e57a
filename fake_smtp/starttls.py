"""STARTTLS for one SMTP connection, and what a fault does in its place.

Base of the server's commands. Never keeps a byte that came in clear text after the command (RFC 3207 4.2).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from fake_smtp.dataphase import DataPhase

_GARBAGE = b"\x00mailstorm: this is no TLS\r\n" * 8


class Securable(DataPhase):
    """A session that can go over to TLS."""

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802
        """Go over to TLS."""
        self.state.stage = "starttls"
        certificates = self._context.certificates
        if arg:
            await self.push("501 Syntax: STARTTLS")
        elif certificates is None:
            await self.push("454 TLS not available")
        elif self.state.tls:
            await self.push("503 Error: TLS is on already")
        elif not await self._refused_once("starttls", lambda fault: fault.on_starttls(self.state)):
            await self.push("220 Ready to start TLS")
            if self.state.handshake is not None:
                await self._act(self._spoil_handshake())
            await self._go_over(certificates.context(self.state.certificate))

    async def _spoil_handshake(self) -> None:
        """Let the client begin, then do to it what the fault wants."""
        await self._input.some()
        if self.state.handshake == "hang":
            await asyncio.sleep(self.state.hang_s)
        if self.state.handshake == "garbage":
            await self._send(_GARBAGE)
            await self._leave("fault", polite=True)
        await self._leave("fault")

    async def _go_over(self, context: ssl.SSLContext) -> None:
        assert self.transport is not None
        self._input.clear()
        try:
            secure = await self.loop.start_tls(
                self._wire(),
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._context.options.idle_limit_s,
            )
        except (OSError, TimeoutError) as error:
            # What a client thinks of our certificate, mostly.
            self.state.transcript.note(f"TLS failed: {error}")
            await self._leave("closed")
            return
        assert secure is not None
        self._plain_transport, self.transport, self._fd = self._wire(), secure, None
        secure.set_write_buffer_limits(0)
        self._input.transport = secure
        holders: tuple[Any, ...] = (self, self._writer)
        for holder in holders:
            holder._transport = secure
        # Then the end of the stream is no half-closed connection, which TLS does not know.
        self._over_ssl = True
        self.state.tls = secure.get_extra_info("ssl_object").version()
        # What was said before counts for nothing (RFC 3207 4.2).
        self.session = self._create_session()
        self.session.ssl = secure.get_extra_info("ssl_object")
        self._new_envelope()
