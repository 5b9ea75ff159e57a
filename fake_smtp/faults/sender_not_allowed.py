"""sender_not_allowed: the login works, and MAIL is refused all the same."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.session import SessionState, Stage


class SenderNotAllowed(Fault):
    """Answer MAIL with `code` and `text` in a session that is logged in."""

    name = "sender_not_allowed"
    client_sees = "MAIL: SMTPSenderRefused"
    stored = False
    retry_duplicates = False
    defaults = {"code": 530, "text": "5.7.0 Authentication required"}  # noqa: RUF012

    def check(self) -> None:
        """Check the reply."""
        check_reply(self.name, self.params)

    @property
    def stages(self) -> frozenset[Stage]:
        """At MAIL."""
        return frozenset({"mail"})

    def concerns(self, stage: Stage, session: SessionState, plan_number: int) -> bool:
        """Concern only who is logged in."""
        return session.auth == "ok"

    async def on_mail(self, session: SessionState) -> Answer | None:
        """Refuse the sender."""
        return Answer(self.params["code"], self.params["text"])
