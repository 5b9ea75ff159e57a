"""drop_before_dot: the connection breaks in the middle of the mail, which is then not stored."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_whole
from fake_smtp.session import SessionState, Stage


class DropBeforeDot(Fault):
    """Cut when `at_byte` bytes of the mail have come, or at the end of a shorter one; 0: after the 354."""

    name = "drop_before_dot"
    client_sees = "SMTPServerDisconnected, the same as after the dot"
    stored = False
    retry_duplicates = False
    defaults = {"at_byte": 100}  # noqa: RUF012

    def check(self) -> None:
        """Check the number."""
        check_whole(self.name, self.params, "at_byte", least=0)

    @property
    def stages(self) -> frozenset[Stage]:
        """Before the 354."""
        return frozenset({"data"})

    async def on_data(self, session: SessionState) -> Answer | None:
        """Mark the byte; the 354 follows."""
        session.drop_at_byte = self.params["at_byte"]
        return None
