"""starttls_garbage: what follows the 220 is no TLS, as behind a broken middlebox."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class StarttlsGarbage(Fault):
    """Answer 220, and the client's first TLS message with garbage."""

    name = "starttls_garbage"
    client_sees = "STARTTLS: ssl.SSLError"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Answer with garbage in the place of the handshake."""
        session.handshake = "garbage"
        return None
