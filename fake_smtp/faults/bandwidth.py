"""bandwidth: the mail is read slowly, as over a thin line."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault, check_whole
from fake_smtp.session import SessionState, Stage


class Bandwidth(Fault):
    """Read the mail at `bytes_per_s`; the limit on the DATA phase still holds."""

    name = "bandwidth"
    client_sees = "250, after the time that the mail takes; SMTPServerDisconnected, if that is over the limit"
    stored = True
    retry_duplicates = False
    defaults = {"bytes_per_s": 10_000}  # noqa: RUF012

    def check(self) -> None:
        """Check the rate."""
        check_whole(self.name, self.params, "bytes_per_s", least=1)

    @property
    def stages(self) -> frozenset[Stage]:
        """Before the 354."""
        return frozenset({"data"})

    async def on_data(self, session: SessionState) -> Answer | None:
        """Slow the next mail down."""
        session.bytes_per_s = self.params["bytes_per_s"]
        return None
