"""tarpit: every reply of the session comes late, as from a server that slows down whom it suspects."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_seconds
from fake_smtp.session import SessionState, Stage


class Tarpit(Fault):
    """Give each reply after the banner `delay_s` late."""

    name = "tarpit"
    client_sees = "250, every reply `delay_s` late"
    stored = True
    retry_duplicates = False
    defaults = {"delay_s": 1.0}  # noqa: RUF012

    def check(self) -> None:
        """Check the delay."""
        check_seconds(self.name, self.params, "delay_s")

    @property
    def stages(self) -> frozenset[Stage]:
        """Once for the session."""
        return frozenset({"connect"})

    async def on_connect(self, session: SessionState) -> Answer | None:
        """Slow this session down."""
        session.delay_s = self.params["delay_s"]
        return None
