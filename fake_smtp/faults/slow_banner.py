"""slow_banner: the banner comes late, so a client that waits less never gets to know the server."""

from __future__ import annotations

import asyncio

from fake_smtp.faults.base import Answer, Fault, check_seconds
from fake_smtp.session import SessionState, Stage


class SlowBanner(Fault):
    """Say nothing for `delay_s`, then greet."""

    name = "slow_banner"
    client_sees = "connecting: SMTPServerDisconnected, if it waits less than `delay_s`"
    stored = False
    retry_duplicates = False
    defaults = {"delay_s": 30.0}  # noqa: RUF012

    def check(self) -> None:
        """Check the delay."""
        check_seconds(self.name, self.params, "delay_s")

    @property
    def stages(self) -> frozenset[Stage]:
        """Before the banner."""
        return frozenset({"connect"})

    async def on_connect(self, session: SessionState) -> Answer | None:
        """Wait; the ordinary banner follows."""
        await asyncio.sleep(self.params["delay_s"])
        return None
