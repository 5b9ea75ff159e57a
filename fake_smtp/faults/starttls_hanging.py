"""starttls_hanging: the server never says its part of the TLS handshake."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_seconds
from fake_smtp.session import SessionState, Stage


class StarttlsHanging(Fault):
    """Answer 220, say nothing for `delay_s`, and drop."""

    name = "starttls_hanging"
    client_sees = "STARTTLS: TimeoutError, if it waits less than `delay_s`"
    stored = False
    retry_duplicates = False
    defaults = {"delay_s": 30.0}  # noqa: RUF012

    def check(self) -> None:
        """Check the delay."""
        check_seconds(self.name, self.params, "delay_s")

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Hang in the place of the handshake."""
        session.handshake, session.hang_s = "hang", self.params["delay_s"]
        return None
