"""late_reply: the mail is stored, and the 250 comes later than the client waits."""

from __future__ import annotations

import asyncio

from fake_smtp.faults.base import Answer, Fault, check_seconds
from fake_smtp.session import SessionState, Stage


class LateReply(Fault):
    """Store, say nothing for `delay_s`, then 250 to whoever is still there."""

    name = "late_reply"
    client_sees = "dot: SMTPServerDisconnected, if it waits less than `delay_s`"
    stored = True
    retry_duplicates = True
    defaults = {"delay_s": 30.0}  # noqa: RUF012

    def check(self) -> None:
        """Check the delay."""
        check_seconds(self.name, self.params, "delay_s")

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, by key and attempt."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Wait; the ordinary 250 follows."""
        await asyncio.sleep(self.params["delay_s"])
        return None
