"""certificate_expired: the certificate was good until yesterday."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class CertificateExpired(Fault):
    """Show a certificate that expired a day ago."""

    name = "certificate_expired"
    client_sees = "STARTTLS: ssl.SSLCertVerificationError"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Show the old one."""
        session.certificate = "expired"
        return None
