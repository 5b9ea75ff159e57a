"""quit_421: the mail has got its 250, and QUIT is answered with 421. Nothing is wrong with the mail."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class Quit421(Fault):
    """Answer QUIT with 421 and close."""

    name = "quit_421"
    client_sees = (
        "250; leaving a `with` block of smtplib raises SMTPResponseException(421), `quit()` does not"
    )
    stored = True
    retry_duplicates = True

    @property
    def stages(self) -> frozenset[Stage]:
        """At QUIT."""
        return frozenset({"quit"})

    async def on_quit(self, session: SessionState) -> Answer | None:
        """Send away who is leaving."""
        return Answer(421, "4.3.2 Service not available", then="close")
