"""ehlo_refused: EHLO and HELO are refused, as by a server that does not like our name."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.session import SessionState, Stage


class EhloRefused(Fault):
    """Answer EHLO and HELO with `code` and `text`; the connection stays."""

    name = "ehlo_refused"
    client_sees = "EHLO: SMTPHeloError"
    stored = False
    retry_duplicates = False
    defaults = {"code": 550, "text": "5.7.1 Not welcome"}  # noqa: RUF012

    def check(self) -> None:
        """Check the reply."""
        check_reply(self.name, self.params)

    @property
    def stages(self) -> frozenset[Stage]:
        """At EHLO, and at the HELO that clients try next."""
        return frozenset({"ehlo"})

    async def on_ehlo(self, session: SessionState) -> Answer | None:
        """Refuse the greeting."""
        return Answer(self.params["code"], self.params["text"])
