"""What aiosmtpd makes anew for every connection and never changes, made once.

Used by `lifecycle` and `commands`. Building these tables costs more than a whole conversation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Session

HOSTNAME = "sink.mailstorm.test"
Command = Callable[[Any, str | None], Awaitable[None]]


class QuietSession(Session):
    """aiosmtpd's session, whose `login_data` logs a deprecation warning at every login."""

    login_data: Any = None


class Mechanism(NamedTuple):
    """One entry of aiosmtpd's table of AUTH mechanisms."""

    method: Callable[[SMTP, list[str]], Awaitable[AuthResult]]
    is_builtin: bool = True


async def _plain(connection: SMTP, args: list[str]) -> AuthResult:
    return await connection.auth_PLAIN(connection, args)


async def _login(connection: SMTP, args: list[str]) -> AuthResult:
    return await connection.auth_LOGIN(connection, args)


def _pattern() -> dict[str, Any]:
    """Return the attributes with which aiosmtpd's part of a connection begins."""
    # Any loop will do: what hangs on it is not taken.
    loop = asyncio.new_event_loop()
    try:
        made = SMTP(
            None,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="mailstorm",
            auth_require_tls=False,
            loop=loop,
        )
        own = vars(asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop))
    finally:
        loop.close()
    same = {name: value for name, value in vars(made).items() if name not in own and name != "loop"}
    # Theirs are bound to the one connection that they were made for.
    same["_auth_methods"] = {"LOGIN": Mechanism(_login), "PLAIN": Mechanism(_plain)}
    return same


class FrugalSMTP(SMTP):
    """aiosmtpd's connection, that begins with what is in the class."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Of asyncio's two streams only the writer is used.
        asyncio.StreamReaderProtocol.__init__(
            self,
            None,  # type: ignore[arg-type]
            self._cb_client_connected,
            loop,
        )
        self.loop = loop


for _name, _value in _pattern().items():
    setattr(FrugalSMTP, _name, _value)


def commands(connection: type[SMTP]) -> dict[str, Command]:
    """Return the methods of a class by the command that they obey."""
    return {
        name.removeprefix("smtp_"): getattr(connection, name)
        for name in dir(connection)
        if name.startswith("smtp_")
    }
