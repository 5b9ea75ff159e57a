"""starttls_refused: the server offers TLS and then has none (RFC 3207 4)."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.session import SessionState, Stage


class StarttlsRefused(Fault):
    """Answer STARTTLS with `code` and `text`; the connection stays, in clear text."""

    name = "starttls_refused"
    client_sees = "STARTTLS: SMTPResponseException"
    stored = False
    retry_duplicates = False
    defaults = {"code": 454, "text": "4.7.0 TLS not available due to temporary reason"}  # noqa: RUF012

    def check(self) -> None:
        """Check the reply."""
        check_reply(self.name, self.params)

    @property
    def stages(self) -> frozenset[Stage]:
        """At STARTTLS."""
        return frozenset({"starttls"})

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Refuse."""
        return Answer(self.params["code"], self.params["text"])
