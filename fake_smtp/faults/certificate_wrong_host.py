"""certificate_wrong_host: the certificate is sound, and somebody else's."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class CertificateWrongHost(Fault):
    """Show a certificate for another host."""

    name = "certificate_wrong_host"
    client_sees = "STARTTLS: ssl.SSLCertVerificationError"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Show the wrong one."""
        session.certificate = "wrong_host"
        return None
