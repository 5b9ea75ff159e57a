"""aiosmtpd as people use it: one process that takes every mail and keeps none; sink_bench runs it.

`python -m benchmarks.stock_sink PORT USERNAME PASSWORD [uvloop]`. Nothing is changed in aiosmtpd, and it has
no fault to wait for: it is what our sink is held against.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
import logging
import sys
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HOST = "127.0.0.1"
BACKLOG = 1024


class Handler:
    """Takes a mail and forgets it."""

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        """Answer the dot."""
        return "250 OK"


class Login:
    """The one account that there is."""

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username.encode(), password.encode()

    def __call__(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        """Check who logs in."""
        good = hmac.compare_digest(given.login, self._username)
        good = good and hmac.compare_digest(given.password, self._password)
        return AuthResult(success=good, handled=False, auth_data=given)


async def serve(port: int, login: Login) -> None:
    """Serves until the process is ended."""
    loop, handler = asyncio.get_running_loop(), Handler()

    def connection() -> SMTP:
        # A host name, because aiosmtpd looks its own up for each connection when it has none.
        return SMTP(
            handler, hostname="stock.example.org", authenticator=login, auth_require_tls=False, loop=loop
        )

    server = await loop.create_server(connection, HOST, port, backlog=BACKLOG)
    await server.serve_forever()


def main() -> None:
    """Serves on asyncio's own loop, or on uvloop."""
    port, username, password, *which = sys.argv[1:]
    # At WARNING, which is what Python has when nobody asks for more, it writes one line at each login.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    coroutine = serve(int(port), Login(username, password))
    if which == ["uvloop"]:
        importlib.import_module("uvloop").run(coroutine)
    else:
        asyncio.run(coroutine)


if __name__ == "__main__":
    main()
