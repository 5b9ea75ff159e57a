"""auth_dropped: the connection breaks in answer to a login."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class AuthDropped(Fault):
    """Cut at AUTH, with 0 bytes of reply."""

    name = "auth_dropped"
    client_sees = "AUTH: SMTPServerDisconnected"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """At AUTH."""
        return frozenset({"auth"})

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Cut."""
        return Answer(421, "", then="abort", raw=b"")
