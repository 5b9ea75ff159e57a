"""AUTH for one SMTP connection: the credentials of the options, or those that a fault wants.

Base of the server's commands. Passwords never reach a record.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from typing import Any

from aiosmtpd.smtp import MISSING, AuthResult

from fake_smtp.starttls import Securable


class Login(Securable):
    """A session that can log in."""

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802
        """Log in."""
        self.state.stage = "auth"
        await super().smtp_AUTH(arg)

    async def _on_auth(self) -> Any:
        """Stand between a well-formed AUTH and the credentials; MISSING lets aiosmtpd go on."""
        if self._is_undecided("auth"):
            self.state.credentials = None
        if await self._refused_once("auth", lambda fault: fault.on_auth(self.state)):
            self._rejected()
            return None
        return MISSING

    async def challenge_auth(
        self, challenge: str | bytes, encode_to_b64: bool = True, log_client_response: bool = False
    ) -> Any:
        """Ask for a part of the credentials; MISSING when none came (RFC 4954, 4)."""
        words = challenge.encode() if isinstance(challenge, str) else challenge
        await self.push(b"334 " + (b64encode(words) if encode_to_b64 else words))
        answer = (await self._input.line() or b"").strip()
        self.state.transcript.heard_secret()
        if answer == b"*":
            await self.push("501 5.7.0 Auth aborted")
            return MISSING
        try:
            return b64decode(answer, validate=True)
        except binascii.Error:
            await self.push("501 5.5.2 Can't decode base64")
            return MISSING

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        """Check the credentials that aiosmtpd has unpacked (PLAIN or LOGIN)."""
        options = self._context.options
        username, password = self.state.credentials or (options.username, options.password)
        good = username is None or (
            hmac.compare_digest(auth_data.login, username.encode())
            and hmac.compare_digest(auth_data.password, (password or "").encode())
        )
        if good:
            self.state.auth = "ok"
            self.state.login_plan = self._context.decider.number
            self._context.counters.auth_ok += 1
        else:
            self._rejected()
        return AuthResult(success=good, handled=False, auth_data=auth_data)

    def _rejected(self) -> None:
        self.state.auth = "rejected"
        self._context.counters.auth_rejected += 1
