"""auth_421: the server closes in answer to a login, as one does that is about to restart."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class Auth421(Fault):
    """Answer AUTH with 421 and close."""

    name = "auth_421"
    client_sees = "AUTH: 421 and closed; smtplib tries its next mechanism there: SMTPServerDisconnected"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At AUTH."""
        return frozenset({"auth"})

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Send away."""
        return Answer(421, "4.3.2 Service not available, closing", then="close")
