"""banner_421: the server says at once that it is not available (RFC 5321, 3.1)."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class Banner421(Fault):
    """Greet with 421 and close."""

    name = "banner_421"
    client_sees = "connecting: SMTPConnectError(421)"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """In place of the banner."""
        return frozenset({"connect"})

    async def on_connect(self, session: SessionState) -> Answer | None:
        """Send away."""
        return Answer(421, "4.3.2 Service not available, try again later", then="close")
