"""greylist: the first tries of a mail are refused, the next is taken (RFC 6647)."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_whole
from fake_smtp.plan import PlanError
from fake_smtp.session import SessionState, Stage

STAGES: tuple[Stage, ...] = ("rcpt", "dot")


class Greylist(Fault):
    """Answer tries 1 to `tries` of a mail with 451, at RCPT (by recipient) or at the dot (by key)."""

    name = "greylist"
    client_sees = "RCPT: SMTPRecipientsRefused(451), or dot: SMTPDataError(451)"
    stored = False
    retry_duplicates = False
    defaults = {"tries": 1, "stage": "rcpt"}  # noqa: RUF012

    def check(self) -> None:
        """Check the number and the stage."""
        check_whole(self.name, self.params, "tries", least=1)
        if self.params["stage"] not in STAGES:
            raise PlanError(f"{self.name}: 'stage' must be rcpt or dot, not {self.params['stage']!r}")

    @property
    def stages(self) -> frozenset[Stage]:
        """The one stage that the rule names."""
        return frozenset({self.params["stage"]})

    @property
    def tries(self) -> int | None:
        """Only the first so many times that the mail is seen."""
        return int(self.params["tries"])

    async def on_rcpt(self, session: SessionState) -> Answer | None:
        """Refuse for now."""
        return Answer(451, "4.7.1 Greylisted, try again later")

    async def on_dot(self, session: SessionState) -> Answer | None:
        """Refuse for now."""
        return Answer(451, "4.7.1 Greylisted, try again later")
