"""refuse_connection: the connection is closed before the banner, as by an overloaded server."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class RefuseConnection(Fault):
    """Close at once, without a byte."""

    name = "refuse_connection"
    client_sees = "connecting: SMTPServerDisconnected"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """Before the banner."""
        return frozenset({"connect"})

    async def on_connect(self, session: SessionState) -> Answer | None:
        """Cut."""
        return Answer(421, "", then="abort", raw=b"")
