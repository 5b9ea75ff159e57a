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
        credentials = _plain_credentials(arg or "")
        if credentials is None or not self._may_log_in():
            await super().smtp_AUTH(arg)
        elif await self._on_auth() is MISSING:
            # The usual way, in fewer steps than aiosmtpd's and to the same end.
            await self._let_in(self._check(*credentials))

    def _may_log_in(self) -> bool:
        session = self.session
        assert session is not None
        return bool(session.host_name) and session.extended_smtp and not session.authenticated

    async def _let_in(self, good: bool) -> None:
        assert self.session is not None
        if good:
            self.session.authenticated = True
            await self._say(b"235 2.7.0 Authentication successful\r\n")
        else:
            await self.push("535 5.7.8 Authentication credentials invalid")

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
        good = self._check(auth_data.login, auth_data.password)
        return AuthResult(success=good, handled=False, auth_data=auth_data)

    def _check(self, given: bytes, secret: bytes) -> bool:
        options = self._context.options
        username, password = self.state.credentials or (options.username, options.password)
        good = username is None or (
            hmac.compare_digest(given, username.encode())
            and hmac.compare_digest(secret, (password or "").encode())
        )
        if good:
            self.state.auth = "ok"
            self.state.login_plan = self._context.decider.number
            self._context.counters.auth_ok += 1
        else:
            self._rejected()
        return good

    def _rejected(self) -> None:
        self.state.auth = "rejected"
        self._context.counters.auth_rejected += 1


def _plain_credentials(arg: str) -> tuple[bytes, bytes] | None:
    """Read `PLAIN` and its initial response (RFC 4616, 2); None for anything that needs a closer look."""
    mechanism, _, response = arg.partition(" ")
    if mechanism != "PLAIN" or not response:
        return None
    try:
        _, login, password = b64decode(response, validate=True).split(b"\0")
    except ValueError:
        return None
    return login, password
