"""error_after_store: the mail is stored, and the server says that it is not. A lie that real servers tell."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_reply
from fake_smtp.session import SessionState, Stage


class ErrorAfterStore(Fault):
    """Store, then answer the dot with `code` and `text`."""

    name = "error_after_store"
    client_sees = "dot: SMTPDataError"
    stored = True
    retry_duplicates = True
    defaults = {"code": 451, "text": "4.3.0 Local error in processing"}  # noqa: RUF012

    def check(self) -> None:
        """Check the reply."""
        check_reply(self.name, self.params)

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, by key and attempt."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Deny it."""
        return Answer(self.params["code"], self.params["text"])
