"""credentials_rotated: from now on another user name and password are the right ones."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.plan import PlanError
from fake_smtp.session import SessionState, Stage


class CredentialsRotated(Fault):
    """Take `username` and `password` only; end older logged-in sessions at their next MAIL with 421."""

    name = "credentials_rotated"
    client_sees = (
        "AUTH with the old ones: SMTPAuthenticationError(535); on a kept connection MAIL: 421, closed"
    )
    stored = False
    retry_duplicates = False
    defaults = {"username": "rotated", "password": "rotated"}  # noqa: RUF012

    def check(self) -> None:
        """Both must be words."""
        for name, value in self.params.items():
            if not isinstance(value, str) or not value or value != value.encode("utf-8", "replace").decode():
                raise PlanError(f"{self.name}: {name!r} must be a text that is not empty, not {value!r}")

    @property
    def stages(self) -> frozenset[Stage]:
        """AUTH, and MAIL for kept connections."""
        return frozenset({"auth", "mail"})

    def concerns(self, stage: Stage, session: SessionState, plan_number: int) -> bool:
        """At MAIL, concern only logins from before this plan."""
        return stage == "auth" or (session.auth == "ok" and session.login_plan < plan_number)

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Change what is right; the ordinary course follows."""
        session.credentials = (self.params["username"], self.params["password"])
        return None

    async def on_mail(self, session: SessionState) -> Answer | None:
        """End a session whose credentials are gone."""
        return Answer(421, "4.7.0 Credentials revoked, closing", then="close")
