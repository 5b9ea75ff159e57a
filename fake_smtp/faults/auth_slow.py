"""auth_slow: the login takes long, as with an authentication service that hangs."""

from __future__ import annotations

import asyncio

from fake_smtp.faults.base import Answer, Fault, check_seconds
from fake_smtp.session import SessionState, Stage


class AuthSlow(Fault):
    """Say nothing for `delay_s` after AUTH, then look at the credentials."""

    name = "auth_slow"
    client_sees = "AUTH: SMTPServerDisconnected, if it waits less than `delay_s`"
    stored = False
    retry_duplicates = False
    defaults = {"delay_s": 30.0}  # noqa: RUF012

    def check(self) -> None:
        """Check the delay."""
        check_seconds(self.name, self.params, "delay_s")

    @property
    def stages(self) -> frozenset[Stage]:
        """At AUTH."""
        return frozenset({"auth"})

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Wait; the ordinary course follows."""
        await asyncio.sleep(self.params["delay_s"])
        return None
