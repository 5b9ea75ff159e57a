"""auth_reject: logins fail, and sessions that are already logged in lose their credentials.

Stands for rotated credentials or a broken authentication service behind the server.
"""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.session import SessionState, Stage

CODES = (535, 454, 530)


class AuthReject(Fault):
    """Answer AUTH with `code` and `text`; end older logged-in sessions at their next MAIL with 421."""

    name = "auth_reject"
    client_sees = "AUTH: SMTPAuthenticationError(535, 454 or 530); on a kept connection MAIL: 421, closed"
    stored = False
    retry_duplicates = False
    defaults = {"code": 535, "text": "5.7.8 Authentication credentials invalid"}  # noqa: RUF012

    def check(self) -> None:
        """Allow the codes that servers really give to AUTH."""
        check_reply(self.name, self.params, CODES)

    @property
    def stages(self) -> frozenset[Stage]:
        """AUTH, and MAIL for kept connections."""
        return frozenset({"auth", "mail"})

    def concerns(self, stage: Stage, session: SessionState, plan_number: int) -> bool:
        """At MAIL, concern only logins from before this plan: one that it let in stays in."""
        return stage == "auth" or (session.auth == "ok" and session.login_plan < plan_number)

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Refuse the login whatever the credentials."""
        return Answer(self.params["code"], self.params["text"])

    async def on_mail(self, session: SessionState) -> Answer | None:
        """End a session whose credentials are gone."""
        return Answer(421, "4.7.0 Credentials revoked, closing", then="close")
