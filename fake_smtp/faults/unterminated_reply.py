"""unterminated_reply: the mail is stored, and the reply ends after its code, without a line end."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class UnterminatedReply(Fault):
    """Store, send `250` without a line end, then close."""

    name = "unterminated_reply"
    client_sees = (
        "dot: 250 for smtplib, which takes a line without its end for a reply; QUIT: SMTPServerDisconnected"
    )
    stored = True
    retry_duplicates = True

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, by key and attempt."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Send the code alone."""
        return Answer(250, "OK", then="close", raw=b"250")
