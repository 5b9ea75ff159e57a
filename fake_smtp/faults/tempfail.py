"""tempfail: a refusal at one stage, temporary by default, and nothing is stored."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.plan import PlanError
from fake_smtp.session import SessionState, Stage

STAGES: tuple[Stage, ...] = ("mail", "rcpt", "data", "dot")


class Tempfail(Fault):
    """Answer `stage` (mail, rcpt, data or dot) with `code` and `text`; the connection stays."""

    name = "tempfail"
    client_sees = "MAIL: SMTPSenderRefused; RCPT: SMTPRecipientsRefused; DATA and dot: SMTPDataError"
    stored = False
    retry_duplicates = False
    defaults = {"stage": "rcpt", "code": 451, "text": "4.7.1 Try again later"}  # noqa: RUF012

    def check(self) -> None:
        """Check the stage and the reply."""
        if self.params["stage"] not in STAGES:
            raise PlanError(
                f"tempfail: 'stage' must be one of {', '.join(STAGES)}, not {self.params['stage']!r}"
            )
        check_reply(self.name, self.params)

    @property
    def stages(self) -> frozenset[Stage]:
        """The one stage that the rule names."""
        return frozenset({self.params["stage"]})

    def _refusal(self) -> Answer:
        return Answer(self.params["code"], self.params["text"])

    async def on_mail(self, session: SessionState) -> Answer | None:
        """Refuse the sender."""
        return self._refusal()

    async def on_rcpt(self, session: SessionState) -> Answer | None:
        """Refuse the recipient."""
        return self._refusal()

    async def on_data(self, session: SessionState) -> Answer | None:
        """Refuse in place of the 354."""
        return self._refusal()

    async def on_dot(self, session: SessionState) -> Answer | None:
        """Refuse the whole mail, which is then not stored."""
        return self._refusal()
