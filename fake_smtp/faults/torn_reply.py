"""torn_reply: the mail is stored, and only the first bytes of the 250 arrive."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.plan import PlanError
from fake_smtp.session import SessionState, Stage


class TornReply(Fault):
    """Store, send `bytes` (1 or 2) bytes of the reply, then cut."""

    name = "torn_reply"
    client_sees = "dot: SMTPDataError(2 or 25), which is no code at all and easily taken for permanent"
    stored = True
    retry_duplicates = True
    defaults = {"bytes": 2}  # noqa: RUF012

    def check(self) -> None:
        """Check the number; three bytes are `unterminated_reply`."""
        if self.params["bytes"] not in (1, 2) or isinstance(self.params["bytes"], bool):
            raise PlanError(f"{self.name}: 'bytes' must be 1 or 2, not {self.params['bytes']!r}")

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, by key and attempt."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Tear the reply."""
        return Answer(250, "OK", then="close", raw=b"250 OK"[: self.params["bytes"]])
