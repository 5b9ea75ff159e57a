"""starttls_dropped: the server goes away in the middle of the TLS handshake."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class StarttlsDropped(Fault):
    """Answer 220, wait for the client to begin, and drop."""

    name = "starttls_dropped"
    client_sees = "STARTTLS: ConnectionResetError or ssl.SSLEOFError"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Drop in the place of the handshake."""
        session.handshake = "drop"
        return None
